#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""With one driver of a class linked, a call of the public API compiles to what hand-written code
does: the same direct branch, or, where the compiler inlined the driver, the instructions that the
same work by hand makes. Disassembles release builds of tests/bench/bound_calls/ by gcc and clang.

    python3 tests/bench/bound_calls.py
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import build  # noqa: E402

# Platform, class, and the driver's function that a direct branch must go to.
CASES = [("virt-arm64", "rtc", "pl031_get_time"), ("raspi3b", "mailbox", "bcm2835_call"),
         # With no second console, such as virtio's.
         (str(ROOT / "tests/bench/basic"), "console", "pl011_write")]
APP = ROOT / "tests/bench/bound_calls"
LINE = re.compile(r"^\s*[0-9a-f]+:\s+[0-9a-f]{8}\s+(\S+)\s*(.*)$")
REGISTER = re.compile(r"\b[wx](?:\d+|zr)\b")


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


def branch(body):
    """The function that this one does nothing but branch to, or None."""
    body = [line for line in body if line[0] != "nop"]
    found = re.search(r"<([\w.]+)>$", body[0][1]) if [op for op, _ in body] == ["b"] else None
    return found and found[1]


def normal(body):
    """The instructions without what two compilations of the same work may differ in: the numbers
    of registers, offsets in memory and targets."""
    def operand(op, text):
        text = re.sub(r"\s*//.*", "", text)
        if re.match(r"(b|bl|cb?n?z|tb?n?z|b\..*)$", op):
            return re.sub(r"[0-9a-f]+ <.*", "", REGISTER.sub("r", text))
        return re.sub(r"(\[[^],]*), #\d+\]", r"\1, #]", REGISTER.sub("r", text)).replace(
            "[r]", "[r, #]")
    return [(op, operand(op, text)) for op, text in body if op != "nop"]


def text(body):
    return "; ".join(" ".join(line).strip() for line in body)


def body_of(table, name):
    """What a function does; where clang shares it with others of the same end, that."""
    body = table.get(name)
    target = body and branch(body)
    return table[target] if target and target.startswith("OUTLINED_FUNCTION") else body


def judge(table, name, driver):
    """(well, what it is) of one class."""
    call, hand, inline = (body_of(table, f"{kind}_{name}") for kind in ("call", "hand", "inline"))
    target = branch(call)
    if target:
        well = target.split(".")[0] == driver
        by_hand = (branch(hand) or "").split(".")[0] == f"direct_{name}"
        return well and by_hand, f"a branch to {target}, by hand: {text(hand)}"
    if inline is None:
        return False, f"inlined, and main.c has no inline_{name} to compare with: {text(call)}"
    if normal(call) != normal(inline):
        return False, f"{text(call)}\n     by hand: {text(inline)}"
    return True, f"inlined, the {len(normal(call))} instructions of the same work by hand"


def main():
    wrong = 0
    for compiler in build.COMPILERS:
        for platform, name, driver in CASES:
            image = build.build(platform, str(APP), "release", compiler)
            well, what = judge(functions(build.elf_of(image)), name, driver)
            wrong += not well
            print(f"{'ok  ' if well else 'FAIL'} {compiler:6} {Path(platform).name:11} {name:8} {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
