# SPDX-License-Identifier: BSD-2-Clause
"""`busbar image`: what stands on a card, byte for byte, and what it refuses. The programs of other
projects (sfdisk, mtools, fsck) judge."""
import contextlib
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import time
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from busbarlib import BusbarError, card, cli, image, manifest, media  # noqa: E402
from test_run import Folder  # noqa: E402

MIB = 1 << 20
TOOLS = ("mkfs.vfat", "mcopy", "mke2fs", "debugfs", "sfdisk", "fsck.vfat", "e2fsck")
PATH = media._TOOLS["PATH"]


def judge(*words):
    """(status, what it said) of a program of this machine."""
    done = media.tool(*words, check=False)
    return done.returncode, done.stdout + done.stderr


class Sizes(unittest.TestCase):
    def test_powers_of_two(self):
        self.assertEqual(image.parse_size("128M"), 128 * MIB)
        self.assertEqual(image.parse_size("1G"), 1 << 30)
        for text, said in (("100M", ": 128M"), ("3G", ": 4096M"), ("32M", "from 64M"), ("1", "128M"),
                           ("4096G", "to 2048G"), ("M", "128M"), ("1T", "128M"), ("-64M", "128M")):
            with self.assertRaisesRegex(ValueError, said, msg=text):
                image.parse_size(text)

    def test_both_partitions_have_room(self):
        for size in (64, 128, 1024, 1 << 21):
            boot = image.boot_size(size * MIB, "ext4")
            self.assertGreaterEqual(boot, 40 * MIB)
            self.assertGreaterEqual(size * MIB - boot, 24 * MIB)
        self.assertEqual(image.boot_size(64 * MIB, "none"), 63 * MIB)


class Table(unittest.TestCase):
    def test_mbr(self):
        table = media.partition_table(0x12345678, [(0x0C, MIB, 4 * MIB, True)])
        self.assertEqual(len(table), 512)
        self.assertEqual(table[440:444].hex(), "78563412")
        self.assertEqual(table[446:462].hex(), "80feffff0cfeffff0008000000200000")
        self.assertEqual(table[462:], bytes(48) + b"\x55\xaa")


