#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds what a block of a USB stick costs beside a loop written by hand on the controller's
registers, as `tools/busbar bench` prints it, to be within 10 %.

    python3 tests/bench/usb.py
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import bench, build  # noqa: E402

REACH = 1.10  # of the loop by hand


def main():
    wrong = 0
    for compiler in build.COMPILERS:
        found = bench.measure_usb(compiler)
        for name, what in bench.USB_FIGURES.items():
            ours, hand = (found[name][who]["median"] for who in ("framework", "hand"))
            ratio = ours / hand
            word = "ok  " if ratio <= REACH else "FAIL"
            wrong += ratio > REACH
            print(f"{word} {what}, {compiler}: {ours:g} instructions, by hand {hand:g}, ratio "
                  f"{ratio:.2f}, to reach {REACH:.2f}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
