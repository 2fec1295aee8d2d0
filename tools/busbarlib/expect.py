# SPDX-License-Identifier: BSD-2-Clause
"""Talk to a program on a serial line: send a text at the prompt, expect a pattern in the answer."""
import codecs
import contextlib
import ctypes
import os
import pty
import re
import select
import signal
import subprocess
import termios
import threading
import time

from . import BusbarError, common

PROMPT = "busbar> "
QUIET = 1.0  # seconds without output after which a prompt is one, whatever became of the echo

ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]?|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_=>78])?")
MOVES = re.compile(r"[\x00-\x0c\x0e-\x1f]|\r+[^\r]")
CSI_ONE = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])")


def strip_ansi(text):
    return ANSI.sub("", text)


def render(line):
    """What a terminal shows for one line on which a line editor moved the cursor and erased."""
    if not MOVES.search(line):
        return line.rstrip("\r")
    cells, column, at = [], 0, 0
    while at < len(line):
        char = line[at]
        if char == "\x1b":
            csi = CSI_ONE.match(line, at)
            if csi:
                digits, what = csi.groups()
                count = int(digits) if digits.isdigit() else 0
                if what == "K":
                    cells[column:] = []
                elif what == "D":
                    column = max(0, column - (count or 1))
                elif what == "C":
                    column += count or 1
                elif what == "G":
                    column = max(0, count - 1)
            at = max(ANSI.match(line, at).end(), at + 1)
            continue
        if char == "\r":
            column = 0
        elif char == "\b":
            column = max(0, column - 1)
        elif char >= " ":
            cells.extend(" " * (column + 1 - len(cells)))
            cells[column] = char
            column += 1
        at += 1
    return "".join(cells)


class TooSlow(Exception):
    """A regular expression took more time than it had."""


