#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Starts a card of `busbar image` as the board's firmware would, with a stick of the same make: files
that are written there are there after a reboot, and the programs of the host find both sound.

    python3 tests/boot/card.py
"""
import random
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import BusbarError, image, media, run, usb  # noqa: E402
from busbarlib.checks import Checks  # noqa: E402
from busbarlib.guest import Guest  # noqa: E402

MIB = 1 << 20
BOOT = 64 * MIB  # of a card of 128 MiB
BYTES = 1000003
check = Checks()


def boot_partition(card):
    return f"{card}@@{media.FIRST}"


def part(card, folder, first, size):
    """A partition as a file."""
    path = folder / "part"
    with open(card, "rb") as handle:
        handle.seek(first)
        path.write_bytes(handle.read(size))
    return path


def judge(what, *words):
    done = media.tool(*words, check=False)
    check(what, done.returncode == 0, done.stdout, done.stderr)


def use(card, stick):
    """Writes, starts again, reads back; (failure or None, what the console said)."""
    copied = f"{BYTES} bytes in"
    plugs = [usb.plug(f"storage:{stick}")]
    with Guest(run.Machine("raspi3b", card=str(card), usb=plugs, reboot=True)) as guest:
        try:
            guest.play(("expect", "unknown parameters, ignored: on.card "),
                       ("send", "block"), ("expect", "^disk0p1 "), ("expect", "^disk0p2 "),
                       ("expect", "^disk1p2 "),
                       ("send", "mkdir disk0p2:/kept"),
                       ("send", "cp disk0p1:/random disk0p2:/kept/random"), ("expect", copied),
                       ("send", "ls disk0p2:/kept"), ("expect", rf"{BYTES} +random"),
                       ("send", "cp disk0p2:/file.txt disk0p2:/kept/file.txt"),
                       ("send", "rm disk0p2:/file.txt"),
                       ("send", "mkdir disk1p2:/stick"),
                       ("send", "cp disk0p2:/kept/random disk1p2:/stick/"), ("expect", copied),
                       ("send", "reboot"), ("expect", "^Busbar .*raspi3b"),
                       ("send", "ls disk0p2:/kept"), ("expect", rf"{BYTES} +random"),
                       ("send", "cat disk0p2:/kept/file.txt"), ("expect", "^kept from the start"),
                       ("send", "cp disk1p2:/stick/random disk0p1:/back"), ("expect", copied),
                       ("send", "poweroff"), status=0)
        except BusbarError as error:
            return str(error), guest.seen
        return None, guest.seen


def try_data(kind, folder):
    files, card, back = folder / "files", folder / "card.img", folder / "back"
    files.mkdir()
    (files / "file.txt").write_text("kept from the start\n")
    original = folder / "random"
    original.write_bytes(random.Random(3).randbytes(BYTES))
    image.image(image.Wish("raspi3b", out=str(card), data=kind, files=str(files),
                           append="on.card=1"))
    media.tool("mcopy", "-i", boot_partition(card), original, "::/random")
    stick = folder / "stick.img"
    shutil.copyfile(card, stick)
    failure, seen = use(card, stick)
    check(f"{kind}: written, started again, read back", not failure, seen, failure)
    media.copy_out(card, "back", back)
    check(f"{kind}: every byte came back, by way of the stick", back.exists() and
          back.read_bytes() == original.read_bytes())
    judge(f"{kind}: the boot partition is sound", "fsck.vfat", "-n",
          part(card, folder, media.FIRST, BOOT))
    checker = ("e2fsck", "-fn") if kind == "ext4" else ("fsck.vfat", "-n")
    for name, disk in (("card", card), ("stick", stick)):
        data = part(disk, folder, media.FIRST + BOOT, 128 * MIB - media.FIRST - BOOT)
        judge(f"{kind}: the data partition of the {name} is sound", *checker, data)
        judge(f"{kind}: the table of the {name} is as it was", "sfdisk", "--verify", disk)


def main():
    for kind in ("ext4", "fat"):
        with tempfile.TemporaryDirectory() as name:
            try_data(kind, Path(name))
    return check.status()


if __name__ == "__main__":
    sys.exit(main())
