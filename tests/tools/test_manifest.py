# SPDX-License-Identifier: BSD-2-Clause
"""Manifests, right and wrong, and what the build makes of them:
`python3 -m unittest discover tests/tools`."""

import argparse
import re
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from busbarlib import generate, manifest, modules  # noqa: E402
from busbarlib.manifest import ManifestError, load_app, load_driver, load_platform  # noqa: E402

BOARD = """\
about = "a board"
arch = "aarch64"
boot = ["linux-arm64"]
drivers = ["irq/gic_v2", "console/pl011", "rtc/pl031"]
arena = "64K"
early_console = { driver = "console/pl011", address = 0x09000000 }

[qemu]
machine = "virt"
cpu = "cortex-a53"
smp = 2
memory = "256M"
arguments = ["-nic", "none"]
consoles = { "serial@9000000" = 1 }
"""

DRIVERS = {
    "irq/gic_v2": "BB_DRIVER(irq, gic_v2, .probe = probe);",
    "console/pl011": "BB_DRIVER(console, pl011,\n    .match = BB_MATCH({\"arm,pl011\"}));",
    "rtc/pl031": "/* BB_DRIVER(rtc, no) */\nBB_DRIVER(rtc, pl031);",
    "gpio/pl061": "BB_DRIVER(gpio, pl061, .faces = BB_FACES(pl061, gpio, irq));",
    "rtc/usb_clock": "BB_DRIVER(rtc, usb_clock, .hotplug = true);",
    "firmware/none": "BB_DRIVER_FACELESS(firmware, none, .probe = none_probe);",
}


