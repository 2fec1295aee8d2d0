#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Starts programs as odd loaders do: somewhere else, in EL3, EL2 or EL1, with whatever in x0.

A boot ROM of a few instructions stands in for the loader.

    python3 tests/boot/loader.py
"""
import os
import re
import select
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import build  # noqa: E402

AT_ONCE = 4
TREE = 0x44000000
# ldr x0, [tree]; ldr x1, [image]; br x1
ROM = struct.pack("<4I", 0x58000080, 0x580000A1, 0xD61F0020, 0xD503201F)
# ldr x0, [CPU_ON]; mov x1, #1; ldr x2, [image]; ldr x3, [tree]; hvc #0; wfi; b .-4; nop
ROM_CORE_1 = struct.pack("<8IQ", 0x58000100, 0xD2800021, 0x58000142, 0x580000E3, 0xD4000002,
                         0xD503207F, 0x17FFFFFF, 0xD503201F, 0xC4000003)
EL3 = ("-machine", "secure=on")
EL2 = ("-machine", "virtualization=on")
GIC3 = ("-machine", "gic-version=3")
HELLO = "hello from Busbar"
UP = r"up \d+\.\d+ s"  # the monitor's answer to what was typed
PASSED = r"\d+ passed, 0 failed"


def qemu(folder, image, at, x0, options, tree, wanted, code=ROM):
    """What comes out until it is what is wanted or a panic, or for 20 seconds. Types uptime at a
    prompt."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    rom = folder / "rom.bin"
    rom.write_bytes(code + struct.pack("<QQ", x0, at))
    argv = ["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53", "-m", "256", "-nic", "none",
            "-display", "none", "-monitor", "none", "-serial", "stdio", *options, "-bios", rom,
            "-device", f"loader,file={image},addr={at:#x},force-raw=on"]
    if tree is not None:
        blob = folder / "tree.dtb"
        blob.write_bytes(tree)
        argv += ["-device", f"loader,file={blob},addr={x0:#x},force-raw=on"]
    heard, end = "", time.monotonic() + 20
    with subprocess.Popen([str(word) for word in argv], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as machine:
        output = machine.stdout.fileno()
        while time.monotonic() < end and not re.search(wanted, heard) and "panic" not in heard:
            if select.select([output], [], [], 1)[0]:
                data = os.read(output, 4096)
                if not data:
                    break
                prompted = "busbar> " in heard
                heard += data.decode("utf-8", "replace")
                if not prompted and "busbar> " in heard:
                    machine.stdin.write(b"uptime\r")
                    machine.stdin.flush()
        machine.kill()
    return heard


def qemu_tree(folder):
    """The tree that the boot ROM's machine has, without the megabyte of room."""
    dumped = folder / "virt.dtb"
    subprocess.run(["qemu-system-aarch64", "-M", f"virt,acpi=off,dumpdtb={dumped}", "-cpu",
                    "cortex-a53", "-m", "256", "-nic", "none", "-display", "none"], check=True,
                   capture_output=True)
    packed = folder / "packed.dtb"
    subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dtb", "-o", packed, dumped], check=True)
    return packed.read_bytes()


def with_size(tree, size):
    return tree[:4] + struct.pack(">I", size) + tree[8:]


def tell(what, heard, well):
    print(f"{'ok  ' if well else 'FAIL'} {what}" + ("" if well else f":\n{heard}"))
    return not well


def main():
    image = build.build("virt-arm64", "hello")
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tree = qemu_tree(folder)
        refused = r"device tree refused: .*\n.*cannot start without"
        cases = [
            ("EL1, 34 MiB up", 0x42280000, 0x40000000, (), None, HELLO),
            ("EL1, any page", 0x423FF000, 0x40000000, (), None, HELLO),
            ("EL2", 0x42280000, 0x40000000, EL2, None, HELLO),
            ("EL2, GICv3", 0x42280000, 0x40000000, (*EL2, *GIC3), None, HELLO),
            ("four cores", 0x42280000, 0x40000000, ("-smp", "4"), None, HELLO),
            ("x0 is 0", 0x42280000, 0, (), None, "no device tree: x0 is 0"),
            ("x0 is odd", 0x42280000, 0x40000003, (), None, "x0 is not an aligned address"),
            ("x0 where nothing is", 0x42280000, 0x7000000000, (), None, "where no memory is"),
            ("x0 past all addresses", 0x42280000, 2**64 - 256, (), None, "where no memory is"),
            ("x0 at something else", 0x42280000, TREE, (), bytes(64), "does not point at a device"),
            ("ATAGs", 0x42280000, TREE, (), struct.pack("<II", 5, 0x54410001), "x0 points at ATAGs"),
            ("tree not aligned", 0x42280000, TREE + 4, (), tree, "not aligned to 8 bytes"),
            ("tree too large", 0x42280000, TREE, (), with_size(tree, 3 << 20), "larger than 2 MiB"),
            ("tree of no size", 0x42280000, TREE, (), with_size(tree, 0), "no device tree: "),
            ("tree cut short", 0x42280000, TREE, (), with_size(tree, 100), refused),
            ("tree of garbage", 0x42280000, TREE, (), tree[:200] + b"\xff" * 5000, refused),
        ]
        # Interrupts arrive: what is typed is answered, and what sleeps wakes up.
        images = {app: build.build("virt-arm64", app) for app in ("monitor", "conformance")}
        others = [(f"{what}: {app}", images[app], options, wanted, code) for what, options, code in (
            ("EL3", EL3, ROM), ("EL3, GICv3", (*EL3, *GIC3), ROM),
            ("EL3 with EL2", (*EL3, *EL2), ROM),
            ("EL3 with EL2, GICv3", (*EL3, *EL2, *GIC3), ROM),
            ("EL3, four cores at once", (*EL3, "-smp", "4"), ROM),
            ("the second core", ("-smp", "2"), ROM_CORE_1),
            ("the second core, GICv3", ("-smp", "2", *GIC3), ROM_CORE_1))
            for app, wanted in (("monitor", UP), ("conformance", PASSED))]

        def start(case):
            what, at, x0, options, blob, wanted = case
            heard = qemu(folder, image, at, x0, options, blob, wanted)
            return what, heard, re.search(wanted, heard) and "panic" not in heard

        def start_other(case):
            what, each, options, wanted, code = case
            heard = qemu(folder, each, 0x42280000, 0x40000000, options, None, wanted, code)
            return what, heard, re.search(wanted, heard)
        with ThreadPoolExecutor(AT_ONCE) as pool:  # they sleep more than they work
            for result in [*pool.map(start, cases), *pool.map(start_other, others)]:
                bad += tell(*result)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
