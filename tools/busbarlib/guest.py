# SPDX-License-Identifier: BSD-2-Clause
"""A machine with its console and QEMU's monitor, for tests that plug, type and look.

    with Guest(run.Machine("raspi3b", usb=[usb.plug("hub")])) as guest:
        guest.monitor.device_add("usb-kbd", "kbd", port="1.1")
        guest.expect("keyboard")
        guest.monitor.type("usb\\n")
        print(guest.ask("devices"))
        guest.monitor.device_del("kbd")
"""
import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from . import BusbarError, run, symbols
from .expect import Dialogue, Program, describe
from .qmp import Qmp, QmpError


class Guest:
    """A machine with its console and its monitor; built when no image is given. `seen` is all that
    the console said, for a test that failed."""

    def __init__(self, machine, image=None, extra=(), timeout=120):
        machine = replace(machine, extra=[*machine.extra, *extra])
        self._prepared = prepared = run.prepare(machine, image or run.make(machine), True)
        self._folder = tempfile.TemporaryDirectory(prefix="busbar")
        path = Path(self._folder.name) / "qmp"
        self._annotator = symbols.Annotator(prepared.elf)
        self._output = bytearray()
        self._program = None
        self.monitor = None
        self.forwards = prepared.forwards
        try:
            self._program = Program([*prepared.argv, *Qmp.arguments(path)], prepared.on_pty)
            self._dialogue = Dialogue(self._program, timeout, output=lambda data:
                                      self._output.extend(self._annotator.feed(data)))
            self.monitor = self._connect(path)
        except BaseException:
            self.close()
            raise

    def _connect(self, path):
        try:
            return Qmp(path)
        except QmpError as error:
            self._dialogue.listen(1)
            status = describe(self._program.status(1))
            raise QmpError(f"{error}; QEMU {status}: {self.seen.strip()}") from None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.monitor:
            self.monitor.close()
        if self._program:
            self._program.close()
        self._folder.cleanup()

    @property
    def seen(self):
        return self._output.decode("utf-8", "replace").replace("\r\n", "\n")

    def _extend(self, limit):
        self._dialogue.timeout = limit
        self._dialogue.deadline = time.monotonic() + limit

    def play(self, *steps, limit=60, status=None):
        """Steps as of a boot test, ("send", text) and ("expect", regex); raises what failed. With
        `status` the machine must then end with it."""
        self._extend(limit)
        outcome = self._dialogue.play(list(steps), status)
        if outcome.failure:
            raise BusbarError(outcome.failure)

    def send(self, text, limit=60):
        """Type a line at the prompt and wait for the next prompt."""
        self.play(("send", text), limit=limit)

    def begin(self, text):
        """Type a line and do not wait for its answer: the next send does. At the prompt, please."""
        self._dialogue.type(text)

    def write(self, data):
        """Bytes to the console, whatever it shows."""
        self._program.write(data)

    def expect(self, pattern, limit=60):
        """Wait until this appears in what came since the last send."""
        self.play(("expect", pattern), limit=limit)

    def ask(self, text, limit=60):
        """What the program answers to a line, without the prompt."""
        self.send(text, limit)
        answer = self._dialogue.transcript.search(re.compile(r"(?s)\A.*\Z"), True)
        lines = answer[0].split("\n") if answer else []
        while lines and lines[-1].startswith(self._dialogue.transcript.prompt):
            lines.pop()
        return "\n".join(lines)

    def hear(self, seconds):
        """Listen to the console for this long, so that what it says is taken while a test waits."""
        self._extend(seconds + 1)
        self._dialogue.listen(seconds)
