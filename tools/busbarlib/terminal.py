# SPDX-License-Identifier: BSD-2-Clause
"""Between the user and a guest: a terminal in raw mode, or a script on stdin."""
import os
import select
import sys
import termios
import time
import tty

from .expect import QUIET, Transcript

LEAVE = 0x01  # Ctrl-A, then x


class RawTerminal:
    """The terminal in raw mode; as it was when the block ends, however it ends."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def __enter__(self):
        self.before = termios.tcgetattr(self.descriptor)
        tty.setraw(self.descriptor)
        return self

    def __exit__(self, *_):
        termios.tcsetattr(self.descriptor, termios.TCSADRAIN, self.before)


class Keys:
    """Splits typed bytes into those for the guest and the wish to leave (Ctrl-A x)."""

    def __init__(self):
        self._escaped = False

    def feed(self, data):
        """(bytes for the guest, True to leave). Ctrl-A twice sends one Ctrl-A."""
        out = bytearray()
        for byte in data:
            if self._escaped:
                self._escaped = False
                if byte in b"xX":
                    return bytes(out), True
                if byte == LEAVE:
                    out.append(byte)
                else:
                    out += bytes((LEAVE, byte))
            elif byte == LEAVE:
                self._escaped = True
            else:
                out.append(byte)
        return bytes(out), False


def write_all(data):
    """Write to stdout even where it is a terminal or pipe that takes little at a time."""
    while data:
        try:
            data = data[os.write(1, data):]
        except BlockingIOError:
            select.select([], [1], [])


def pump_terminal(program, annotator, timeout):
    """Move bytes between the user's terminal and the guest; why it ended: end, leave or time."""
    keys = Keys()
    deadline = time.monotonic() + timeout if timeout else None
    while True:
        left = 3600.0 if deadline is None else deadline - time.monotonic()
        if left <= 0:
            return "time"
        data = program.read(left, 0)
        if data is None:
            return "end"
        if data:
            write_all(annotator.feed(data))
        if select.select([0], [], [], 0)[0]:
            typed, leave = keys.feed(os.read(0, 4096))
            if leave:
                return "leave"
            program.write(typed)


class Script:
    """The lines on a stdin that is no terminal."""

    def __init__(self):
        self.open = sys.stdin is not None
        self._pending = b""

    def poll(self):
        if self.open and select.select([0], [], [], 0)[0]:
            data = os.read(0, 4096)
            self._pending += data
            self.open = bool(data)

    def line(self):
        """The next line without its end, None when there is none (yet)."""
        line, end, rest = self._pending.partition(b"\n")
        if not end and (self.open or not line):
            return None
        self._pending = rest
        return line.rstrip(b"\r")


def pump_script(program, annotator, timeout):
    """Type the lines on stdin, each at the prompt; ends as pump_terminal() does, and once the last
    line is answered: with no line at the first prompt. A guest that has no prompt gets its line when
    it is silent."""
    transcript, script = Transcript(), Script()
    heard, typed, deadline = time.monotonic(), 0, time.monotonic() + timeout
    prompts = False  # then silence is a command at work
    while time.monotonic() < deadline:
        data = program.read(0.2)
        if data is None:
            return "end"
        if data:
            write_all(annotator.feed(data))
            transcript.feed(data)
            heard = time.monotonic()
        script.poll()
        prompts = prompts or transcript.at_prompt()
        quiet = not prompts and transcript.raw and time.monotonic() - heard > QUIET
        if not quiet and not transcript.at_prompt():
            continue
        line = script.line()
        if line is not None:
            transcript.sent(line.decode("utf-8", "replace"))
            program.write(line + b"\r")
            heard, typed = time.monotonic(), typed + 1
        elif not script.open and (typed or transcript.at_prompt()):
            return "leave"
    return "time"
