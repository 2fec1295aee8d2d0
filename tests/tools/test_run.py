# SPDX-License-Identifier: BSD-2-Clause
"""The parts of `busbar run` and `busbar test` that need no guest."""
import argparse
import contextlib
import io
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from busbarlib import (BusbarError, cli, peripherals, run, size, suites,  # noqa: E402
                       symbols, terminal, testing, tree)

TREE = """
/dts-v1/;
/ {
    compatible = "test";
    aliases { serial0 = "/soc/uart@1000"; serial1 = "/soc/uart@2000"; };
    chosen { stdout-path = "serial1:115200n8"; };
    soc {
        uart@1000 { compatible = "arm,pl011"; };
        uart@2000 { compatible = "brcm,bcm2835-aux-uart"; };
    };
};
"""
CONSOLES = {"uart@1000": 0, "uart@2000": 1}


class Folder(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.folder = Path(made.name)

    def file(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return path


@unittest.skipUnless(shutil.which("dtc"), "needs dtc")
class Stdout(Folder):
    def compiled(self, text=TREE):
        path = self.folder / "a.dtb"
        subprocess.run(["dtc", "-q", "-O", "dtb", "-o", path], input=text.encode(), check=True)
        return path

    def test_names_of_the_node(self):
        self.assertEqual(tree.stdout_names(self.compiled()),
                         {"/soc/uart@2000", "uart@2000", "serial1"})

    def test_the_terminal_is_the_serial_that_the_tree_names(self):
        self.assertEqual(run.serial_arguments(CONSOLES, self.compiled()),
                         ["-serial", "null", "-serial", "stdio"])
        other = self.compiled(TREE.replace("serial1:115200n8", "/soc/uart@1000"))
        self.assertEqual(run.serial_arguments(CONSOLES, other), ["-serial", "stdio"])

    def test_no_tree_and_no_stdout_mean_the_first(self):
        self.assertEqual(run.serial_arguments(CONSOLES, None), ["-serial", "stdio"])
        bare = self.compiled("/dts-v1/; / { };")
        self.assertEqual(run.serial_arguments(CONSOLES, bare), ["-serial", "stdio"])

    def test_a_damaged_tree_is_the_guest_s_to_refuse(self):
        path = self.compiled()
        data = path.read_bytes()
        for damaged in (b"", data[:30], data[:len(data) // 2], b"\xff" + data[1:]):
            path.write_bytes(damaged)
            heard = io.StringIO()
            with contextlib.redirect_stderr(heard):
                self.assertEqual(run.serial_arguments(CONSOLES, path), ["-serial", "stdio"])
            self.assertRegex(heard.getvalue(), r"\Abusbar: .*first serial\n\Z")


class Leaving(unittest.TestCase):
    def test_keys(self):
        keys = terminal.Keys()
        self.assertEqual(keys.feed(b"ab\x03"), (b"ab\x03", False))
        self.assertEqual(keys.feed(b"\x01"), (b"", False))
        self.assertEqual(keys.feed(b"\x01c"), (b"\x01c", False))
        self.assertEqual(keys.feed(b"\x01d"), (b"\x01d", False))
        self.assertEqual(keys.feed(b"e\x01x"), (b"e", True))


class Panics(unittest.TestCase):
    TEXT = "busbar> write 0\r\n\r\npanic: write to read-only memory at 0x0\r\nelr 0x1\r\n"

    def test_a_panic_is_a_failure_unless_it_was_expected(self):
        self.assertIn("panic: write to", run.unexpected_panic(self.TEXT, [("expect", "elr")]))
        self.assertIn("panic: write to", run.unexpected_panic(self.TEXT, []))
        self.assertIsNone(run.unexpected_panic(self.TEXT, [("expect", "^panic: write")]))
        self.assertIsNone(run.unexpected_panic("no panic: at all\n", []))

    def test_a_file_that_speaks_of_a_panic_is_none(self):
        text = "busbar> cat disk0:/log\r\npanic: long ago\r\nmore\r\nbusbar> "
        self.assertIsNone(run.unexpected_panic(text, []))
        self.assertIn("long ago", run.unexpected_panic(text.replace("busbar> ", ""), []))
        again = self.TEXT + "build id 12ab\r\n\r\nbusbar> "  # it panicked, and started again
        self.assertIn("panic: write to", run.unexpected_panic(again, []))


class Arguments(unittest.TestCase):
    def appended(self, **options):
        argv = run.prepare(run.Machine("virt-arm64", **options), Path("a.img"), True).argv
        return argv[argv.index("-append") + 1], "-no-reboot" in argv

    def test_the_guest_can_tell_its_status(self):
        self.assertEqual(self.appended(append="a=b"), ("node=busbar,semihosting a=b", True))
        self.assertEqual(self.appended(semihosting=False), ("", True))
        self.assertEqual(self.appended(reboot=True), ("node=busbar,semihosting", False))


class Attached(Folder):
    def argv(self, platform="virt-arm64", **options):
        return run.prepare(run.Machine(platform, **options), Path("a.img"), True).argv

    def test_disks(self):
        raw, cow = self.file("a,b.img", "raw"), self.folder / "b.img"
        cow.write_bytes(b"QFI\xfb and more")
        argv = self.argv(disks=[str(raw), str(cow)])
        drives = [argv[at + 1] for at, word in enumerate(argv) if word == "-drive"]
        self.assertEqual(drives, [
            f"if=none,id=disk1,format=qcow2,file={cow.resolve()}",
            f"if=none,id=disk0,format=raw,file={self.folder.resolve()}/a,,b.img"])
        self.assertIn("virtio-blk-device,drive=disk1", argv)
        with self.assertRaisesRegex(BusbarError, "--disk nowhere.img: no such file; .*truncate"):
            self.argv(disks=["nowhere.img"])
        with self.assertRaisesRegex(BusbarError, "nowhere.img: no such file"):
            run.check(run.Machine("raspi3b", disks=["nowhere.img"]))

    def test_forwards(self):
        forwards = [peripherals.forward("0:80"), peripherals.forward("udp:0:7")]
        prepared = run.prepare(run.Machine("virt-arm64", forwards=forwards), Path("a"), True)
        web, echo = prepared.forwards
        self.assertGreater(web.host, 0)
        self.assertEqual(web.announce(), f"http://127.0.0.1:{web.host}/")
        self.assertEqual(echo.announce(), f"udp port 7 of the guest is 127.0.0.1:{echo.host}")
        self.assertIn(f"user,id=net0,hostfwd=tcp:127.0.0.1:{web.host}-:80,"
                      f"hostfwd=udp:127.0.0.1:{echo.host}-:7", prepared.argv)
        self.assertIn("virtio-rng-device", prepared.argv)  # or TCP's numbers could be guessed
        self.assertIn("virtio-net-device,netdev=net0", prepared.argv)
        self.assertIn("user,id=net0", self.argv(net=True))

    def test_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            with self.assertRaisesRegex(BusbarError, f"--forward {port}:80: .*in use"):
                self.argv(forwards=[peripherals.forward(f"{port}:80")])

    def test_wrong_ports(self):
        for text in ("80", "80:", ":80", "80:0", "1:65536", "65536:1", "sctp:1:1", "a:b"):
            with self.assertRaises(argparse.ArgumentTypeError, msg=text):
                peripherals.forward(text)

    def test_a_platform_that_has_none(self):
        disk, image = self.file("a.img", ""), Path("a.img")
        self.file("platform.toml", 'extends = "virt-arm64"\n[qemu]\nnetwork = ""\ndisk = ""\n')
        for option, what in (("disks", [str(disk)]), ("net", True),
                             ("forwards", [peripherals.forward("0:80")])):
            with self.assertRaisesRegex(BusbarError, r"^--\w+: .*platform.toml names no device"):
                run.prepare(run.Machine(str(self.folder), **{option: what}), image, True)


class Unit(Folder):
    def test_a_skipped_test_inside_a_program_counts(self):
        logs = self.folder / "meson-logs"
        logs.mkdir()
        text = "[ RUN      ] test_a\n[  SKIPPED ] test_a\n[  SKIPPED ] 1 test(s)"
        (logs / "testlog.json").write_text(json.dumps(
            {"name": "busbar / test_fdt", "result": "OK", "stdout": text}) + "\n")
        results = suites.meson_results("unit/gcc", self.folder, "")
        self.assertEqual([(result.name, result.status) for result in results],
                         [("unit/gcc/test_fdt", "passed"),
                          ("unit/gcc/test_fdt/test_a", "skipped")])


class Conformance(unittest.TestCase):
    TEXT = "[ 0.1] rtc of rtc/pl031: 26 passed\nirq of irq/gic_v2: 0 passed\n26 passed, 0 failed"

    def test_every_device_must_have_been_checked(self):
        said = suites.conformance_failure
        self.assertIsNone(said(self.TEXT, ["rtc of rtc/pl031"]))
        self.assertIn("irq/gic_v2", said(self.TEXT, ["rtc of rtc/pl031", "irq of irq/gic_v2"]))
        self.assertIn("verdict", said(self.TEXT.replace("0 failed", "1 failed"), []))
        self.assertIn("verdict", said("0 passed, 0 failed", []))


class CommandLine(unittest.TestCase):
    def parsed(self, *words):
        return cli.make_parser().parse_args(words)

    def test_steps_keep_their_order(self):
        options = self.parsed("run", "virt-arm64", "--send", "a", "--expect", "1", "--send", "b")
        self.assertEqual(options.steps, [("send", "a"), ("expect", "1"), ("send", "b")])

    def test_refusals_are_one_line(self):
        for words in (["run", "--expect", "("], ["run", "--timeout", "-1"], ["size"], ["dance"],
                      ["run", "host", "--nonsense"], ["build", "host", "--", "-s"],
                      ["run", "no-such-platform"], ["fuzz", "no-such-target"], ["test", "--suite", "units"]):
            heard = io.StringIO()
            with contextlib.redirect_stderr(heard):
                try:
                    status = cli.main(words)
                except SystemExit as error:
                    status = error.code
            self.assertIn(status, (1, 2), words)
            self.assertEqual(heard.getvalue().count("\n"), 1, heard.getvalue())
            self.assertTrue(heard.getvalue().startswith("busbar: "), heard.getvalue())

    def test_each_command_shows_an_example(self):
        for command in ("run", "build", "platforms", "drivers", "explain", "size", "test", "fuzz",
                        "bench", "doctor", "new", "image"):
            heard = io.StringIO()
            with contextlib.redirect_stdout(heard), self.assertRaises(SystemExit):
                self.parsed(command, "--help")
            self.assertIn("Example: tools/busbar " + command, heard.getvalue())


class BootFiles(Folder):
    GOOD = """
[[run]]
name = "one"
platform = "virt-arm64"
smp = 4
machine = ["gic-version=3"]
steps = [{ send = "devices" }, { expect = "pl011" }]
exit = 0
"""

    def test_reads_a_run(self):
        (boot,) = suites.read_boot(self.file("a.toml", self.GOOD))
        self.assertEqual(boot.name, "one")
        self.assertEqual((boot.machine.smp, boot.machine.app), (4, "monitor"))
        self.assertEqual(boot.steps, [("send", "devices"), ("expect", "pl011")])
        self.assertEqual(boot.exit_status, 0)

    def test_refuses_what_is_wrong(self):
        for old, new, said in (("smp", "smpp", "did you mean 'smp'"),
                               ("smp = 4", 'smp = "4"', "smp"),
                               ("smp = 4", "disks = [8]", 'size like "8M"'),
                               ("expect", "expekt", "did you mean 'expect'"),
                               ('"pl011"', '"("', "regular expression"),
                               ("[[run]]", "[[runs]]", "nothing else"), ('"one"', '"one', "line"),
                               ('name = "one"', "", "name is missing")):
            with self.assertRaises(BusbarError) as raised:
                suites.read_boot(self.file("a.toml", self.GOOD.replace(old, new)))
            self.assertIn(said, str(raised.exception))

    def test_the_files_of_the_repository_are_right(self):
        for path in suites.ROOT.glob("tests/boot/*.toml"):
            self.assertTrue(suites.read_boot(path))


class Counting(unittest.TestCase):
    def test_last_line_and_status(self):
        def case(name, *results):
            return suites.Case(name, lambda: list(results))

        def broken():
            raise BusbarError("no such thing")
        cases = [case("a", suites.Result("a", "passed"), suites.Result("b", "skipped", "why")),
                 case("c", suites.Result("c", "failed", "output")), suites.Case("d", broken)]
        heard = io.StringIO()
        with contextlib.redirect_stdout(heard):
            status = testing.execute(cases, 2)
        self.assertEqual(status, 1)
        self.assertEqual(heard.getvalue().splitlines()[-1], "1 passed, 2 failed, 1 skipped")
        self.assertIn("no such thing", heard.getvalue())


class Sizes(unittest.TestCase):
    def test_what_counts_as_core(self):
        counted = {str(path.relative_to(suites.ROOT)) for path in size.core_sources()}
        self.assertLessEqual({"core/node.c", "bus/mmio.c", "bus/mailbox.c"}, counted)
        for path in counted:
            self.assertFalse(path.startswith(("core/arch/", "core/boot/", "bus/usb/")), path)


@unittest.skipUnless(shutil.which("aarch64-linux-gnu-gcc"), "needs aarch64-linux-gnu-gcc")
class Symbols(Folder):
    def setUp(self):
        super().setUp()
        source = self.file("a.c", "void sink(void);\nvoid sink(void) {}\n"
                                  "void _start(void);\nvoid _start(void)\n{\n    sink();\n}\n")
        self.elf = self.folder / "a.elf"
        subprocess.run(["aarch64-linux-gnu-gcc", "-g", "-O0", "-static", "-nostdlib",
                        "-Wl,--build-id", "-Wl,-Ttext=0x40080000", "-o", self.elf, source],
                       check=True)
        self.id = symbols.build_id(self.elf)
        listed = subprocess.run(["aarch64-linux-gnu-nm", self.elf], text=True, check=True,
                                capture_output=True).stdout
        self.start = next(int(line.split()[0], 16) for line in listed.splitlines()
                          if line.endswith(" _start"))

    def panic(self, order, build_id):
        line = {"id": f"build id {build_id}\r\n", "at": f"  at {self.start + 12:#018x}\r\n"}
        text = "panic: \r\n" + "".join(line[what] for what in order) + "busbar> "
        annotator = symbols.Annotator(self.elf)
        out = b"".join(annotator.feed(bytes([byte])) for byte in text.encode())
        return out.decode()

    def test_adds_function_and_line(self):
        for order in (("id", "at"), ("at", "id")):
            out = self.panic(order, self.id)
            self.assertRegex(out, r"_start at .*a\.c:6")
            self.assertTrue(out.endswith("busbar> "))

    def test_another_build_gets_no_symbols(self):
        out = self.panic(("id", "at"), "0" * 40)
        self.assertNotIn("_start", out)
        self.assertIn("not the build id", out)


if __name__ == "__main__":
    unittest.main()
