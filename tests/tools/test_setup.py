# SPDX-License-Identifier: BSD-2-Clause
"""What comes out of packages that are unpacked and not installed."""
import shutil
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from busbarlib import BusbarError, setup  # noqa: E402
from test_run import Folder  # noqa: E402

CONTROL = "Package: boot\nVersion: 1\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: a\n"


@unittest.skipUnless(shutil.which("dpkg-deb"), "needs dpkg-deb")
class UBoot(Folder):
    def setUp(self):
        super().setUp()
        self.downloads = 0
        for name, value in (("UBOOT", self.folder / "u-boot"), ("BUILD", self.folder),
                            ("_download", self.download)):
            patch = mock.patch.object(setup, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        patch = mock.patch.object(setup, "say", lambda text: None)
        patch.start()
        self.addCleanup(patch.stop)

    def download(self, _package, _verbose):
        self.downloads += 1
        root = self.folder / "root"
        for name in ("rpi_3/u-boot.bin", "rpi_3/uboot.elf", "rpi_4/u-boot.bin"):
            path = root / "usr/lib/u-boot" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
        (root / "DEBIAN").mkdir(exist_ok=True)
        (root / "DEBIAN/control").write_text(CONTROL)
        made = self.folder / "boot.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, made], check=True,
                       stdout=subprocess.DEVNULL)
        return made

    def test_is_taken_out_once(self):
        for _ in range(2):
            path = setup.ensure_uboot("boot", "rpi_3")
            self.assertEqual(path.read_text(), "rpi_3/u-boot.bin")
        self.assertEqual(self.downloads, 1)
        kept = [str(each.relative_to(self.folder)) for each in setup.UBOOT.rglob("*") if each.is_file()]
        self.assertEqual(sorted(kept), ["u-boot/rpi_3/u-boot.bin", "u-boot/rpi_4/u-boot.bin"])

    def test_a_board_that_the_package_lacks(self):
        with self.assertRaisesRegex(BusbarError, "boot holds no usr/lib/u-boot/rpi_9/u-boot.bin"):
            setup.ensure_uboot("boot", "rpi_9")


if __name__ == "__main__":
    unittest.main()
