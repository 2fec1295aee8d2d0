# SPDX-License-Identifier: BSD-2-Clause
"""Adds function, file and line to the addresses that a panic prints."""
import re
import shutil
import subprocess

from . import common

ADDRESS = re.compile(r"^(?:\[[ 0-9.]+\] )?\s*(at|pc|elr|lr)\s+(0x[0-9a-f]{8,16})\b", re.I)
BUILD_ID = re.compile(r"\bbuild id:? ([0-9a-f]{8,64})\b", re.I)


def _quiet(argv):
    try:
        return subprocess.run(argv, text=True, errors="replace", timeout=20,
                              stdin=subprocess.DEVNULL, capture_output=True).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def build_id(elf):
    """The GNU build id of an ELF file as hex digits, or None."""
    found = re.search(r"Build ID:\s*([0-9a-f]+)", _quiet(["readelf", "-n", str(elf)]))
    return found.group(1) if found else None


def lookup(elf, address):
    """`function at file:line` for an address, and for an inlined one the function it is in; None
    when the file knows nothing of it."""
    tool = next((name for name in ("aarch64-linux-gnu-addr2line", "addr2line", "llvm-symbolizer")
                 if shutil.which(name)), None)
    if not tool:
        return None
    options = [f"--obj={elf}"] if tool == "llvm-symbolizer" else ["-i", "-f", "-e", str(elf)]
    # A build beside this run may be replacing the file at this moment: ask once more.
    lines = (_quiet([tool, *options, hex(address)]) or
             _quiet([tool, *options, hex(address)])).splitlines()
    places = []
    for function, place in zip(lines[::2], lines[1::2]):
        if function.startswith("??"):
            break
        place = re.sub(r" \(discriminator \d+\)", "", place.strip())
        # llvm-symbolizer adds a column.
        found = re.fullmatch(r"(.+?):(\d+)(?::\d+)?", place)
        known = found and "?" not in found[1]
        places.append(f"{function} at {common.relative(found[1])}:{found[2]}" if known
                      else function)
    return ", in ".join(places) or None


class Annotator:
    """Passes a stream of bytes on; a line with a code address gets its place in the source.

    Addresses are trusted only when the image that runs is the ELF file on disk: the panic names its
    build id. Addresses that come before the id are listed after it.
    """

    def __init__(self, elf):
        self.elf = elf if elf and elf.exists() else None
        self._own = None
        self._matches = None
        self._waiting = []
        self._line = b""

    def feed(self, data):
        if not self.elf:
            return data
        out = bytearray()
        for piece in data.splitlines(keepends=True):
            self._line += piece
            if not piece.endswith(b"\n"):
                out += piece
                continue
            end = len(piece.rstrip(b"\r\n"))
            out += piece[:end] + self._remark(self._line).encode() + piece[end:]
            self._line = b""
        return bytes(out)

    def _remark(self, line):
        text = line.decode("utf-8", "replace").rstrip()
        named = BUILD_ID.search(text)
        if named:
            if self._own is None:
                self._own = build_id(self.elf) or ""
            told = named.group(1).lower()
            self._matches = bool(self._own) and self._own.startswith(told)
            waiting, self._waiting = self._waiting, []
            if not self._matches:
                return "  (not the build id of " + common.relative(self.elf) + ")"
            return "".join("\r\n  " + line for line in map(self._explain, waiting) if line)
        address = ADDRESS.match(text)
        if not address:
            return ""
        is_return, value = address.group(1).lower() in ("at", "lr"), int(address.group(2), 16)
        if self._matches is None:
            self._waiting.append((value, is_return))
            return ""
        found = self._explain((value, is_return)) if self._matches else None
        return "  " + found.split("  ", 1)[1] if found else ""

    def _explain(self, entry):
        value, is_return = entry
        # A return address belongs to the call before it.
        found = lookup(self.elf, value - 1 if is_return else value)
        return f"{value:#018x}  {found}" if found else None