class Repository(unittest.TestCase):
    """A small repository of its own: these tests do not depend on the real one's drivers."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        for module in (manifest, modules, generate):
            patch = mock.patch.object(module, "ROOT", self.root)
            patch.start()
            self.addCleanup(patch.stop)
        for name, text in DRIVERS.items():
            self.put(f"drivers/{name}.c", text)
        for name in ("linux_arm64", "host"):
            self.put(f"core/boot/{name}.c", "")
        self.put("meson.build", "project('x', 'c',\n    version: '7.8')\n")
        self.put("platforms/board/platform.toml", BOARD)

    def put(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def platform(self, text):
        self.put("platforms/other/platform.toml", text)
        return load_platform("other")

    def refused(self, text, *expected):
        """The manifest raises one line that names file and line, and says each of `expected`."""
        with self.assertRaises(ManifestError) as caught:
            self.platform(text)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        self.assertRegex(message, r"^\S*platform\.toml:\d+: ")
        for words in expected:
            self.assertIn(words, message)


class Platforms(Repository):
    def test_everything_is_read(self):
        board = load_platform("board")
        self.assertEqual(board.name, "board")
        self.assertEqual(board.arch, "aarch64")
        names = [one.name for one in board.drivers]
        self.assertEqual(names, ["irq/gic_v2", "console/pl011", "rtc/pl031"])
        self.assertEqual(board.arena, 64 * 1024)
        self.assertEqual(board.early_console.address, 0x09000000)
        self.assertEqual(board.early_console.driver.symbol, "bb_driver_console_pl011")
        self.assertEqual(board.qemu.consoles, {"serial@9000000": 1})
        command = " ".join(board.qemu.command())
        self.assertTrue(command.startswith("-M virt -cpu cortex-a53 -smp 2 -m 256M "))
        self.assertTrue(command.endswith(" -nic none"))
        self.assertTrue(board.in_tree)

    def test_extends_adds_and_removes(self):
        other = self.platform(
            'extends = "board"\n'
            'drivers.remove = ["rtc/pl031"]\ndrivers.add = ["gpio/pl061"]\n'
            '[qemu]\nmemory = "1G"\n'
        )
        names = [one.name for one in other.drivers]
        self.assertEqual(names, ["irq/gic_v2", "console/pl011", "gpio/pl061"])
        self.assertEqual((other.qemu.machine, other.qemu.memory), ("virt", "1G"))
        self.assertEqual(len(other.files), 2)

    def test_what_is_for_this_machine_alone_is_refused_elsewhere(self):
        self.put("core/freestanding/string.h", "")
        self.put("core/boot/host.c", "#include <sys/mman.h>\n")
        self.put("core/boot/linux_arm64.c", "#include <core/arch/aarch64/arch.h>\n")
        self.put("drivers/rtc/pl031.c", "#include <string.h>\n" + DRIVERS["rtc/pl031"])
        self.put("drivers/rtc/here.c", "#include <unistd.h>\nBB_DRIVER(rtc, here);")
        self.assertEqual(load_driver(self.root / "drivers/rtc/here.c").arch, "host")
        self.assertIsNone(load_driver(self.root / "drivers/rtc/pl031.c").arch)
        self.assertTrue(self.platform(BOARD))
        self.refused(BOARD.replace("rtc/pl031", "rtc/here"), ":4: drivers: 'rtc/here' runs on arch")
        self.refused(BOARD.replace('["linux-arm64"]', '["host"]'), ":3: boot: 'host' starts arch")
        self.refused(BOARD.replace('"aarch64"', '"host"'), ":3: boot: 'linux-arm64' starts arch")

    def test_a_machine_that_qemu_does_not_know(self):
        path = self.put("platforms/board/platform.toml", BOARD.replace('"virt"', '"vitr"'))
        with mock.patch.object(manifest, "_machines", lambda program: ("virt", "raspi3b")):
            with self.assertRaisesRegex(ManifestError, ":9: qemu.machine: .* 'virt'"):
                manifest.check_machine(load_platform(path))
        with mock.patch.object(manifest, "_machines", lambda program: ()):
            manifest.check_machine(load_platform(path))

    def test_out_of_tree_by_path(self):
        self.put("away/far.c", "BB_DRIVER(rtc, far);")
        text = BOARD.replace('"rtc/pl031"', '"far.c"')
        path = self.put("away/platform.toml", text)
        for name in (path, path.parent):
            platform = load_platform(name)
            self.assertEqual(platform.drivers[2].name, "rtc/far")
            self.assertFalse(platform.in_tree)

    def test_wrong_names_bring_the_nearest(self):
        self.refused(
            BOARD.replace("rtc/pl031", "rtc/pl301"), ":4: drivers: ", "did you mean 'rtc/pl031'?"
        )
        self.refused(BOARD.replace("aarch64", "aarch46"), ":2: arch: ", "did you mean 'aarch64'?")
        self.refused(
            BOARD.replace("linux-arm64", "linux-arm"), ":3: boot: ", "did you mean 'linux-arm64'?"
        )
        self.refused(BOARD.replace("arena", "areena"), ":5: areena: ", "did you mean 'arena'?")
        self.refused(BOARD.replace("cpu =", "cpus ="), ":10: qemu.cpus: ", "did you mean 'cpu'?")
        self.refused('extends = "bord"', ":1: extends: ", "did you mean 'board'?")
        self.refused(
            BOARD.replace('driver = "console/pl011"', 'driver = "console/pl01"'),
            ":6: early_console.driver: ",
            "did you mean 'console/pl011'?",
        )
        self.refused(
            'extends = "board"\ndrivers.remove = ["rtc/pl030"]',
            ":2: drivers.remove: ",
            "did you mean 'rtc/pl031'?",
        )
        expected = "^no platform 'boards'; did you mean 'board'\\?$"
        with self.assertRaisesRegex(ManifestError, expected):
            load_platform("boards")

    def test_wrong_types(self):
        self.refused(BOARD.replace("smp = 2", 'smp = "2"'), ":11: qemu.smp: must be a whole number")
        self.refused(BOARD.replace("smp = 2", "smp = true"), "qemu.smp: must be a whole number")
        self.refused(BOARD.replace("smp = 2", "smp = 0"), "qemu.smp: must be from 1 to 512")
        self.refused(BOARD.replace('"64K"', '"64Q"'), ":5: arena: ")
        self.refused(BOARD.replace('"64K"', "12"), ":5: arena: ")
        self.refused("load = 0x80001\n" + BOARD, ":1: load: must be an address of whole pages")
        self.refused(BOARD.replace('["linux-arm64"]', '"linux-arm64"'), ":3: boot: must be a list")
        self.refused(BOARD.replace('["linux-arm64"]', "[64]"), ":3: boot: must hold strings")
        self.refused(BOARD.replace("0x09000000", "-1"), "early_console.address: ")
        self.refused(BOARD.replace("{ driver", "{ drivr = 1, driver"), "did you mean 'driver'?")
        self.refused(BOARD.replace("= 1 }", '= "1" }'), ":14: qemu.consoles.")

    def test_what_cannot_be(self):
        self.refused(
            BOARD.replace('"rtc/pl031"', '"irq/gic_v2"'), "drivers: 'irq/gic_v2' stands there twice"
        )
        self.refused(
            BOARD + '[tree]\ndtb = "a.dtb"\ndts = "a.dts"\n', "tree: must name one dtb or one dts"
        )
        self.refused(BOARD + '[tree]\ndts = "a.dts"\n', ":16: tree.dts: no file 'a.dts'")
        self.refused(
            'drivers.add = ["rtc/pl031"]\narch = "host"\nboot = ["host"]',
            "`extends`, which is missing",
        )
        self.refused('extends = "board"\ndrivers.add = ["rtc/pl031"]', "is in the list of 'board'")
        self.refused(
            'extends = "board"\ndrivers.remove = ["console/pl011"]', "the early console needs"
        )
        self.refused('arch = "host"\nboot = ["host"]', "drivers: missing")
        self.refused('extends = "other"', "extends: goes in a circle")
        self.refused(
            BOARD.replace('"console/pl011", address', '"rtc/pl031", address'), "is no console"
        )
        self.refused(BOARD.replace("[qemu]", "[qemu"), ":8: not TOML")
        with self.assertRaisesRegex(ManifestError, "is not UTF-8 text"):
            (self.root / "platforms/other/platform.toml").write_bytes(b"about = '\xff'")
            load_platform("other")


class Drivers(Repository):
    def driver(self, name):
        return load_driver(self.root / "drivers" / f"{name}.c")

    def test_faces(self):
        self.assertEqual(self.driver("rtc/pl031").faces, ("rtc",))
        self.assertEqual(self.driver("gpio/pl061").faces, ("gpio", "irq"))
        self.assertEqual(self.driver("firmware/none").faces, ())
        self.assertTrue(self.driver("rtc/usb_clock").hotplug)
        self.assertFalse(self.driver("rtc/pl031").hotplug)

    def test_a_driver_is_one_file(self):
        self.put("drivers/rtc/two.c", "BB_DRIVER(rtc, two);\nBB_DRIVER(rtc, three);")
        with self.assertRaisesRegex(ManifestError, "has 2 BB_DRIVER lines"):
            self.driver("rtc/two")
        self.put("drivers/rtc/two.c", "BB_DRIVER(rtc, three);")
        with self.assertRaisesRegex(ManifestError, "belongs in drivers/rtc/three.c"):
            self.driver("rtc/two")


class Applications(Repository):
    def app(self, text):
        self.put("apps/hello/app.toml", text)
        self.put("apps/hello/main.c", "")
        self.put("apps/hello/commands/date.c", "")
        self.put("apps/hello/page.html", "<!doctype html>")
        return load_app("hello")

    def test_read(self):
        app = self.app('sources = ["main.c", "commands/*.c"]\ninternal = true\nsmall = true\n'
                       'arena = "1M"\n')
        self.assertEqual([path.name for path in app.sources], ["main.c", "date.c"])
        self.assertTrue(app.internal)
        self.assertTrue(app.small)
        self.assertEqual(app.arena, 1 << 20)
        self.assertEqual(app.lacks(load_platform("board")), [])

    def test_files(self):
        self.assertEqual([path.name for path in self.app('files = ["page.html"]').files],
                         ["page.html"])

    def test_needs_drivers(self):
        app = self.app('drivers = ["rtc/pl031", "gpio/pl061"]')
        self.assertEqual(app.lacks(load_platform("board")), ["gpio/pl061"])

    def test_defaults(self):
        app = self.app("")
        self.assertEqual([path.name for path in app.sources], ["main.c"])
        self.assertEqual((app.internal, app.small, app.libc, app.arena),
                         (False, False, "none", None))

    def test_refused(self):
        for text, expected in (
            (
                'sources = ["mian.c"]',
                "hello/app.toml:1: sources: no file 'mian.c'; did you mean 'main.c'?",
            ),
            ('files = ["pgae.html"]', "files: no file 'pgae.html' beside it"),
            ('files = ["commands/date.c"]', "files: no file 'date.c' beside it"),
            ('libc = "glibc"', "libc: no C library 'glibc'"),
            ('modules = ["tcpip"]', "modules: no module 'tcpip'"),
            ('drivers = ["rtc/pl301"]', "drivers: no driver 'rtc/pl301'; did you mean"),
            ('internal = "yes"', "internal: must be true or false"),
            ("intern = true", "did you mean 'internal'?"),
        ):
            with self.subTest(text), self.assertRaisesRegex(ManifestError, re.escape(expected)):
                self.app(text)
        with self.assertRaisesRegex(ManifestError, "no application 'helo'; did you mean 'hello'"):
            load_app("helo")


class Generated(Repository):
    def configure(self, buildtype="release", **extra):
        options = {
            "platform": "board",
            "buildtype": buildtype,
            "out": str(self.root / "out"),
            "tests": False,
            "app_path": [],
            "driver_path": [],
        }
        return generate.configure(argparse.Namespace(**{**options, **extra}))

    def read(self, name):
        return (self.root / "out" / name).read_text(encoding="utf-8")

    def test_drivers_in_the_manifest_s_order(self):
        self.configure()
        listed = re.findall(r"^    &(\w+),", self.read("drivers.c"), re.MULTILINE)
        expected = ["bb_driver_irq_gic_v2", "bb_driver_console_pl011", "bb_driver_rtc_pl031"]
        self.assertEqual(listed, expected)
        self.assertIn("bb_driver_count = 3;", self.read("drivers.c"))

    def test_one_driver_of_a_face_is_bound(self):
        self.configure()
        header = self.read("busbar/bind.h")
        self.assertIn("#define BB_BOUND_RTC bb_ops_rtc_pl031\n", header)
        self.assertIn("extern const struct bb_irq_ops bb_ops_irq_gic_v2;", header)

    def test_debug_binds_nothing(self):
        self.configure("debug")
        self.assertNotIn("BB_BOUND", self.read("busbar/bind.h"))

    def test_several_drivers_or_hot_plug_bind_nothing(self):
        drivers = '"gpio/pl061", "rtc/usb_clock"'
        text = BOARD.replace('"rtc/pl031"', drivers)
        self.put("platforms/board/platform.toml", text)
        self.configure()
        header = self.read("busbar/bind.h")
        self.assertNotIn("BB_BOUND_IRQ", header)  # gic_v2 and pl061
        self.assertNotIn("BB_BOUND_RTC", header)  # hot plug
        self.assertIn("#define BB_BOUND_GPIO bb_ops_gpio_pl061\n", header)

    def test_config(self):
        self.configure()
        header = self.read("busbar/config.h")
        for line in (
            '#define BB_VERSION "7.8"',
            '#define BB_PLATFORM_NAME "board"',
            "#define BB_ARENA_SIZE 65536",
        ):
            self.assertIn(line + "\n", header)

    def test_parameters(self):
        self.put("platforms/board/platform.toml", 'parameters = ["log=debug", "a.b=c"]\n' + BOARD)
        self.configure()
        self.assertIn('#define BB_PARAMETERS "log=debug a.b=c"\n', self.read("busbar/config.h"))
        for wrong in ("two words", "=c", 'a=b"c'):
            text = f"parameters = ['{wrong}']\n" + BOARD
            self.put("platforms/board/platform.toml", text)
            with self.subTest(wrong), self.assertRaisesRegex(ManifestError, "is no word of a"):
                load_platform("board")

    def test_nodes_that_no_tree_describes(self):
        self.put("platforms/board/platform.toml", 'nodes = ["busbar,arm-rndr"]\n' + BOARD)
        self.configure()
        line = 'bb_platform_nodes[] = {"busbar,arm-rndr", NULL};\n'
        self.assertIn(line, self.read("drivers.c"))

    def test_early_console(self):
        self.configure()
        line = "bb_early_console = {&bb_driver_console_pl011, 0x9000000};\n"
        self.assertIn(line, self.read("drivers.c"))

    def test_unchanged_files_are_left_alone(self):
        self.configure()
        before = {path: path.stat().st_mtime_ns for path in (self.root / "out").rglob("*.*")}
        self.configure()
        after = {path: path.stat().st_mtime_ns for path in (self.root / "out").rglob("*.*")}
        self.assertEqual(before, after)

    def test_tests_know_every_driver(self):
        self.put(
            "platforms/host/platform.toml",
            'arch = "host"\nboot = ["host"]\ndrivers = ["firmware/none"]\n',
        )
        plan = self.configure("debug", platform="host", tests=True)
        paths = [line[1] for line in plan if line[0] == "all-driver"]
        self.assertEqual(paths, sorted(f"drivers/{name}.c" for name in DRIVERS))
        self.assertIn(f"bb_driver_count = {len(DRIVERS)};", self.read("all/drivers.c"))

    def test_image_header(self):
        def header(size=4096, flags=0xA, offset=0x80000, magic=b"ARM\x64"):
            words = b"".join(number.to_bytes(8, "little") for number in (offset, size, flags))
            return (bytes(8) + words + bytes(24) + magic).ljust(4096, b"\0")

        generate.check_arm64_header(header(), "x")
        for wrong in (
            header(magic=b"MZ\0\0"),
            header(size=4095),
            header(flags=1),
            header(flags=0x100A),
            header(offset=8),
            b"",
        ):
            with self.assertRaises(generate.BusbarError):
                generate.check_arm64_header(wrong, "x")


if __name__ == "__main__":
    unittest.main()
