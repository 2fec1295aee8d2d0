# SPDX-License-Identifier: BSD-2-Clause
"""What libext2fs's own build makes by programs: the error numbers (compile_et) as a header, their
texts as a table, and the tables of its CRCs.

    generated.py header|messages ext2_err.et.in OUTPUT
    generated.py crc OUTPUT"""
import re
import sys

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_"
MADE = "/* Made by the build; do not edit. */"


def errors(kind, source):
    text = re.sub(r"^#.*", "", open(source, encoding="utf-8").read(), flags=re.MULTILINE)
    table = re.search(r"error_table\s+(\w+)", text)[1]
    base = 0
    for letter in table:
        base = (base << 6) + LETTERS.index(letter) + 1
    codes = re.findall(r'ec\s+(\w+),\s*("[^"\n]*")', text)
    if kind == "messages":
        return [MADE, f"extern const char *const {table}_error_texts[];",
                f"const char *const {table}_error_texts[] = {{",
                *(f"    {words}," for _, words in codes), "};"]
    return [MADE, "#include <et/com_err.h>", f"extern const char *const {table}_error_texts[];",
            f"#define ERROR_TABLE_BASE_{table} ({base << 8}L)",
            f"#define {table.upper()}_ERROR_TEXTS {len(codes)}",
            *(f"#define {name} ({(base << 8) + at}L)" for at, (name, _) in enumerate(codes))]


def little(byte):
    """CRC-32C, least significant bit first."""
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    return byte


def big(byte):
    """CRC-32, most significant bit first."""
    byte <<= 24
    for _ in range(8):
        byte = byte << 1 & 0xFFFFFFFF ^ (0x04C11DB7 if byte >> 31 else 0)
    return byte


def crc(name, bits, first, step):
    """Row 0 for a byte at a time; the other seven for eight at once, which config.h chooses."""
    rows = [[first(byte) for byte in range(256)]]
    for _ in range(7):
        rows.append([step(rows[0], value) for value in rows[-1]])
    lines = [f"static const uint32_t {name}[{bits} > 8 ? {bits} / 8 : 1][256] = {{"]
    for index, row in enumerate(rows):
        lines += [f"#if {bits} > 8"] if index == 1 else []
        lines.append("{" + ", ".join(f"{value:#010x}u" for value in row) + "},")
    return [*lines, "#endif", "};"]


def main(kind, *paths):
    if kind == "crc":
        lines = [MADE]
        lines += crc("crc32table_be", "CRC_BE_BITS", big,
                     lambda row, value: row[value >> 24] ^ value << 8 & 0xFFFFFFFF)
        lines += crc("crc32ctable_le", "CRC_LE_BITS", little,
                     lambda row, value: row[value & 255] ^ value >> 8)
    else:
        lines = errors(kind, paths[0])
    with open(paths[-1], "w", encoding="utf-8") as handle:
        handle.write("\n".join(lines) + "\n")


main(*sys.argv[1:])
