# SPDX-License-Identifier: BSD-2-Clause
"""`busbar run --card`: what a board's firmware does with a card of `busbar image`, for QEMU has none."""
import hashlib

from . import BUILD, BusbarError, common, media, peripherals, setup


def take_off(platform, card):
    """What firmware takes off a card: copies of the program and the tree (None: there is none) and
    the command line."""
    image = platform.image
    if not image:
        raise BusbarError(f"--card: {common.relative(platform.path)} has no [image] table")
    card = peripherals.existing("--card", card)
    setup.ensure(platform, disks=True, verbose=common.verbose)
    folder = BUILD / "cards" / hashlib.sha256(str(card).encode()).hexdigest()[:12]
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [image.kernel, image.tree, "cmdline.txt" if image.config else ""]
    found = {}
    for name in filter(None, wanted):
        if not media.copy_out(card, name, folder / name):
            raise BusbarError(f"--card {card}: no file {name} on a FAT in its first partition; "
                              f"tools/busbar image {platform.name} makes such a card")
        found[name] = folder / name
    cmdline = found.get("cmdline.txt")
    text = cmdline.read_text(encoding="utf-8", errors="replace") if cmdline else ""
    return found[image.kernel], found.get(image.tree), text.partition("\n")[0].strip()
