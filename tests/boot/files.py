#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Disks that the host's programs make, read and written by the monitor, and judged by the host again:
a GPT of sgdisk with file systems of mkfs, on virt-arm64 and as a process.

    python3 tests/boot/files.py
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib.checks import Checks  # noqa: E402

LIMIT = 300  # seconds; the first run of each builds
SKIP = 77
MIB = 1 << 20
os.environ["PATH"] += ":/usr/sbin:/sbin"
os.environ["MTOOLS_SKIP_CHECK"] = "1"
check = Checks()


def host(*words):
    """(exit status, what it said) of a program of this machine."""
    done = subprocess.run(list(map(str, words)), text=True, errors="replace", timeout=LIMIT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def must(*words):
    status, said = host(*words)
    if status:
        sys.exit(f"{' '.join(map(str, words))}: {said}")
    return said


def monitor(platform, disk, *lines):
    done = subprocess.run(
        [ROOT / "tools/busbar", "run", platform, "--app", "monitor", "--disk", disk, "--timeout",
         "120"],
        input="\n".join(lines) + "\npoweroff\n", text=True, errors="replace", timeout=LIMIT,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout


def part(disk, first, size):
    """The bytes of a partition."""
    with open(disk, "rb") as handle:
        handle.seek(first)
        return handle.read(size)


def same(path, data):
    return path.is_file() and path.read_bytes() == data


def make_ext4(folder, size):
    image = folder / "ext4"
    must("mke2fs", "-q", "-F", "-t", "ext4", image, f"{size // MIB}M")
    for name in ("random", "hello.txt"):
        must("debugfs", "-w", "-R", f"write {folder / name} {name}", image)
    return image.read_bytes()


def make_fat(folder, size):
    image = folder / "fat"
    image.write_bytes(bytes(size))
    must("mkfs.vfat", "-F", "16", image)
    must("mcopy", "-i", image, folder / "hello.txt", "::A name that is long.txt")
    (folder / "filler").write_bytes(bytes(size - 5 * MIB // 2))
    must("mcopy", "-i", image, folder / "filler", "::filler")
    return image.read_bytes()


def make_disk(folder, makers):
    """A GPT with a partition of 24 MiB for each maker; their first bytes in the file."""
    disk, size = folder / "disk", 24 * MIB
    disk.write_bytes(bytes((len(makers) * 24 + 2) * MIB))
    words = [word for index, name in enumerate(makers, 1)
             for word in ("-n", f"{index}:{((index - 1) * 24 + 1) * 2048}:+24M",
                          "-c", f"{index}:{name} partition")]
    must("sgdisk", *words, disk)
    places = {}
    with open(disk, "r+b") as handle:
        for index, (name, make) in enumerate(makers.items()):
            places[name] = (index * 24 + 1) * MIB
            handle.seek(places[name])
            handle.write(make(folder, size))
    return disk, places, size


def judge_ext4(platform, folder, content, original):
    image = folder / "judged"
    image.write_bytes(content)
    status, said = host("e2fsck", "-fn", image)
    check(f"{platform}: e2fsck finds the ext4 clean", status == 0, said)
    (folder / "back").unlink(missing_ok=True)
    must("debugfs", "-R", f"dump /copied/random {folder / 'back'}", image)
    check(f"{platform}: debugfs finds what was copied",
          same(folder / "back", original))
    check(f"{platform}: what was removed is gone",
          "hello.txt" not in host("debugfs", "-R", "ls /", image)[1])


def judge_fat(platform, folder, content, original):
    image = folder / "judged"
    image.write_bytes(content)
    status, said = host("fsck.vfat", "-n", image)
    check(f"{platform}: fsck.vfat finds the FAT clean", status == 0, said)
    host("mcopy", "-o", "-i", image, "::from_ext4/random", folder / "back")
    check(f"{platform}: mtools find what was copied",
          same(folder / "back", original))
    names = must("mdir", "-b", "-i", image, "::")
    check(f"{platform}: a copy without room leaves the old file and no part of its own",
          host("mtype", "-i", image, "::second")[1].startswith("hello from") and
          ".part" not in names, names)


def try_platform(platform, folder, fat):
    original = (folder / "random").read_bytes()
    disk, places, size = make_disk(folder, {"ext4": make_ext4} | ({"fat": make_fat} if fat else {}))
    lines = ["block", "block partitions disk0", "ls disk0p1:/", "cat disk0p1:/hello.txt",
             "mkdir disk0p1:/copied", "cp disk0p1:/random disk0p1:/copied/random",
             "ls disk0p1:/copied", "cat disk0p1:/none"]
    if fat:
        lines += ["ls disk0p2:/", "mkdir disk0p2:/from_ext4", "mount disk0p2 f",
                  "cp disk0p1:/random f:/from_ext4/", "mount",
                  "cp f:/from_ext4/random f:/from_ext4/RANDOM",
                  "cp f:/from_ext4/random f:/second", "cp disk0p1:/hello.txt f:/second",
                  "cp f:/filler f:/second", "ls f:/", "ls disk0p2:/", "save f:/a:b*?.txt x",
                  "save f:/../up.txt x", "rm f:/", "umount f"]
    lines += ["rm disk0p1:/hello.txt", "mount", "mount disk0p1 e", "save e:/late.txt late",
              "mkdir e:/made", "append e:/made/notes one", "rm e:/late.txt", "mount disk0p1 again",
              "mount disk0"]
    heard = monitor(platform, disk, *lines)
    for what in ("ext4 partition", "1000003  random", "hello from the host",
                 "one.[J.J..J gr\u00fc\u00df", "cat: not there", "1000003 bytes in"):
        check(f"{platform}: it says '{what}'", what in heard, heard)
    for what in ("nothing is mounted", "disk0p1 is mounted as e; `umount e`"):
        check(f"{platform}: and '{what}'", what in heard, heard)
    check(f"{platform}: what is said in words is not said again", "out of reach" not in heard, heard)
    judge_ext4(platform, folder, part(disk, places["ext4"], size), original)
    if fat:
        check(f"{platform}: it lists a long name", "A name that is long.txt" in heard, heard)
        for what in ("one file", "no room for both; `rm` it first", "disk0p2 is mounted as f",
                     "FAT has no names with", "nothing is above the top", "the top of the file"):
            check(f"{platform}: on the FAT, '{what}'", what in heard, heard)
        judge_fat(platform, folder, part(disk, places["fat"], size), original)
    status, said = host("sgdisk", "-v", disk)
    check(f"{platform}: sgdisk finds the table as it was", "No problems found" in said, said)


def main():
    fat = (ROOT / "modules/fat").is_dir()
    wanted = ["sgdisk", "mke2fs", "e2fsck", "debugfs"]
    wanted += ["mkfs.vfat", "fsck.vfat", "mcopy"] if fat else []
    missing = [name for name in wanted if not shutil.which(name)]
    if missing:
        print("not on this machine:", *missing)
        return SKIP
    for platform in ("virt-arm64", "host"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "random").write_bytes(random.Random(1).randbytes(1000003))
            (folder / "hello.txt").write_bytes(
                b"hello from the host\none\x1b[J\x9bJ\xc2\x9bJ gr\xc3\xbc\xc3\x9f\n")
            try_platform(platform, folder, fat)
    return check.status()


sys.exit(main())