@contextlib.contextmanager
def time_limit(seconds):
    """Ends what runs inside after that long, a regular expression too. Only the main thread hears
    signals; elsewhere (the tests' own patterns) there is no limit."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def expired(_signum, _frame):
        raise TooSlow
    before = signal.signal(signal.SIGALRM, expired)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.01))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Transcript:
    """All output so far, and which part of it answers the last send. Each line is rendered once."""

    def __init__(self, prompt=PROMPT):
        self.prompt = prompt
        self.last_sent = None
        self._pieces = []
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begin()

    def _begin(self):
        self._lines = []  # the whole ones of the answer, without escapes and without the echo
        self._partial = ""
        self._echoed = False
        self._prompted = False

    @property
    def raw(self):
        self._pieces = ["".join(self._pieces)]
        return self._pieces[0]

    def feed(self, data):
        text = self._decoder.decode(data)
        self._pieces.append(text)
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._take(line)

    def _take(self, line):
        shown = render(line)
        if self.last_sent is not None and not self._echoed:
            wanted = self.last_sent.rstrip()
            # A log line may come in between: then the editor draws prompt and text once more.
            self._echoed = shown.rstrip() == (self.prompt + wanted).rstrip() or \
                (not self._lines and shown.rstrip() == wanted)
            if self._echoed:
                return
        self._prompted = self._prompted or shown.startswith(self.prompt)
        self._lines.append(strip_ansi(line).rstrip("\r"))

    def sent(self, text):
        """Call when `text` is sent: what comes from here on is its echo and its answer."""
        self._begin()
        self.last_sent = text

    def _last(self, final):
        """The line that is not whole yet, or None while it could still become the echo. `final`
        says that no more output will come, so it is taken for what it is."""
        if self.last_sent is None or self._echoed or final:
            return self._partial
        shown, wanted = render(self._partial), self.last_sent.rstrip()
        if (self.prompt + wanted).startswith(shown) or \
                (not self._lines and wanted.startswith(shown)):
            return None
        return self._partial

    def search(self, pattern, final=False):
        """Match a pattern against the answer, ANSI escapes and carriage returns removed."""
        last = self._last(final)
        if last is None and not self._lines:
            return None
        tail = [] if last is None else [strip_ansi(last).rstrip("\r")]
        return pattern.search("\n".join(self._lines + tail))

    def at_prompt(self, final=False):
        last = self._last(final)
        return self._prompted or (last is not None and render(last).startswith(self.prompt))


def quiet_input(descriptor):
    """Let a terminal pass each key at once and unechoed, as a serial line does. Output processing
    stays: a program that ends lines with a bare newline still starts at the left."""
    mode = termios.tcgetattr(descriptor)
    mode[0] &= ~(termios.ICRNL | termios.IXON)
    mode[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    termios.tcsetattr(descriptor, termios.TCSANOW, mode)


LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def die_with(parent):
    """For a child before it becomes its program: killed when `parent` is, even by SIGKILL."""
    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
    return prepare


class Program:
    """A child process with its terminal; it ends with close(), whatever happened before."""

    _live = set()

    @classmethod
    def close_all(cls):
        """End every program that still runs; for a test run that is interrupted."""
        for program in list(cls._live):
            program.end()

    def __init__(self, argv, on_pty=False, cwd=None):
        argv = [str(word) for word in argv]
        common.show_command(argv)
        self.argv = argv
        self._pending = b""
        self._eof = False
        try:
            if on_pty:
                master, slave = pty.openpty()
                quiet_input(slave)
                try:
                    self.process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave,
                                                    cwd=cwd, start_new_session=True,
                                                    preexec_fn=die_with(os.getpid()))
                except BaseException:
                    os.close(master)
                    raise
                finally:
                    os.close(slave)
                self._out = self._in = master
            else:
                self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, bufsize=0,
                                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                                cwd=cwd, start_new_session=True,
                                                preexec_fn=die_with(os.getpid()))
                self._out = self.process.stdout.fileno()
                self._in = self.process.stdin.fileno()
        except FileNotFoundError:
            raise BusbarError(f"{argv[0]} is not installed or not built; "
                                 "see 'tools/busbar doctor'") from None
        except PermissionError:
            raise BusbarError(f"{argv[0]} is not executable") from None
        os.set_blocking(self._in, False)
        self._on_pty = on_pty
        self._open = True
        Program._live.add(self)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def terminal(self):
        """The file descriptor of the pty, None on pipes."""
        return self._out if self._on_pty else None

    def write(self, data):
        self._pending += data

    def read(self, timeout, also=None):
        """Wait for output; b"" when none came in time or `also` (a descriptor) is readable first,
        None when the program closed its terminal."""
        if self._eof:
            return None
        readers = [self._out] + ([also] if also is not None else [])
        writers = [self._in] if self._pending else []
        readable, writable, _ = select.select(readers, writers, [], max(0, timeout))
        if writable:
            self._flush()
        if self._out not in readable:
            return b""
        try:
            data = os.read(self._out, 65536)
        except BlockingIOError:
            return b""
        except OSError:  # a pty answers EIO when its other end is closed
            data = b""
        if not data:
            self._eof = True
            return None
        return data

    def _flush(self):
        try:
            done = os.write(self._in, self._pending)
            self._pending = self._pending[done:]
        except BlockingIOError:
            pass
        except OSError:  # the program is gone: its output says why
            self._pending = b""

    def status(self, timeout=5):
        """The exit status once the program ended, None when it still runs after `timeout`."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def end(self):
        """End the process; its terminal stays readable."""
        if self.process.poll() is None:
            self.process.terminate()
            if self.status(2) is None:
                self.process.kill()
                self.process.wait()

    def close(self):
        self.end()
        Program._live.discard(self)
        if not self._open:
            return
        self._open = False
        if self._on_pty:
            os.close(self._out)
        else:
            self.process.stdin.close()
            self.process.stdout.close()


class Outcome:
    """How a dialogue ended: `failure` is None or one line, `status` the exit status if it ended."""

    def __init__(self, failure=None, status=None):
        self.failure = failure
        self.status = status