@unittest.skipUnless(all(shutil.which(name, path=PATH) for name in TOOLS), "needs " + ", ".join(TOOLS))
class Made(Folder):
    """A card of a program that is not built: any bytes will do."""

    def setUp(self):
        super().setUp()
        self.kernel = self.folder / "monitor.img"
        self.kernel.write_bytes(b"the program" * 1000)
        patch = mock.patch.object(image.build, "build", lambda *_: self.kernel)
        patch.start()
        self.addCleanup(patch.stop)

    def make(self, platform="raspi3b", **options):
        wish = image.Wish(platform, out=str(self.folder / "card.img"), size=64 * MIB)
        for name, value in options.items():
            setattr(wish, name, value)
        out, said = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            image.image(wish)
        self.said = said.getvalue()
        made, archive = map(Path, out.getvalue().splitlines())
        return image.common.ROOT / made, image.common.ROOT / archive

    def part(self, disk, number):
        """A partition as a file."""
        status, said = judge("sfdisk", "-l", "-o", "Start,Sectors,Type", disk)
        self.assertEqual(status, 0, said)
        rows = re.findall(r"^ *(\d+) +(\d+) +(.*)", said, re.MULTILINE)
        first, count = (int(word) * 512 for word in rows[number - 1][:2])
        path = self.folder / f"part{number}"
        with open(disk, "rb") as handle:
            handle.seek(first)
            path.write_bytes(handle.read(count))
        return path, rows[number - 1][2]

    def test_others_find_it_sound(self):
        disk, _ = self.make()
        self.assertEqual(disk.stat().st_size, 64 * MIB)
        self.assertLess(disk.stat().st_blocks * 512, 4 * MIB)  # it has holes
        boot, kind = self.part(disk, 1)
        self.assertIn("FAT32", kind)
        status, said = judge("fsck.vfat", "-n", boot)
        self.assertEqual(status, 0, said)
        data, kind = self.part(disk, 2)
        self.assertEqual(kind, "Linux")
        status, said = judge("e2fsck", "-fn", data)
        self.assertEqual(status, 0, said)
        self.assertEqual(sorted(self.folder.glob("busbar*")), [])

    def test_what_stands_on_it(self):
        disk, archive = self.make(append="log=debug")
        start = card.take_off(manifest.load_platform("raspi3b"), str(disk))
        self.assertEqual(start.kernel.read_bytes(), self.kernel.read_bytes())
        self.assertEqual(start.tree.read_bytes()[:4].hex(), "d00dfeed")
        self.assertEqual(start.cmdline, "log=debug")
        folder = start.folder
        del start
        self.assertFalse(folder.exists())  # what was copied goes with who asked for it
        with tarfile.open(archive) as held:
            names = held.getnames()
            config = held.extractfile("config.txt").read().decode()
            linux = held.extractfile("extlinux/extlinux.conf").read().decode()
            readme = held.extractfile("README.txt").read().decode()
        self.assertEqual(names, ["README.txt", "bcm2710-rpi-3-b.dtb", "cmdline.txt", "config.txt",
                                 "extlinux", "extlinux/extlinux.conf", "kernel8.img"])
        for line in ("arm_64bit=1", "kernel=kernel8.img", "enable_uart=1",
                     "device_tree=bcm2710-rpi-3-b.dtb"):
            self.assertIn(line + "\n", config)
        self.assertIn("kernel /kernel8.img\n    append log=debug\n", linux)
        for word in ("bootcode.bin", "start.elf", "fixup.dat", "NOT here", "raspberrypi/firmware"):
            self.assertIn(word, readme)
        self.assertIn("not on it: bootcode.bin, start.elf, fixup.dat", self.said)

    def test_the_same_bytes_each_time(self):
        self.file("note.txt", "a note")
        (self.folder / "files").mkdir()
        file = self.folder / "files" / "a file.txt"
        file.write_text("kept")
        for data in ("ext4", "fat", "none"):
            files = None if data == "none" else str(self.folder / "files")
            sums = []
            for _ in range(2):
                before = file.stat().st_mtime_ns
                made = self.make(data=data, files=files, size=128 * MIB)
                sums.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in made])
                self.assertEqual(file.stat().st_mtime_ns, before)
                time.sleep(1.1)
                file.touch()
            self.assertEqual(sums[0], sums[1], data)

    def test_files_of_the_data_partition(self):
        files = self.folder / "files"
        (files / "a folder").mkdir(parents=True)
        (files / "a folder" / "b.txt").write_text("kept")
        disk, _ = self.make(files=str(files))
        data, _ = self.part(disk, 2)
        self.assertEqual(judge("debugfs", "-R", 'cat "/a folder/b.txt"', data)[1].splitlines()[0][:4],
                         "kept")
        self.assertEqual(judge("e2fsck", "-fn", data)[0], 0)
        disk, _ = self.make(files=str(files), data="fat", size=128 * MIB)
        data, kind = self.part(disk, 2)
        self.assertIn("FAT32", kind)
        self.assertEqual(judge("mtype", "-i", data, "::/a folder/b.txt")[1], "kept")
        self.assertEqual(judge("fsck.vfat", "-n", data)[0], 0)

    def test_files_that_do_not_fit_or_are_none(self):
        files = self.folder / "files"
        files.mkdir()
        media.blank(files / "large", 40 * MIB)
        (files / "large").write_bytes(b"x" * (40 * MIB))
        with self.assertRaisesRegex(BusbarError, "data partition: .*--size makes it larger"):
            self.make(files=str(files))
        (files / "large").unlink()
        (files / "link").symlink_to("nowhere")
        with self.assertRaisesRegex(BusbarError, "neither a file nor a folder"):
            self.make(files=str(files))
        self.kernel.write_bytes(b"x" * (40 * MIB))
        with self.assertRaisesRegex(BusbarError, "boot files take 40 MiB .*--size 128M"):
            self.make()
        self.assertFalse((self.folder / "card.img").exists())

    def test_the_board_s_own_firmware(self):
        own = self.folder / "own"
        own.mkdir()
        with self.assertRaisesRegex(BusbarError, "no bootcode.bin and no start.elf .*they come from"):
            self.make(firmware=str(own))
        for name in ("bootcode.bin", "start.elf", "fixup.dat", "start4.elf"):
            (own / name).write_text(name)
        disk, archive = self.make(firmware=str(own))
        with tarfile.open(archive) as held:
            self.assertEqual(held.extractfile("start.elf").read(), b"start.elf")
            self.assertNotIn("start4.elf", held.getnames())
        boot, _ = self.part(disk, 1)
        self.assertEqual(judge("mtype", "-i", boot, "::/bootcode.bin")[1], "bootcode.bin")
        self.assertNotIn("not on it", self.said)

    def test_a_card_of_somebody_else(self):
        platform = manifest.load_platform("raspi3b")
        with self.assertRaisesRegex(BusbarError, "no file kernel8.img on a FAT"):
            card.take_off(platform, str(self.kernel))
        with self.assertRaisesRegex(BusbarError, "--card nowhere: no such file"):
            card.take_off(platform, "nowhere")
        with self.assertRaisesRegex(BusbarError, r"--card: .*no \[image\]"):
            card.take_off(manifest.load_platform("host"), str(self.kernel))
        elsewhere = manifest.load_platform("tests/boot/sdhci")
        with self.assertRaisesRegex(BusbarError, "busbar image [^ ]*tests/boot/sdhci makes"):
            card.take_off(elsewhere, str(self.kernel))

    def test_the_next_step_can_be_typed(self):
        self.make(platform="tests/boot/sdhci")
        self.assertRegex(self.said, "busbar run [^ ]*tests/boot/sdhci --card ")


