# SPDX-License-Identifier: BSD-2-Clause
"""Modules: their manifests, who gets which, and where their libraries' source comes from."""
import hashlib
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from busbarlib import BusbarError, generate, manifest, modules, setup, sources  # noqa: E402

WRAP = """\
[wrap-file]
directory = stack-1.0
source_url = apt-source:stack
source_filename = stack_1.0.orig.tar.xz
source_hash = {digest}
patch_directory = stack
"""


def platform(*faces, bare=True):
    drivers = [SimpleNamespace(faces=(face,)) for face in faces]
    return SimpleNamespace(drivers=drivers, arena=65536, arch="aarch64" if bare else "host")


class Repository(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name).resolve()
        for module in (manifest, modules, generate, sources):
            patch = mock.patch.object(module, "ROOT", self.root)
            patch.start()
            self.addCleanup(patch.stop)
        self.put("subprojects/stack.wrap", WRAP.format(digest=hashlib.sha256(b"tar").hexdigest()))
        self.module("tcpip", 'library = "stack"\narena = "300K"\nneeds = ["net"]')
        self.module("web", 'requires = ["tcpip"]')
        self.module("ext4", 'needs = ["block"]\narena = "1M"')

    def put(self, name, text=""):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def module(self, name, text):
        self.put(f"modules/{name}/{name}.c")
        self.put(f"modules/{name}/module.toml", text)

    def app(self, text):
        self.put("apps/hello/main.c")
        self.put("apps/hello/app.toml", text)
        return manifest.load_app("hello")


class Manifests(Repository):
    def test_everything_is_read(self):
        module = modules.load_module("tcpip")
        self.assertEqual((module.library, module.arena, module.needs),
                         ("stack", 300 * 1024, ("net",)))
        self.assertEqual([path.name for path in module.sources], ["tcpip.c"])

    def test_refused(self):
        for text, expected in (
                ('library = "stak"', ":1: library: no subprojects/stak.wrap; did you mean 'stack'"),
                ('requires = ["tcpi"]', "requires: no module 'tcpi'; did you mean 'tcpip'?"),
                ('requires = ["web"]', "requires: goes in a circle: web -> web"),
                ('sources = ["wbe.c"]', "sources: no file 'wbe.c'; did you mean 'web.c'?"),
                ('arena = "lots"', "arena: must be a number of bytes"),
                ("arnea = 5", "did you mean 'arena'?")):
            self.module("web", text)
            with self.subTest(text), self.assertRaises(manifest.ManifestError) as caught:
                modules.load_module("web")
            self.assertIn(expected, str(caught.exception))
            self.assertIn("module.toml:1: ", str(caught.exception))
        with self.assertRaisesRegex(manifest.ManifestError, "app.toml:1: modules: .* 'ext4'"):
            self.app('modules = ["ext3"]')

    def test_a_wrap_that_names_a_host(self):
        text = WRAP.replace("apt-source:stack", "sftp://somewhere/stack")
        self.put("subprojects/stack.wrap", text)
        with self.assertRaisesRegex(manifest.ManifestError, "no wrap of a source package"):
            modules.load_library("stack")


class Linking(Repository):
    def names(self, app, *faces):
        return [module.name for module in app.linked_modules(platform(*faces))]

    def test_required_ones_come_behind(self):
        app = self.app('modules = ["tcpip", "web", "ext4"]')
        self.assertEqual(self.names(app, "net", "block"), ["web", "tcpip", "ext4"])

    def test_left_out_without_a_driver(self):
        app = self.app('modules = ["web", "ext4"]')
        self.assertEqual(self.names(app, "block"), ["ext4"])
        self.assertEqual(self.names(app), [])
        self.assertEqual(app.lacks(platform()), [])
        self.assertEqual(self.app('needs = ["net"]').lacks(platform()), ["a driver of net"])

    def test_the_application_is_told(self):
        line = generate.app_line(self.app('modules = ["web", "ext4"]'), platform("net"))
        self.assertEqual(line[-3:], ("web|tcpip", "-DBB_MODULE_WEB=1|-DBB_MODULE_EXT4=0|"
                                     "-DBB_MODULE_TCPIP=1|-DBB_FACE_NET=1", "fast"))
        line = generate.app_line(self.app("small = true"), platform("net"))
        self.assertEqual(line[-2:], ("-DBB_FACE_NET=1", "small"))

    def test_arena(self):
        app = self.app('modules = ["web", "ext4"]')
        self.assertEqual(app.arena_on(platform("net")), 65536 + 300 * 1024)
        self.assertIsNone(app.arena_on(platform()))
        app = self.app('modules = ["ext4"]\narena = "2M"')
        self.assertEqual(app.arena_on(platform("block")), 3 << 20)

    def test_plan(self):
        self.put("modules/tcpip/port/freestanding/stdio.h")
        found = modules.link_order(["web"])
        lines = [line for line in generate.module_lines(found, True) if line[0] == "module"]
        self.assertEqual(lines, [
            ("module", "tcpip", "stack", "modules/tcpip/port|modules/tcpip/port/freestanding", "",
             "modules/tcpip/tcpip.c"),
            ("module", "web", "", "", "tcpip", "modules/web/web.c")])
        lines = generate.module_lines(found, False)
        self.assertIn("modules/tcpip/port", lines[1])


class Sources(Repository):
    def setUp(self):
        super().setUp()
        patch = mock.patch.object(setup, "BUILD", self.root / "build")
        patch.start()
        self.addCleanup(patch.stop)
        self.ran = []
        patch = mock.patch.object(setup, "run_tool", self.run_tool)
        patch.start()
        self.addCleanup(patch.stop)
        self.put("subprojects/packagefiles/stack/meson.build", "new")

    def run_tool(self, command, *_arguments, **_more):
        self.ran.append(command[:3])
        (self.root / "subprojects/stack-1.0").mkdir(exist_ok=True)

    def test_an_archive_in_the_cache_is_unpacked(self):
        self.put("subprojects/packagecache/stack_1.0.orig.tar.xz", "tar")
        sources.ensure(["stack"])
        sources.ensure(["stack"])
        self.assertEqual(self.ran, [["meson", "subprojects", "download"]])

    def test_changed_build_files_reach_the_source(self):
        self.put("subprojects/stack-1.0/meson.build", "old")
        sources.ensure(["stack"])
        path = self.root / "subprojects/stack-1.0/meson.build"
        self.assertEqual(path.read_text(encoding="utf-8"), "new")

    def test_another_archive_is_refused(self):
        path = self.put("subprojects/packagecache/stack_1.0.orig.tar.xz", "changed")
        with self.assertRaisesRegex(BusbarError, "another sha256"):
            sources.ensure(["stack"])
        self.assertFalse(path.exists())

    def test_no_apt_says_what_to_bring(self):
        with mock.patch.object(sources.shutil, "which", lambda name: None):
            with self.assertRaisesRegex(BusbarError, r"put stack_1.0.orig.tar.xz.* into .*cache"):
                sources.ensure(["stack"])

    def test_another_release_says_what_to_bring(self):
        with mock.patch.object(sources.shutil, "which", lambda name: "apt-get"), \
                mock.patch.object(sources, "_environment", lambda *_arguments, **_more: {}):
            with self.assertRaisesRegex(BusbarError, r"wants stack_1.0.orig.tar.xz: put it into"):
                sources.ensure(["stack"])


if __name__ == "__main__":
    unittest.main()
