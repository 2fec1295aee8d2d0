#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""USB on the Pi: a hub with keyboard, stick, serial line and network at once, plugged in while the
monitor runs. Each is used for real, then taken out in the middle of its work, and put back.

    python3 tests/boot/usb.py
"""
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import BusbarError, run, usb  # noqa: E402
from busbarlib.checks import Checks  # noqa: E402
from busbarlib.guest import Guest  # noqa: E402

SKIP = 77
LIMIT = 30  # seconds for what takes a guest a moment
ROUNDS = 3
os.environ["PATH"] += ":/usr/sbin:/sbin"
os.environ["MTOOLS_SKIP_CHECK"] = "1"
check = Checks()


def make_stick(path, size=16 << 20):
    """A FAT without partitions, with a text and 1 MiB of numbers."""
    with open(path, "wb") as handle:
        handle.truncate(size)
    folder = path.parent
    (folder / "hello.txt").write_text("hello from the stick\n", encoding="utf-8")
    (folder / "large.bin").write_bytes(os.urandom(1 << 20))
    subprocess.run(["mformat", "-i", path, "::"], check=True)
    subprocess.run(["mcopy", "-i", path, folder / "hello.txt", folder / "large.bin", "::/"],
                   check=True)


def until(guest, command, pattern, limit=LIMIT):
    """Asks until the answer has this; the last answer."""
    end = time.monotonic() + limit
    while True:
        answer = guest.ask(command)
        if re.search(pattern, answer) or time.monotonic() > end:
            return answer
        guest.hear(0.2)


class Line:
    """The other end of the serial line. It is read all the time: QEMU waits for who does not."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(path))
        self.seen = b""
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            while data := self.socket.recv(65536):
                self.seen += data
        except OSError:  # closed
            pass

    def ask(self, guest, text, pattern, limit=LIMIT):
        """Types a line, and listens until the answer comes."""
        before, end = len(self.seen), time.monotonic() + limit
        self.socket.sendall(text.encode() + b"\r")
        while time.monotonic() < end:
            guest.hear(0.05)
            said = self.seen[before:].decode("utf-8", "replace")
            if re.search(pattern, said):
                break
        return said

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


class Desk:
    """What is plugged into the hub's ports 1 to 4."""

    def __init__(self, guest, folder):
        self.guest, self.folder = guest, folder
        self.stick, self.line_path = folder / "stick.img", folder / "line"
        guest.monitor.blockdev_add("file", self.stick)
        guest.monitor.chardev_add("line", self.line_path)
        guest.monitor.netdev_add("net")
        self.line = None
        self.copies = 0

    def plug(self, what):
        monitor = self.guest.monitor
        if what == "keyboard":
            monitor.device_add("usb-kbd", what, port="1.1")
        elif what == "stick":
            monitor.device_add("usb-storage", what, port="1.2", drive="file")
        elif what == "serial":
            monitor.device_add("usb-serial", what, port="1.3", chardev="line",
                               **{"always-plugged": True})
            self.line = Line(self.line_path)
        else:
            monitor.device_add("usb-net", what, port="1.4", netdev="net",
                               mac="52:54:00:12:34:56")

    def unplug(self, what):
        self.guest.monitor.device_del(what)
        if what == "serial":
            self.line.close()

    def use(self, what):
        check(f"{what} is there", getattr(self, f"has_{what}")(), self.guest.seen[-3000:])
        check(f"{what} is used", getattr(self, f"use_{what}")(), self.guest.seen[-3000:])

    def goes_on(self, what, without):
        """The same for what was there all the time, without a megabyte."""
        used = getattr(self, "read_stick" if what == "stick" else f"use_{what}")()
        check(f"{what} is used while {without} is out", used, self.guest.seen[-3000:])

    def listed(self, driver):
        return driver in until(self.guest, "usb", re.escape(driver))

    def has_keyboard(self):
        return self.listed("input/usb_keyboard")

    def has_stick(self):
        return self.listed("block/usb_storage")

    def has_serial(self):
        return self.listed("console/usb_serial")

    def has_net(self):
        return self.listed("net/usb_cdc_ecm")

    def use_keyboard(self):
        before = len(self.guest.seen)
        self.guest.monitor.type("uptime\n")
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            self.guest.hear(0.2)
            if re.search(r"\nup [0-9.]+ s\n", self.guest.seen[before:]):
                return True
        return False

    def mount(self):
        if "disk0" in self.guest.ask("mount"):
            self.guest.ask("umount disk0")
        self.guest.ask("mount disk0")

    def read_stick(self):
        self.mount()
        said = self.guest.ask("cat disk0:/hello.txt")
        self.guest.ask("umount disk0")
        return "hello from the stick" in said

    def use_stick(self):
        """It writes under another name each time, so that no file of before can pass for it."""
        guest = self.guest
        self.copies += 1
        name, last = f"copy{self.copies}.bin", f"copy{self.copies - 1}.bin"
        self.mount()
        if self.copies > 1:
            guest.ask(f"rm disk0:/{last}")
        said = guest.ask("cat disk0:/hello.txt")
        guest.ask(f"cp disk0:/large.bin disk0:/{name}", LIMIT)
        guest.ask("umount disk0")
        copy = self.folder / name
        subprocess.run(["mcopy", "-i", self.stick, f"::/{name}", copy], check=False)
        names = subprocess.run(["mdir", "-b", "-i", self.stick, "::/"], capture_output=True,
                               text=True, check=False).stdout
        return "hello from the stick" in said and last not in names and copy.exists() and \
            copy.read_bytes() == (self.folder / "large.bin").read_bytes()

    def use_serial(self):
        # What the log says meanwhile, of the network's address, may stand in between.
        return re.search(r"(?s)uptime.*\bup [0-9.]+ s",
                         self.line.ask(self.guest, "uptime", r"up [0-9.]+ s\r\n"))

    def use_net(self):
        if not re.search(r"10\.0\.2\.15", self.guest.ask("net")):
            self.guest.ask("net dhcp", LIMIT)
        return "56 bytes from 10.0.2.2" in self.guest.ask("net ping 10.0.2.2", LIMIT)


