#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The card of the Raspberry Pi, behind SDHOST and behind the Arasan: file systems of the host's
programs are written to, the machine reboots and reads them, the host judges them. Then the card is
pulled out while it is used, and put back: as it was, changed elsewhere, or another one of its size.

    python3 tests/boot/sd.py
"""
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import run  # noqa: E402
from busbarlib.checks import Checks  # noqa: E402
from busbarlib.guest import Guest  # noqa: E402

MIB = 1 << 20
FAT, EXT4 = (1 * MIB, 16 * MIB), (17 * MIB, 40 * MIB)
TEXT = "written before the reboot\n"
os.environ["PATH"] += ":/usr/sbin:/sbin"
os.environ["MTOOLS_SKIP_CHECK"] = "1"
check = Checks()


def host(*words, said=None):
    done = subprocess.run(list(map(str, words)), input=said, text=True, errors="replace",
                          timeout=60, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def must(*words, said=None):
    status, text = host(*words, said=said)
    if status:
        sys.exit(f"{' '.join(map(str, words))}: {text}")


def put(card, image, place):
    with open(card, "r+b") as handle:
        handle.seek(place[0])
        handle.write(image.read_bytes())


def make_card(folder):
    """An MBR with a FAT of 16 MiB and an ext4 of 40 MiB, on a card of 64."""
    card, fat, ext4, text = (folder / name for name in ("card", "fat", "ext4", "text"))
    card.write_bytes(bytes(64 * MIB))
    text.write_text(TEXT)
    must("sfdisk", "-q", card, said=f"label: dos\nstart={FAT[0] // 512},size={FAT[1] // 512},type=c\n"
                                    f"start={EXT4[0] // 512},size={EXT4[1] // 512},type=83\n")
    fat.write_bytes(bytes(FAT[1]))
    must("mkfs.vfat", "-F", "16", fat)
    must("mcopy", "-i", fat, text, "::text")
    must("mke2fs", "-q", "-F", "-t", "ext4", ext4, f"{EXT4[1] // MIB}M")
    put(card, fat, FAT)
    put(card, ext4, EXT4)
    return card


def part(card, place, image):
    with open(card, "rb") as handle:
        handle.seek(place[0])
        image.write_bytes(handle.read(place[1]))
    return image


def use_files(guest, name):
    listed = guest.ask("block")
    check(f"{name}: the card and its partitions are listed",
          all(what in listed for what in ("64 MiB, ", "disk0p1", "disk0p2")), listed)
    for line in ("mkdir disk0p1:/new", "cp disk0p1:/text disk0p1:/new/copy",
                 "cp disk0p1:/text disk0p2:/copy"):
        heard = guest.ask(line)
        check(f"{name}: {line}", "26 bytes" in heard or not heard.strip(), heard)
    for line in ('save disk0p1:/settings.txt name = "Pi  three"', "append disk0p1:/settings.txt a b",
                 "save disk0p2:/settings.txt old", "save disk0p2:/settings.txt new"):
        heard = guest.ask(line)
        check(f"{name}: {line}", not heard.strip(), heard)
    for line, wanted in (("save disk0p1:/new x", "save: is a directory"),
                         ("save disk0p1:/settings.txt", "usage: save "),
                         ("append disk0p1:/settings.txt 1 2 3 4 5 6 7 8 9 10 11 12 13 14",
                          "put the text in quotes"),
                         ("save disk7:/settings.txt x", "no disk and no mount has this name"),
                         ("mount disk0", "no file system that is known here; `block partitions"),
                         ("mount disk7", "no disk has this name; `block` lists them"),
                         ("umount other", "nothing is mounted by this name"),
                         ("block read disk0 131072", "disk0 ends with block 131071"),
                         ("block copy disk0p2 disk0p1 overwrite", "it is smaller than that")):
        heard = guest.ask(line)
        check(f"{name}: {line} says why not", wanted in heard, heard)
    for line in ("mount disk0p2 card", "save card:/mounted.txt x", "mkdir card:/kept",
                 "rm card:/mounted.txt"):
        heard = guest.ask(line)
        check(f"{name}: {line}", not heard.strip(), heard)
    guest.play(("send", "reboot"), ("expect", "^Busbar "))
    heard = guest.ask("ls disk0p2:/kept")
    check(f"{name}: what was mounted then is sound", not heard.strip(), heard)
    for path in ("disk0p1:/new/copy", "disk0p2:/copy"):
        heard = guest.ask(f"cat {path}")
        check(f"{name}: {path} is there after the reboot", TEXT in heard + "\n", heard)
    for path, wanted in (("disk0p1:", "name = Pi  three\na b\n"), ("disk0p2:", "new\n")):
        heard = guest.ask(f"cat {path}/settings.txt")
        check(f"{name}: and so are the settings on {path}",
              heard.replace("\r", "").strip() + "\n" == wanted, repr(heard))


def pull_out(guest, name, node):
    """QEMU calls the card sd0."""
    guest.monitor.execute("eject", device="sd0", force=True)
    heard = guest.ask("block copy disk0 0 disk0 0 1") + guest.ask("cat disk0p1:/text")
    heard += guest.ask(f"explain {node}")
    check(f"{name}: without its card it says so", "the card was taken out" in heard, heard)
    check(f"{name}: and the machine goes on", "up " in guest.ask("uptime"))


def insert(guest, card):
    guest.monitor.execute("blockdev-change-medium", device="sd0", filename=str(card), format="raw")


def put_back(guest, name, card):
    insert(guest, card)
    guest.hear(3)
    heard = guest.ask("log") + guest.ask("cat disk0p1:/text")
    check(f"{name}: put back, it is read again", "is back" in heard and TEXT.strip() in heard, heard)


def put_another(guest, name, folder):
    """QEMU's cards have the same CID."""
    other = folder / "other"
    other.write_bytes(bytes(64 * MIB))
    must("sfdisk", "-q", other, said="label: dos\nstart=8192,size=16384,type=c,bootable\n")
    heard = guest.ask("mount disk0p2 two")
    guest.monitor.execute("eject", device="sd0", force=True)
    insert(guest, other)
    heard += guest.ask("save two:/settings.txt lost")
    check(f"{name}: a mount does not go on with another card", "two: its disk was pulled out" in
          guest.ask("log") and "is gone" not in heard, heard)
    guest.hear(3)
    heard = guest.ask("mount") + guest.ask("umount two")
    check(f"{name}: what was mounted stays gone", "two          gone: " in heard, heard)
    check(f"{name}: and nothing was written to it", not any(other.read_bytes()[MIB:]))


