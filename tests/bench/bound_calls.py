#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""With one driver of a class linked, a call of the public API compiles to what hand-written code
does: the same direct branch, or the driver's body inlined. Disassembles release builds of
tests/bench/bound_calls/ by gcc and clang.

    python3 tests/bench/bound_calls.py
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import build  # noqa: E402

CASES = [("virt-arm64", "rtc"), ("virt-arm64", "console"), ("raspi3b", "mailbox")]
LINE = re.compile(r"^\s*[0-9a-f]+:\s+[0-9a-f]{8}\s+(\S+)\s*(.*)$")
INDIRECT = {"blr", "br", "blraa", "braa"}


def functions(elf):
    """{name: [(mnemonic, operands)]} of the whole image."""
    out = subprocess.run(["aarch64-linux-gnu-objdump", "-d", str(elf)], capture_output=True,
                         text=True, check=True).stdout
    table, body = {}, []
    for line in out.splitlines():
        head = re.match(r"^[0-9a-f]+ <([^>]+)>:$", line)
        if head:
            body = table[head[1]] = []
        elif LINE.match(line):
            body.append(LINE.match(line).groups())
    return table


def shape(body):
    """The instructions without what differs between two callees: the target of the branch."""
    return [(op, "" if op in ("b", "bl") else operands) for op, operands in body if op != "nop"]


def judge(table, name):
    """(well, what it is) of one class."""
    call, hand = table[f"call_{name}"], table[f"hand_{name}"]
    ops = [op for op, _ in call]
    if INDIRECT & set(ops):
        return False, "an indirect call: " + "; ".join(" ".join(line) for line in call)
    branches = [operands for op, operands in call if op in ("b", "bl") and "+0x" not in operands]
    if not branches:
        return True, f"inlined, {len(call)} instructions"
    if shape(call) == shape(hand):
        return True, f"direct, {len(shape(call))} instructions as by hand"
    if len(call) > 8:
        return True, f"inlined with its own direct calls, {len(call)} instructions"
    return False, f"{shape(call)} and by hand {shape(hand)}"


def main():
    wrong = 0
    for compiler in build.COMPILERS:
        for platform, name in CASES:
            image = build.build(platform, str(ROOT / "tests/bench/bound_calls"), "release", compiler)
            well, what = judge(functions(build.elf_of(image)), name)
            wrong += not well
            print(f"{'ok  ' if well else 'FAIL'} {compiler:6} {platform:11} {name:8} {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