class Refusals(Folder):
    def test_one_line_that_says_what_to_do(self):
        out = str(self.folder / "a.img")
        for words, said in (
                (["host"], "busbar build host"),
                (["raspi3b", "--size", "100M"], "128M"),
                (["raspi3b", "--size", "64M", "--data", "fat"], "--size 128M"),
                (["raspi3b", "--data", "none", "--files", "."], "no data partition"),
                (["raspi3b", "--files", "nowhere"], "no such folder"),
                (["raspi3b", "--firmware", "nowhere"], "no such folder"),
                (["raspi3b", "--out", "/dev/null"], "dd if=FILE of=/dev/null"),
                (["raspi3b", "--out", "/nonexistent/a.img"], "no such folder"),
                (["raspi3b", "--out", out + ".tar"], "give that"),
                (["raspi3b", "--append", "a\nb", "--out", out], "one line"),
                (["raspi3b", "--app", "no-such-app"], "no application")):
            heard = io.StringIO()
            with contextlib.redirect_stderr(heard), \
                    mock.patch.object(image.build, "build", lambda *_: self.file("k", "k")):
                try:
                    status = cli.main(["image", *words])
                except SystemExit as error:
                    status = error.code
            self.assertIn(status, (1, 2), words)
            self.assertRegex(heard.getvalue(), r"\Abusbar: [^\n]*\n\Z")
            self.assertIn(said, heard.getvalue())
        self.assertEqual([path.name for path in self.folder.glob("a.img*")], [])


class Manifest(Folder):
    GOOD = 'extends = "host"\n[image]\nkernel = "kernel.img"\n'

    def test_a_small_one(self):
        self.file("platform.toml", self.GOOD)
        found = manifest.load_platform(str(self.folder)).image
        self.assertEqual(found, manifest.Image("kernel.img"))
        self.assertIn("README.txt", image.boot_files(
            manifest.load_platform(str(self.folder)), manifest.load_app("hello"),
            image.Wish(str(self.folder)), self.folder))
        self.file("platform.toml", 'extends = "raspi3b"\n[image]\ntree = "other.dtb"\n')
        found = manifest.load_platform(str(self.folder)).image
        self.assertEqual((found.kernel, found.tree), ("kernel8.img", "other.dtb"))

    def test_refuses_what_is_wrong(self):
        for line, said in (
                ('kernal = "a"', "4: image.kernal: no such key; did you mean 'kernel'?"),
                ('tree = "../a.dtb"', "4: image.tree: '../a.dtb' is no plain file name"),
                ('tree = "KERNEL.img"', "4: image.tree: 'KERNEL.img' is there already"),
                ('firmware = ["Config.txt"]', "4: image.firmware: 'Config.txt' is there already"),
                ('firmware = ["a", "A"]', "image.firmware: 'A' is there already"),
                ('config = ["a\\nb"]', "image.config: must be one line of ASCII"),
                ('cmdline = "gr\u00fc\u00df"', "image.cmdline: must be one line"),
                ("config = 5", "image.config: must be a list"),
                ('tree = ""\nfirmware = ["a."]', "5: image.firmware: 'a.' is no plain file name")):
            self.file("platform.toml", self.GOOD + line + "\n")
            with self.assertRaises(manifest.ManifestError) as raised:
                manifest.load_platform(str(self.folder))
            self.assertIn(said, str(raised.exception))
        self.file("platform.toml", 'extends = "host"\n[image]\ntree = "a"\n')
        with self.assertRaisesRegex(manifest.ManifestError, "image.kernel: missing"):
            manifest.load_platform(str(self.folder))


if __name__ == "__main__":
    unittest.main()
