#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds what a block of an SD card costs: a sequential read in requests of 64 KiB, in guest
instructions, to be within 10 % of a bare register loop (PIO) in the same run, on both controllers
of the Pi.

    python3 tests/bench/card.py
"""
import struct
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import bench, build, run  # noqa: E402

APP = ROOT / "tests/apps/bench_sd"
MOST = 1.10
# The CPU moves the data where no channel of DMA or no whole cache line is. By DMA it is a fifth of a
# loop: a silent fall-back to PIO fails.
HELD = {"card": {"SDHOST": {"gcc": 0.25, "clang": 0.30},
                 "the Arasan": {"gcc": MOST, "clang": MOST}},
        "card_pio": {"SDHOST": {"gcc": MOST, "clang": MOST},
                     "the Arasan": {"gcc": MOST, "clang": MOST}}}
FIGURES = {"card": "aligned to cache lines", "card_pio": "off a cache line: PIO"}
PLATFORMS = {"SDHOST": "raspi3b", "the Arasan": str(ROOT / "tests/boot/sdhci")}


def make_card(path):
    """Each block begins with its number, which the guest checks."""
    with open(path, "wb") as handle:
        for block in range(4096):
            handle.write(struct.pack("<I", block) + bytes(508))
        handle.truncate(64 << 20)


def main():
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="busbar-card") as folder:
        card = Path(folder) / "card"
        make_card(card)
        for compiler in build.COMPILERS:
            for name, platform in PLATFORMS.items():
                machine = run.Machine(platform, str(APP), compiler=compiler, disks=[str(card)],
                                      extra=bench.ICOUNT)
                found = bench.play(machine, FIGURES)
                for figure, what in FIGURES.items():
                    ours, hand = (found[figure][who]["median"] for who in ("framework", "hand"))
                    ratio = ours / hand
                    bad = ratio > HELD[figure][name][compiler]
                    wrong += bad
                    word = "FAIL" if bad else "ok  "
                    print(f"{word} {name}, {what}, {compiler}: {ours:g} instructions a block, "
                          f"by hand {hand:g}: {ratio:.2f}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
