#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What a manifest does not list is not in its images: no symbol of virtio on the Raspberry Pi. The
same look finds them where they belong, so that a name that changed is noticed.

    python3 tests/bench/left_out.py
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import build  # noqa: E402

VIRTIO = re.compile(r"virtio|bb_ring")
# Debug builds: nothing is inlined, no name is lost.
IMAGES = [("raspi3b", app, kind) for app in ("hello", "monitor") for kind in ("release", "debug")]


def virtio_symbols(image):
    out = subprocess.run(["aarch64-linux-gnu-nm", str(build.elf_of(image))], capture_output=True,
                         text=True, check=True).stdout
    return [line.split()[-1] for line in out.splitlines() if VIRTIO.search(line)]


def main():
    wrong = 0
    for platform, app, kind in IMAGES:
        found = virtio_symbols(build.build(platform, app, kind, "gcc"))
        print(f"{platform} {app} {kind}: {', '.join(found) or 'none'}")
        wrong += len(found)
    there = virtio_symbols(build.build("virt-arm64", "monitor", "debug", "gcc"))
    print(f"virt-arm64 monitor debug: {len(there)}")
    return 1 if wrong or len(there) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