def describe(status):
    if status is None:
        return "closed its terminal but still runs"
    if status < 0:
        return f"was ended by signal {-status}"
    return f"ended with status {status}"


class Dialogue:
    """Plays steps ("send", text) and ("expect", regex) in order within one time limit."""

    def __init__(self, program, timeout, prompt=PROMPT, output=lambda data: None):
        self.program = program
        self.transcript = Transcript(prompt)
        self.output = output
        self.timeout = timeout
        self.deadline = time.monotonic() + timeout
        self.ended = False

    def _until(self, condition, settles=False, most=None):
        """Read until condition(final) holds; False when the program ended, or time ran out (`most`
        seconds). With `settles`, silence too says that no more output will come. The condition is
        asked when there is something new, and rests four times as long as it takes."""
        heard = began = time.monotonic()
        new, settled, rest = True, False, began
        while True:
            now = time.monotonic()
            left = self.deadline - now
            if most is not None:
                left = min(left, began + most - now)
            last = self.ended or left <= 0
            if settles and not settled and now - heard > QUIET:
                new = settled = True
            if last or (new and now >= rest):
                if condition(last or settled):
                    return True
                new, rest = False, time.monotonic() + 4 * (time.monotonic() - now)
            if last:
                return False
            wait = min(left, 0.5, max(rest - now, 0) if new else 0.5)
            data = self.program.read(wait)
            if data is None:
                new = self.ended = True
            elif data:
                heard, new, settled = time.monotonic(), True, False
                self.transcript.feed(data)
                self.output(data)

    def _why(self):
        if self.ended:
            return "the program " + describe(self.program.status()) + " before"
        return f"not within {self.timeout:g} s"

    def _search(self, pattern, final):
        with time_limit(max(self.deadline - time.monotonic(), 1)):
            return self.transcript.search(pattern, final)

    def type(self, text):
        """Type a line now, prompt or not."""
        self.transcript.sent(text)
        self.program.write(text.encode() + b"\r")

    def play(self, steps, exit_status=None):
        """Play the steps; with `exit_status` the program must then end with that status."""
        for kind, text in steps:
            if kind == "send":
                if not self._until(self.transcript.at_prompt, True) or self.ended:
                    prompt = self.transcript.prompt
                    return self._failed(f"send {text!r}: no prompt {prompt!r}: {self._why()}")
                self.type(text)
            else:
                pattern = re.compile(text, re.MULTILINE)
                try:
                    found = self._until(lambda final: self._search(pattern, final))
                except TooSlow:
                    return self._failed(f"expect {text!r}: the pattern takes too long to match; "
                                        "write one that backtracks less")
                if not found:
                    return self._failed(f"expect {text!r}: missing: {self._why()}")
        if exit_status is not None:
            self._until(lambda final: self.ended)
            if not self.ended:
                return self._failed(f"the program did not end within {self.timeout:g} s")
            status = self.program.status()
            if status != exit_status:
                return self._failed(f"the program {describe(status)}, expected {exit_status}")
        elif steps and steps[-1][0] == "send":
            # Nothing is expected of the last command, but its output belongs on the screen.
            self._until(lambda final: self.ended or self.transcript.at_prompt(final), True)
            if not self.ended and not self.transcript.at_prompt(True):
                return self._failed(f"send {steps[-1][1]!r}: no prompt after it: {self._why()}")
        elif any(kind == "send" for kind, _ in steps):
            # The last pattern may stand in the middle of an answer: let the reader see the rest.
            self._until(self.transcript.at_prompt, most=QUIET)
        return Outcome(None, self.program.status() if self.ended else None)

    def listen(self, seconds):
        """Take what the program says for this long, or until it ends."""
        self._until(lambda final: False, most=seconds)

    def _failed(self, text):
        return Outcome(text, self.program.status() if self.ended else None)
