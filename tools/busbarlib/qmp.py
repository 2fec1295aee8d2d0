# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's monitor: plug and unplug, keys and a pointer, a picture of the screen. It speaks QMP (QEMU,
docs/interop/qmp-spec.txt) on a unix socket. guest.py has a machine with one."""
import json
import socket
import time

from . import BusbarError

LIMIT = 20  # seconds for an answer or an event
LINE = 1 << 20  # bytes of the longest answer

# QEMU's names of the keys of a US keyboard, for what they type without and with shift.
_PLAIN = {" ": "spc", "\n": "ret", "\t": "tab", "\b": "backspace", "\x1b": "esc", "-": "minus",
          "=": "equal", "[": "bracket_left", "]": "bracket_right", "\\": "backslash",
          ";": "semicolon", "'": "apostrophe", "`": "grave_accent", ",": "comma", ".": "dot",
          "/": "slash", **{char: char for char in "abcdefghijklmnopqrstuvwxyz0123456789"}}
_SHIFTED = dict(zip('_+{}|:"~<>?ABCDEFGHIJKLMNOPQRSTUVWXYZ)!@#$%^&*(',
                    "-=[]\\;'`,./abcdefghijklmnopqrstuvwxyz0123456789"))


def keys_of(char):
    """The keys that type a character, as QEMU calls them: ("shift", "a")."""
    if char in _PLAIN:
        return (_PLAIN[char],)
    if char in _SHIFTED:
        return "shift", _PLAIN[_SHIFTED[char]]
    raise BusbarError(f"no key of a US keyboard types {char!r}")


class QmpError(BusbarError):
    """What QEMU refused, or did not answer in time."""


class Qmp:
    """A connection to a QEMU that was started with `arguments(path)`."""

    @staticmethod
    def arguments(path):
        return ["-qmp", f"unix:{path},server=on,wait=off"]

    def __init__(self, path, limit=LIMIT):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._pending = b""
        self._events = []
        self._limit = limit
        try:
            self._connect(str(path), time.monotonic() + limit)
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, path, end):
        while True:
            try:
                self._socket.connect(path)
                break
            except OSError as error:  # QEMU has not made it yet
                if time.monotonic() > end:
                    raise QmpError(f"{path}: {error.strerror}: no QEMU listens") from None
                time.sleep(0.02)
        if "QMP" not in self._message(end):
            raise QmpError(f"{path}: what listens is no QEMU")
        self.execute("qmp_capabilities")

    def close(self):
        self._socket.close()

    def _message(self, end):
        """The next object that QEMU sends, an answer or an event."""
        while b"\n" not in self._pending:
            left = end - time.monotonic()
            if left <= 0:
                raise QmpError("QEMU's monitor did not answer in time")
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError as error:
                raise QmpError(f"QEMU's monitor: {error.strerror}") from None
            if not data or len(self._pending) > LINE:
                raise QmpError("QEMU closed its monitor")
            self._pending += data
        line, _, self._pending = self._pending.partition(b"\n")
        return json.loads(line)

    def execute(self, command, **arguments):
        """A command's return value. Names with a hyphen are given as **{"node-name": ...}."""
        text = json.dumps({"execute": command, "arguments": arguments})
        end = time.monotonic() + self._limit
        try:
            self._socket.settimeout(self._limit)
            self._socket.sendall(text.encode() + b"\n")
        except OSError as error:
            raise QmpError(f"{command}: QEMU's monitor: {error}") from None
        while True:
            message = self._message(end)
            if "event" in message:
                self._events.append(message)
            elif "error" in message:
                raise QmpError(f"{command}: {message['error']['desc']}")
            elif "return" in message:
                return message["return"]

    def wait(self, event, limit=None, **data):
        """The data of the next event of that name whose data holds these values; what came since it
        was last asked for counts."""
        end = time.monotonic() + (limit or self._limit)
        while True:
            for index, message in enumerate(self._events):
                about = message.get("data", {})
                if message["event"] == event and data.items() <= about.items():
                    del self._events[index]
                    return about
            message = self._message(end)
            if "event" in message:
                self._events.append(message)

    def forget(self):
        """Drop the events that nobody waited for."""
        self._events.clear()

    def device_add(self, driver, name, **properties):
        """Plug: device_add("usb-kbd", "kbd", port="1.2")."""
        self.execute("device_add", driver=driver, id=name, **properties)

    def device_del(self, name):
        """Unplug, and wait until QEMU let it go. It does not while a core of the guest spins."""
        self._events = [each for each in self._events if each["event"] != "DEVICE_DELETED"]
        self.execute("device_del", id=name)
        self.wait("DEVICE_DELETED", device=name)

    def blockdev_add(self, name, path, read_only=False):
        """A file as a disk, drive=NAME of usb-storage, that stays when the device goes."""
        self.execute("blockdev-add", driver="raw", **{
            "node-name": name, "read-only": read_only,
            "file": {"driver": "file", "filename": str(path)}})

    def blockdev_del(self, name):
        self.execute("blockdev-del", **{"node-name": name})

    def chardev_add(self, name, path):
        """A unix socket at `path`, to which a test connects, as a serial line: chardev=NAME."""
        address = {"type": "unix", "data": {"path": str(path)}}
        self.execute("chardev-add", id=name, backend={
            "type": "socket", "data": {"addr": address, "server": True, "wait": False}})

    def chardev_remove(self, name):
        self.execute("chardev-remove", id=name)

    def netdev_add(self, name, kind="user", **properties):
        self.execute("netdev_add", type=kind, id=name, **properties)

    def netdev_del(self, name):
        self.execute("netdev_del", id=name)

    def _input(self, *events):
        self.execute("input-send-event", events=list(events))

    def key(self, name, down):
        """One key goes down or up; `name` as QEMU calls it: "a", "ret", "shift"."""
        self._input({"type": "key", "data": {"down": down,
                                             "key": {"type": "qcode", "data": name}}})

    def press(self, *names, hold=0.03):
        """Keys go down in this order and, `hold` seconds later, up in the other."""
        for name in names:
            self.key(name, True)
        time.sleep(hold)
        for name in reversed(names):
            self.key(name, False)
        time.sleep(hold)

    def type(self, text, hold=0.03):
        """What a US keyboard types; a keyboard that is asked every 8 ms sees each key."""
        for char in text:
            self.press(*keys_of(char), hold=hold)

    def move(self, x, y, absolute=False):
        """A mouse moves by (x, y); a tablet to there, from 0 to 32767."""
        kind = "abs" if absolute else "rel"
        self._input(*({"type": kind, "data": {"axis": axis, "value": value}}
                      for axis, value in (("x", x), ("y", y))))

    def button(self, name, down):
        """A mouse's button: "left", "middle", "right", "wheel-up", "wheel-down"."""
        self._input({"type": "btn", "data": {"button": name, "down": down}})

    def screendump(self, path):
        """The screen as a PNG."""
        self.execute("screendump", filename=str(path), format="png")

    def reset(self):
        self.execute("system_reset")
