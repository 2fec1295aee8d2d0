#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Counts guest instructions, the same on every run and every host: with -icount shift=4 the 62.5 MHz
counter of QEMU's Arm machines ticks once for each.

  - hello on virt-arm64, from the first instruction to power-off, with QEMU's full tree; also with a
    disk and a network card, and with none of the drivers of such;
  - the monitor on raspi3b up to its main(), which prints the prompt and waits: screen and USB
    devices included, without the time that it sleeps waiting for them;
  - what ten times the devices cost: 10,000 clocks bound and probed, against 1,000.

    python3 tests/bench/instructions.py
"""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import build, common, desk, manifest, run, size, suites, usb  # noqa: E402

# Platform, what QEMU attaches, instructions.
HELLO = [(str(size.BASIC), {}, 400_000), ("virt-arm64", {}, 1_000_000),
         ("virt-arm64", {"net": True, "disk": 16 << 20}, 1_000_000)]
# The same of the monitor alone: what is plugged in, instructions.
PI_MONITOR = [((), 20_000_000), (("keyboard", "mouse"), 20_000_000)]
GROWTH_LIMIT = 11.0
PER_BUS = 100  # dtc's parser gives up on a node with thousands of children
ICOUNT = ["-icount", "shift=4,sleep=off"]


def ticks(platform, compiler, app="hello", moments=("main", "power off"), disk=0, **attached):
    """The instructions of an application up to each of these moments, without its sleep."""
    patterns = [rf"{moment} after (\d+) ticks, (\d+) of them asleep" for moment in moments]
    machine = run.Machine(platform=platform, app=app, buildtype="release", compiler=compiler,
                          append="ticks", extra=ICOUNT, semihosting=False, **attached)
    boot = suites.Boot(app, machine, [("expect", pattern) for pattern in patterns],
                       disks=[disk] if disk else [])
    failure, seen = suites.play(boot, run.make(machine))
    if failure:
        raise SystemExit(f"{seen}\n{failure}")
    found = (re.search(pattern, seen) for pattern in patterns)
    return [int(each[1]) - int(each[2]) for each in found]


def device(i):
    return f"clock@{i:x} {{ compatible = \"fixed-clock\"; clock-frequency = <{i + 1}>; " \
        "#clock-cells = <0>; };\n"


def large_tree(folder, count):
    """QEMU's own tree for the machine with `count` devices more; the path of its blob."""
    own = desk.tree_for(manifest.load_platform("virt-arm64"))
    text = common.run(["dtc", "-q", "-I", "dtb", "-O", "dts", str(own)]).stdout
    buses = "".join(
        f"bus@{first:x} {{ compatible = \"simple-bus\"; #address-cells = <2>; #size-cells = <2>; "
        f"ranges; reg = <0 {first} 0 1>;\n" + "".join(device(i) for i in
                                                     range(first, first + PER_BUS)) + "};\n"
        for first in range(0, count, PER_BUS))
    end = text.rindex("};")
    source, blob = folder / f"{count}.dts", folder / f"{count}.dtb"
    source.write_text(text[:end] + buses + text[end:], encoding="utf-8")
    subprocess.run(["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(blob), str(source)], check=True)
    return blob


def main():
    wrong = 0
    for compiler in build.COMPILERS:
        for platform, attached, limit in HELLO:
            to_main, total = ticks(platform, compiler, **attached)
            well = total < limit
            wrong += not well
            name = manifest.load_platform(platform).name + (", disk and network" if attached else "")
            print(f"{'ok  ' if well else 'FAIL'} hello on {name}, {compiler}: {to_main} instructions "
                  f"to main, {total} to power-off, below {limit}")
        for plugged, limit in PI_MONITOR:
            to_main, = ticks("raspi3b", compiler, str(size.MONITOR_ALONE), ["main"],
                             usb=[usb.Plug(each) for each in plugged])
            well = to_main < limit
            wrong += not well
            name = "with " + " and ".join(plugged) if plugged else "with nothing plugged in"
            print(f"{'ok  ' if well else 'FAIL'} the monitor on raspi3b {name}, {compiler}: {to_main} "
                  f"instructions to main, below {limit}")
    large = str(ROOT / "tests/bench/large/platform.toml")
    with tempfile.TemporaryDirectory() as folder:
        costs = {count: ticks(large, "gcc", dtb=str(large_tree(Path(folder), count)))[0]
                 for count in (1000, 10000)}
    growth = costs[10000] / costs[1000]
    well = growth < GROWTH_LIMIT
    wrong += not well
    print(f"{'ok  ' if well else 'FAIL'} 10,000 devices cost {costs[10000]} instructions, 1,000 cost "
          f"{costs[1000]}: {growth:.2f} times, below {GROWTH_LIMIT}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
