#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Holds the code and the images to their budgets, those that `tools/busbar size` prints.

    python3 tests/bench/budgets.py
"""
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import build, manifest, size  # noqa: E402

IMAGES = [(str(size.BASIC), "hello"), ("virt-arm64", "monitor"), ("virt-arm64", "webpage"),
          ("raspi3b", str(size.MONITOR_ALONE))]


def main():
    wrong = 0
    for compiler in build.COMPILERS:
        for platform, app in IMAGES:
            image = build.build(platform, app, "release", compiler)
            loaded = manifest.load_platform(platform)
            app = manifest.load_app(app).name
            measured = size.measure(loaded, app, image)
            print(f"{loaded.name} {app} {compiler}: image {measured['image']} bytes, "
                  f"RAM beyond it {measured['ram']} bytes")
            for budget in measured["budgets"]:
                limit = budget["held"] or budget["limit"]
                wrong += budget["value"] >= limit
                word = "ok  " if budget["ok"] else "over" if budget["value"] < limit else "FAIL"
                held = f"; missed, held below {limit}" if word == "over" else ""
                print(f"  {word} {budget['name']}: {budget['value']}, below {budget['limit']} "
                      f"{budget['unit']}{held}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
