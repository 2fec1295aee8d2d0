# SPDX-License-Identifier: BSD-2-Clause
"""`busbar run --card`: what a board's firmware does with a card of `busbar image`, for QEMU has none."""
import shutil
import tempfile
import weakref
from pathlib import Path

from . import BusbarError, common, media, peripherals, setup


class Start:
    """What firmware takes off a card: the program, the tree or None, and the command line. The first
    two are copies, in a folder that goes with this object."""

    def __init__(self):
        self.folder = Path(tempfile.mkdtemp(prefix="busbar-card"))
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.kernel = self.tree = None
        self.cmdline = ""


def take_off(platform, card):
    image = platform.image
    if not image:
        raise BusbarError(f"--card: {common.relative(platform.path)} has no [image] table")
    card = peripherals.existing("--card", card)
    setup.ensure(platform, disks=True, verbose=common.verbose)
    start = Start()

    def copy(name):
        path = start.folder / name
        if not media.copy_out(card, name, path):
            raise BusbarError(f"--card {card}: no file {name} on a FAT in its first partition; "
                              f"tools/busbar image {platform.typed} makes such a card")
        return path
    start.kernel = copy(image.kernel)
    if image.tree:
        start.tree = copy(image.tree)
    if image.config:
        text = copy("cmdline.txt").read_text(encoding="utf-8", errors="replace")
        start.cmdline = text.partition("\n")[0].strip()
    return start
