# SPDX-License-Identifier: BSD-2-Clause
"""The packed relocation list, read back as core/arch/aarch64/entry.S reads it."""
import random
import struct
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from busbarlib import BusbarError  # noqa: E402
from busbarlib.relocations import MAGIC, pack  # noqa: E402

BASE = 0x40080000


def make(words, sites, info=0x403):
    """An ELF file with a relocation list and nothing else, and its raw image of `words` words."""
    rela = b"".join(struct.pack("<QQq", BASE + 8 * site, info, BASE + site) for site in sites)
    header = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, 183, 1, BASE, 0, 64,
                         0, 64, 56, 0, 64, 2, 0)
    null = bytes(64)
    section = struct.pack("<IIQQQQIIQQ", 0, 4, 2, BASE + 8 * words, 192, len(rela), 0, 0, 8, 24)
    return header + null + section + rela, bytes(8 * words) + rela


def unpack(image, words):
    """The sites in a packed image, as word numbers."""
    magic, count = struct.unpack_from("<II", image, 8 * words)
    assert magic == MAGIC and len(image) == 8 * words + 8 + 8 * count
    sites, at = [], None
    for word in struct.unpack_from(f"<{count}Q", image, 8 * words + 8):
        if word & 1:
            sites += [at + bit for bit in range(63) if word >> bit + 1 & 1]
            at += 63
        else:
            sites.append(word // 8)
            at = word // 8 + 1
    return sites


class Relocations(unittest.TestCase):
    def test_every_site_once_with_its_value(self):
        dice = random.Random(1)
        for words, count in ((1, 1), (70, 70), (500, 3), (500, 200), (5000, 40), (129, 2)):
            sites = dice.sample(range(words), count)
            packed = pack(*make(words, sites))
            self.assertEqual(unpack(packed, words), sorted(sites))
            for site in range(words):
                value = BASE + site if site in sites else 0
                self.assertEqual(struct.unpack_from("<Q", packed, 8 * site)[0], value)

    def test_no_list_changes_nothing(self):
        elf, image = make(4, [])
        self.assertEqual(pack(elf, image), image)

    def test_what_the_start_cannot_do_is_refused(self):
        with self.assertRaisesRegex(BusbarError, "relocation 0x101"):
            pack(*make(4, [1], info=0x101))
        elf, image = make(4, [1])
        with self.assertRaisesRegex(BusbarError, "does not end"):
            pack(elf, image + b"more")


if __name__ == "__main__":
    unittest.main()