THINGS = ("keyboard", "stick", "serial", "net")


def all_at_once(guest, folder):
    desk = Desk(guest, folder)
    guest.expect("lists the commands")
    for what in THINGS:
        desk.plug(what)
    for what in THINGS:
        desk.use(what)
    for what in THINGS * ROUNDS:
        desk.unplug(what)
        others = [each for each in THINGS if each != what]
        answer = until(guest, "usb", r"\b3 of|\b4 of \d+ slots")
        check(f"{what} was taken out; the others stay", answer.count("QEMU") >= 4, answer)
        for each in others:
            desk.goes_on(each, what)
        desk.plug(what)
        desk.use(what)
    answer = until(guest, "usb", r"\b5 of \d+ slots")
    check("no slot is lost", re.search(r"\b5 of \d+ slots", answer), answer)


def in_the_middle(guest, folder):
    """A stick goes while a file is copied from it, and while one is written to it."""
    desk = Desk(guest, folder)
    guest.expect("lists the commands")
    for command in ("cp disk0:/large.bin disk0:/away.bin", "ls disk0:/", "cat disk0:/large.bin"):
        make_stick(desk.stick)
        desk.plug("stick")
        check("the stick is there", desk.has_stick(), guest.seen[-3000:])
        guest.ask("mount disk0")
        guest.begin(command)
        time.sleep(0.05)
        desk.unplug("stick")
        answer = guest.ask("", LIMIT)
        check(f"{command}: the program goes on", "panic" not in guest.seen, answer)
        answer = until(guest, "mount", r"disk0 +gone: its disk was pulled out")
        check("mount says that it is gone", "gone: its disk" in answer, answer)
        check("and so does the log", "disk0: its disk was pulled out" in guest.seen,
              guest.seen[-3000:])
        answer = guest.ask("umount disk0")
        check("unmounting it is done", "no such device" not in answer, answer)
        check("nothing is mounted any more", "disk0" not in guest.ask("mount"), guest.seen[-3000:])
        answer = until(guest, "block", r"^(?![\s\S]*disk0)")
        check("and there is no disk", "disk0" not in answer, answer)
    make_stick(desk.stick)
    desk.plug("stick")
    desk.use("stick")
    answer = until(guest, "usb", r"\b2 of \d+ slots")
    check("no slot is lost", re.search(r"\b2 of \d+ slots", answer), answer)


def main():
    if not shutil.which("mformat"):
        print("no mtools here")
        return SKIP
    machine = run.Machine("raspi3b", usb=[usb.plug("hub")])
    image = run.make(machine)
    for test in (all_at_once, in_the_middle):
        with tempfile.TemporaryDirectory(prefix="busbar") as folder:
            make_stick(Path(folder) / "stick.img")
            try:
                with Guest(machine, image) as guest:
                    try:
                        test(guest, Path(folder))
                        guest.play(("send", "poweroff"), status=0)
                    except BusbarError as error:
                        check(test.__name__, False, error, guest.seen[-4000:])
            except BusbarError as error:
                check(test.__name__, False, error)
    return check.status()


if __name__ == "__main__":
    sys.exit(main())
