# SPDX-License-Identifier: BSD-2-Clause
"""Packs the relocation list that ends an image, 24 bytes a pointer, into bitmaps.

The list becomes a word 0x524c4552 ("RELR"), a word with the count of what follows, and entries as
ELF's SHT_RELR has them: an even one is the offset of a pointer from the image's start; the bits of
an odd one, from bit 1 on, say which of the next 63 words are pointers too. The pointers themselves
hold their link-time values. core/arch/aarch64/entry.S reads it."""

import struct

from . import BusbarError

MAGIC = 0x524C4552
SHT_RELA = 4
SHF_ALLOC = 2
RELATIVE = {183: 0x403}  # by e_machine


def _rela(elf):
    """Address, offset in the file and size of the list that the loader is to apply, or None."""
    (table,) = struct.unpack_from("<Q", elf, 40)
    entry_size, count = struct.unpack_from("<HH", elf, 58)
    for index in range(count):
        _, kind, flags, address, offset, size = struct.unpack_from(
            "<IIQQQQ", elf, table + index * entry_size)
        if kind == SHT_RELA and flags & SHF_ALLOC and size:
            return address, offset, size
    return None


def _entries(sites):
    """The sorted offsets in the packed form."""
    result, at = [], 0
    while at < len(sites):
        base = sites[at] + 8
        result.append(sites[at])
        at += 1
        while True:
            bits = 0
            while at < len(sites) and sites[at] - base < 63 * 8:
                bits |= 2 << (sites[at] - base) // 8
                at += 1
            if not bits:
                break
            result.append(bits | 1)
            base += 63 * 8
    return result


def pack(elf, image):
    """The raw image made of this ELF file, both as bytes, with its list packed."""
    found = _rela(elf)
    if not found:
        return image
    address, offset, size = found
    machine, _, start = struct.unpack_from("<HIQ", elf, 18)
    if address - start + size != len(image):
        raise BusbarError("the image does not end with its relocation list: see image.ld")
    packed = bytearray(image[:address - start])
    sites = []
    for place, info, value in struct.iter_unpack("<QQq", elf[offset:offset + size]):
        if info != RELATIVE.get(machine) or place % 8:
            raise BusbarError(f"relocation {info:#x} at {place:#x} is none that the start can do")
        struct.pack_into("<q", packed, place - start, value)
        sites.append(place - start)
    entries = _entries(sorted(sites))
    return bytes(packed) + struct.pack(f"<II{len(entries)}Q", MAGIC, len(entries), *entries)