def host_changes(card, folder, count):
    """As the host leaves a card that came out of a machine: checked, with a file more."""
    text = folder / "text"
    text.write_text(f"file {count} of the host\n" * 5000)
    host("e2fsck", "-fy", card)
    must("debugfs", "-w", "-R", f"write {text} host{count}", card)


def change_elsewhere(folder, noticed):
    """The host writes to the card while it is out; whether an access meanwhile fails or none is
    tried, what is mounted must not go on with what it knew of the card."""
    name = "changed elsewhere, " + ("and missed meanwhile" if noticed else "unnoticed")
    card = folder / "changed"
    card.write_bytes(bytes(64 * MIB))
    must("mke2fs", "-q", "-F", "-t", "ext4", card)
    with Guest(run.Machine("raspi3b", disks=[str(card)])) as guest:
        heard = guest.ask("mount disk0 card") + guest.ask("save card:/one.txt one")
        check(f"{name}: it is used", not heard.strip(), heard)
        guest.monitor.execute("eject", device="sd0", force=True)
        if noticed:
            heard = guest.ask("save card:/lost.txt lost") + guest.ask("mount")
            check(f"{name}: mount says so", "card         gone: " in heard, heard)
            heard = guest.ask("block")
            check(f"{name}: block says so", ", gone" in heard, heard)
            heard = guest.ask("explain disk0") + guest.ask("mount disk0 other")
            check(f"{name}: explain says so, and nothing is mounted",
                  "the card was taken out" in heard and "disk0 is gone" in heard, heard)
        host_changes(card, folder, 1)
        insert(guest, card)
        if noticed:
            guest.hear(3)
        heard = guest.ask("save card:/two.txt two")
        check(f"{name}: the mount is gone", "save" in heard and "gone" in
              guest.ask("mount"), heard)
        guest.hear(3)
        heard = guest.ask("umount card") + guest.ask("mount disk0 card")
        heard += guest.ask("save card:/two.txt two")
        check(f"{name}: mounted again it is used", not heard.strip(), heard)
        heard = guest.ask("ls card:/")
        check(f"{name}: with what the host wrote", "host1" in heard and "two.txt" in heard, heard)
        guest.ask("umount card")
        guest.play(("send", "poweroff"), status=0)
    status, said = host("e2fsck", "-fn", card)
    check(f"{name}: e2fsck finds it clean", status == 0, said)


def try_platform(platform, node, folder):
    name = Path(platform).name
    card = make_card(folder)
    with Guest(run.Machine(platform, disks=[str(card)], reboot=True)) as guest:
        use_files(guest, name)
        pull_out(guest, name, node)
        put_back(guest, name, card)
        put_another(guest, name, folder)
        guest.play(("send", "poweroff"), status=0)
    status, said = host("fsck.vfat", "-n", part(card, FAT, folder / "judged"))
    check(f"{name}: fsck.vfat finds the FAT clean", status == 0, said)
    status, said = host("e2fsck", "-fn", part(card, EXT4, folder / "judged"))
    check(f"{name}: e2fsck finds the ext4 clean", status == 0, said)


def main():
    with tempfile.TemporaryDirectory(prefix="busbar-sd") as folder:
        try_platform("raspi3b", "mmc@7e202000", Path(folder))
        try_platform(str(ROOT / "tests/boot/sdhci"), "mmc@7e300000", Path(folder))
        change_elsewhere(Path(folder), noticed=True)
        change_elsewhere(Path(folder), noticed=False)
    return check.status()


if __name__ == "__main__":
    sys.exit(main())
