#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Disks in QEMU, looked at from both sides: what the guest says, and what is in the file.

64 MiB of random data copied from one disk to another and flushed, behind both transports and over
all kinds of rings; errors that blkdebug injects into a batch; a disk that is read-only; one that
shrinks and grows while it is in use; an initrd.

    python3 tests/boot/block.py
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import build  # noqa: E402

SIZE = 64 << 20
MODERN = ("-global", "virtio-mmio.force-legacy=false")
RINGS = [  # (what, QEMU's arguments, the device's properties)
    ("legacy, split", (), ""),
    ("legacy, no indirect descriptors", (), ",indirect_desc=off"),
    ("legacy, no event index", (), ",event_idx=off"),
    ("modern, split", MODERN, ""),
    ("modern, split, 4 queues", (*MODERN, "-smp", "4"), ",num-queues=4"),
    ("modern, split, 16 entries", MODERN, ",queue-size=16"),
    ("modern, split, blocks of 4096", MODERN, ",logical_block_size=4096,physical_block_size=4096"),
    ("modern, packed", MODERN, ",packed=on"),
    ("modern, packed, no indirect descriptors", MODERN, ",packed=on,indirect_desc=off"),
]
BLKDEBUG = """[inject-error]
event = "none"
iotype = "read"
errno = "5"
sector = "10"
once = "on"
"""


def command(image, append, *arguments):
    return [str(word) for word in (
        "qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-smp", "2", "-m", "256", "-nic",
        "none", "-display", "none", "-monitor", "none", "-serial", "stdio", "-semihosting",
        "-kernel", image, "-append", append, *arguments)]


def disk(number, options, properties=""):
    return ("-drive", f"if=none,id=d{number},{options}", "-device",
            f"virtio-blk-device,drive=d{number}{properties}")


def play(image, append, *arguments):
    """What the guest says, and how it ends."""
    done = subprocess.run(command(image, append, *arguments), capture_output=True, text=True,
                          timeout=120, check=False)
    return done.stdout + done.stderr + f"\nexit {done.returncode}\n"


def tell(what, heard, well):
    print(f"{'ok  ' if well else 'FAIL'} {what}" + ("" if well else f":\n{heard}"), flush=True)
    return not well


def copies(folder, image):
    source, target = folder / "source.img", folder / "target.img"
    source.write_bytes(os.urandom(SIZE))
    for what, arguments, properties in RINGS:
        target.write_bytes(b"")
        os.truncate(target, SIZE)
        heard = play(image, "do=copy", *arguments, *disk(0, f"format=raw,file={target}", properties),
                     *disk(1, f"format=raw,file={source}", properties))
        well = "copy: no error" in heard and "exit 0" in heard
        yield tell(f"copy, {what}", heard, well and target.read_bytes() == source.read_bytes())


def errors(folder, image):
    rules = folder / "blkdebug.conf"
    rules.write_text(BLKDEBUG, encoding="utf-8")
    options = (f"driver=blkdebug,config={rules},image.driver=raw,image.file.driver=file,"
               f"image.file.filename={folder / 'source.img'}")
    for what, arguments, properties in RINGS[:4] + RINGS[7:]:
        heard = play(image, "do=batch", *arguments, *disk(0, options, properties))
        wrong = re.findall(r"block (\d+): input/output error", heard)
        right = len(re.findall(r"block \d+: no error", heard))
        yield tell(f"an error in a batch, {what}", heard,
                   wrong == ["10"] and right == 15 and "read again: no error" in heard)


def read_only(folder, image):
    before = (folder / "source.img").read_bytes()
    heard = play(image, "do=readonly",
                 *disk(0, f"format=raw,readonly=on,file={folder / 'source.img'}"))
    yield tell("a disk that is read-only", heard,
               "write: read-only" in heard and "zeros: read-only" in heard and
               "read: no error" in heard and (folder / "source.img").read_bytes() == before)


def erases(folder, image):
    target = folder / "erase.img"
    for what, arguments, properties in RINGS[:1] + RINGS[7:]:
        target.write_bytes(os.urandom(1 << 20))
        heard = play(image, "do=erase", *arguments,
                     *disk(0, f"format=raw,discard=unmap,file={target}", properties))
        yield tell(f"zeros and discard, {what}", heard,
                   "zeros: no error" in heard and "discard: no error" in heard and
                   target.read_bytes()[:65536] == bytes(65536))


def resize(folder, image):
    target, control = folder / "resize.img", folder / "qmp"
    target.write_bytes(b"")
    os.truncate(target, 16384 * 512)
    argv = command(image, "do=resize", *MODERN, "-qmp", f"unix:{control},server=on,wait=off",
                   *disk(0, f"format=raw,file={target}"))
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True) as machine:
        heard = ""
        while "16384 blocks\n" not in heard:
            line = machine.stdout.readline()
            if not line:
                break
            heard += line
        time.sleep(0.2)
        with socket.socket(socket.AF_UNIX) as monitor:
            monitor.connect(str(control))
            talk = monitor.makefile("rw", encoding="utf-8")
            for order in ({"execute": "qmp_capabilities"},
                          {"execute": "block_resize",
                           "arguments": {"device": "d0", "size": 1000 * 512}}):
                talk.write(json.dumps(order) + "\n")
                talk.flush()
            heard += machine.communicate(timeout=60)[0]
    yield tell("a disk that shrinks", heard,
               "has 1000 blocks now" in heard and "now 1000: no error" in heard and
               "past the end: invalid" in heard and "last block: no error" in heard)


def initrd(folder, image):
    source = folder / "initrd.img"
    source.write_bytes(os.urandom(1 << 20))
    heard = play(image, "do=erase", "-initrd", source)
    yield tell("an initrd", heard, "disk0: 2048 blocks of 512" in heard and
               "zeros: no error" in heard and "exit 0" in heard)


def main():
    image = build.build("virt-arm64", "tests/apps/blocktest")
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        for part in (copies, errors, read_only, erases, resize, initrd):
            bad += sum(part(Path(name), image))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
