#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""`tools/busbar run` as a user types it: exit statuses, the transcript, symbols in a panic.

    python3 tests/boot/command.py
"""
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib.checks import Checks  # noqa: E402

BUSBAR = str(ROOT / "tools/busbar")
LIMIT = 300  # seconds; the first run of each builds
check = Checks()


def busbar(*words, typed=""):
    """(status, stdout, stderr)"""
    done = subprocess.run([BUSBAR, *words], text=True, errors="replace", timeout=LIMIT,
                          input=typed, capture_output=True)
    return done.returncode, done.stdout, done.stderr


def on_a_terminal():
    """Types at a terminal: uptime, then Ctrl-A x. (exit status, output, terminal as before)"""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(BUSBAR, [BUSBAR, "run", "virt-arm64"])
    before = termios.tcgetattr(terminal)
    output, typed, end = b"", [b"uptime\r", b"\x01x"], time.monotonic() + LIMIT
    while time.monotonic() < end:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 4096)
        except OSError:
            break
        if not data:
            break
        output += data
        if typed and output.endswith(b"busbar> "):
            os.write(terminal, typed.pop(0))
    after = termios.tcgetattr(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), output.decode("utf-8", "replace"), before == after


def main():
    heard = busbar("run", "raspi3b", "--send", "devices", "--expect", "pl011", "--send", "mailbox",
                   "--expect", "a02082", "--timeout", "60")
    check("what is expected appears: 0", heard[0] == 0, *heard)
    check("and the whole answer is shown", "temperature" in heard[1], *heard)

    heard = busbar("run", "virt-arm64", "--send", "uptime", "--expect", "no such text", "--timeout",
                   "3")
    last = heard[2].strip().splitlines()[-1]
    check("what is expected is missing: 1", heard[0] == 1, *heard)
    check("and the last line names it", "no such text" in last, *heard)
    check("and the transcript is there", re.search(r"up \d+\.\d+ s", heard[1]), *heard)

    heard = busbar("run", "host", "--app", "hello")
    check("a process runs to its end", heard[0] == 0 and "hello from" in heard[1], *heard)

    heard = busbar("run", "virt-arm64", "--app", "tests/apps/fault", "--build", "debug",
                   "--append", "fault=null", "--expect", r"^  at 0x\w+$", "--timeout", "20")
    check("a panic has functions and lines",
          re.search(r"^elr 0x\w+  .*bb_test_scribble at tests/apps/fault/main\.c:\d+$",
                    heard[1].replace("\r", ""), re.MULTILINE), *heard)
    last = heard[2].strip().splitlines()[-1]
    check("and is a failure that is told", heard[0] == 1 and "panic: write" in last, *heard)

    heard = busbar("run", "virt-arm64", typed="uptime\ndate\n")
    check("a script on stdin is typed and answered", heard[0] == 0
          and re.search(r"up \d.*20\d\d-\d\d-\d\d", heard[1], re.DOTALL), *heard)

    heard = busbar("run", "host", typed="gr\u00fc\u00dfe\nhelp " + 600 * "x" + "\nuptime\n")
    check("what is typed is UTF-8", "\ngr\u00fc\u00dfe: no such command" in heard[1], *heard)
    check("and a line that has no room is refused", "\nnot run: " in heard[1]
          and "help: " not in heard[1] and re.search(r"up \d", heard[1]), *heard)

    for platform in ("host", "virt-arm64"):
        began = time.monotonic()
        heard = busbar("run", platform, "--timeout", "40")
        check(f"nothing on stdin ends {platform} at its prompt",
              heard[0] == 0 and time.monotonic() - began < 30, *heard)

    heard = busbar("run", "raspi3b", "--app", str(ROOT / "tests/apps/fault"), "--append",
                   "fault=exit")
    check("what bb_main returns is the exit status", heard[0] == 3, *heard)

    status, output, restored = on_a_terminal()
    check("Ctrl-A x leaves", status == 0 and "up " in output, output)
    check("and the terminal is as it was", restored, output)
    return check.status()


if __name__ == "__main__":
    sys.exit(main())
