#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Debian's U-Boot starts the program from a card of `busbar image`: by itself, through
extlinux.conf, and by typed commands, with the tree that it was given and with others.

    python3 tests/boot/uboot.py
"""
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import image, media, run, setup, usb  # noqa: E402
from busbarlib.checks import Checks  # noqa: E402
from busbarlib.expect import PROMPT, Dialogue, Program  # noqa: E402

LIMIT = 60
UBOOT = "U-Boot> "
check = Checks()


def tell(what, failure, heard):
    check(what, not failure, heard.replace("\r", ""), failure)


def converse(platform, uboot, typed, steps, **attached):
    """(failure or None, all output): U-Boot gets the lines `typed`, none: it starts by itself; then
    the steps are the program's."""
    machine = run.Machine(platform, semihosting=False, **attached)
    argv = run.prepare(machine, uboot, True).argv
    if platform == "virt-arm64":
        argv[argv.index("-kernel")] = "-bios"
        at = argv.index("-append")
        del argv[at:at + 2]
    with Program(argv) as program:
        dialogue = Dialogue(program, LIMIT, UBOOT)
        outcome = dialogue.play([("expect", "Hit any key to stop autoboot")])
        if typed and not outcome.failure:
            program.write(b"\r")
            outcome = dialogue.play([("send", line) for line in typed[:-1]])
        dialogue.transcript.prompt = PROMPT  # after the last line another program answers
        if typed and not outcome.failure:
            dialogue.type(typed[-1])
        if not outcome.failure:
            outcome = dialogue.play([("expect", "^Starting kernel"), *steps], 0)
        return outcome.failure, dialogue.transcript.raw


def make_card(platform, folder):
    card = folder / "card.img"
    image.image(image.Wish(platform, out=str(card), size=64 << 20, append="from.extlinux=1"))
    return card


def try_virt():
    uboot = setup.ensure_uboot("u-boot-qemu", "qemu_arm64")
    with tempfile.TemporaryDirectory() as name:
        card = make_card("virt-arm64", Path(name))
        tell("virt-arm64: by itself", *converse("virt-arm64", uboot, [], [
            ("expect", "unknown parameters, ignored: from.extlinux "), ("send", "ls disk0p1:/"),
            ("expect", "kernel.img"), ("send", "poweroff")], disks=[str(card)]))


def try_pi():
    uboot = setup.ensure_uboot("u-boot-rpi:arm64", "rpi_3")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        card = make_card("raspi3b", folder)
        initrd = folder / "initrd"
        initrd.write_bytes(b"an initrd of 4 sectors".ljust(2048))
        media.tool("mcopy", "-i", f"{card}@@{media.FIRST}", initrd, "::/initrd")
        kernel = "fatload mmc 0:1 ${kernel_addr_r} kernel8.img"
        start = "booti ${kernel_addr_r} - ${fdt_addr}"
        used = [("expect", "^Busbar .*raspi3b"), ("send", "devices"),
                ("expect", r"serial@7e215040 +console/bcm2835_aux +running"),
                ("expect", r"mmc@7e202000 +block/bcm2835_sdhost +running"),
                ("send", "ls disk0p1:/"), ("expect", r"README.txt"), ("send", "uptime"),
                ("expect", r"^up \d+\.\d+ s"), ("send", "poweroff")]
        cases = [
            ("by itself, through extlinux.conf", [], [
                ("expect", "unknown parameters, ignored: from.extlinux "), *used]),
            ("by typed commands", [kernel, start], used),
            ("the tree of the card, a command line", [
                kernel, "fatload mmc 0:1 ${fdt_addr_r} bcm2710-rpi-3-b.dtb",
                "setenv bootargs typed.by=hand", "booti ${kernel_addr_r} - ${fdt_addr_r}"],
             [("expect", "unknown parameters, ignored: typed.by "), *used]),
            ("an initrd", [
                kernel, "fatload mmc 0:1 ${ramdisk_addr_r} initrd",
                "booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdt_addr}"],
             [("send", "block"), ("expect", r"4 blocks of 512"), *used[1:]]),
            ("far up in memory", ["fatload mmc 0:1 0x20300000 kernel8.img",
                                  "booti 0x20300000 - ${fdt_addr}"],
             [("send", "memory"), ("expect", r"^0x002\w+ - .* image"), *used[1:]]),
        ]
        for what, typed, steps in cases:
            tell(f"raspi3b: {what}", *converse("raspi3b", uboot, typed, steps, disks=[str(card)]))
        # U-Boot has used the controller of USB, and leaves it as it was.
        stick = folder / "stick"
        media.blank(stick, 4 << 20)
        plugs = [usb.plug("keyboard"), usb.plug(f"storage:{stick}"), usb.plug("mouse")]
        tell("raspi3b: with USB devices", *converse("raspi3b", uboot, [], [
            ("send", "usb"), ("expect", "port 1: .* input/usb_keyboard"),
            ("expect", "port 2: .* block/usb_storage"), ("expect", "port 3: .* input/usb_mouse"),
            ("send", "block"), ("expect", "^disk1 +4.0 MiB"), ("send", "poweroff")],
            disks=[str(card)], usb=plugs))
        tell("raspi3b: from a stick", *converse("raspi3b", uboot, [], [
            ("expect", "unknown parameters, ignored: from.extlinux "), ("send", "ls disk0p1:/"),
            ("expect", "kernel8.img"), ("send", "poweroff")], usb=[usb.plug(f"storage:{card}")]))


if __name__ == "__main__":
    try_pi()
    try_virt()
    sys.exit(check.status())
