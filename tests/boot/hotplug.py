#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""USB devices come and go on raspi3b: each is used, then pulled, also in the middle of being found
and of being read, and afterwards the bus holds what it held before.

    python3 tests/boot/hotplug.py [CYCLES [SEED]]

A cycle is one device plugged and unplugged; 500 unless told. The seed makes a run repeat, as far as
the guest's and the host's clocks allow.
"""
import random
import re
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import BusbarError, peripherals, run, usb  # noqa: E402
from busbarlib.guest import Guest  # noqa: E402

CYCLES = 500
SLOW = 15  # seconds within which everything comes or goes
# A stick that goes while QEMU reads its file costs the emulated controller one of its channels. So
# the guest gives it time to have read; and a machine that has lost some all the same is replaced.
PAUSE = "dwc2.pause=500"  # microseconds
CHANNELS = 8
MOST_LOST = 3
STICKS = 2
STICK = 4 << 20
MARK = b"a stick that goes and comes back"
# QEMU's model, its port behind the hub in port 1, its properties. A hub comes with what is in it.
DEVICES = {
    "keyboard": ("usb-kbd", "1.1", {}),
    "mouse": ("usb-mouse", "1.2", {}),
    "stick": ("usb-storage", "1.3", {"drive": "file0"}),
    "second": ("usb-storage", "1.4", {"drive": "file1"}),
    "serial": ("usb-serial", "1.5", {"chardev": "line", "always-plugged": True}),
    "net": ("usb-net", "1.6", {"netdev": "network"}),
    "hub": ("usb-hub", "1.7", {}),
    "inner": ("usb-kbd", "1.7.1", {}),
    "deeper": ("usb-mouse", "1.7.2", {}),
}
BEHIND = {"inner": "hub", "deeper": "hub"}


class Failure(Exception):
    """What went wrong, in one line."""


class Traffic:
    """The far ends: what the serial line says is swallowed, datagrams are sent to the guest."""

    def __init__(self, line, port):
        self.heard = 0  # bytes
        self.network = False  # QEMU complains of datagrams, in the middle of a line, to nobody
        self._end = threading.Event()
        self._line, self._port = line, port
        self._threads = [threading.Thread(target=go, daemon=True)
                         for go in (self._hear, self._send)]
        for thread in self._threads:
            thread.start()

    def _hear(self):
        while not self._end.is_set():
            with socket.socket(socket.AF_UNIX) as line:
                line.settimeout(0.5)
                try:
                    line.connect(str(self._line))
                    while not self._end.is_set():
                        try:
                            data = line.recv(4096)
                        except TimeoutError:
                            continue
                        if not data:
                            break
                        self.heard += len(data)
                except OSError:
                    time.sleep(0.2)

    def _send(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while not self._end.wait(0.02):
                if not self.network:
                    continue
                try:
                    sender.sendto(bytes(500), ("127.0.0.1", self._port))
                except OSError:
                    pass

    def end(self):
        self._end.set()
        for thread in self._threads:
            thread.join(5)


class Soak:
    def __init__(self, guest, chance, traffic):
        self.guest, self.chance, self.traffic = guest, chance, traffic
        self.monitor = guest.monitor
        self.plugged = []
        self.cycles = 0
        self.base = {}

    # What the guest says.

    def store(self):
        for _ in range(5):  # a message may stand in the middle of a line
            answer = self.guest.ask("store usb", limit=SLOW)
            found = re.findall(r"^usb@\S+?\.(\w+) +(\d+)", answer, re.MULTILINE)
            values = {name: int(value) for name, value in found}
            if {"slots", "plugged", "unplugged", "lost"} <= set(values):
                return values
        raise Failure(f"the store does not tell the slots: {answer}")

    def value(self, name):
        """One of them, in one line: the screen scrolls slowly."""
        for _ in range(5):
            answer = self.guest.ask(f"store usb@7e980000.{name}", limit=SLOW)
            found = re.search(rf"\.{name} +(\d+)", answer)
            if found:
                return int(found[1])
        raise Failure(f"no {name} in the store: {answer}")

    def devices(self):
        """The lines of `devices` below the controller."""
        answer = self.guest.ask("devices", limit=SLOW)
        found = re.search(r"^( +)usb@7e980000 .*\n((?:\1 .*\n)*)", answer, re.MULTILINE)
        if not found:
            raise Failure(f"no controller: {answer}")
        return found[2]

    def levels(self):
        """All that must be the same before and after."""
        arena = re.search(r"arena: (\d+) of", self.guest.ask("memory", limit=SLOW))
        return {"slots": self.value("slots"), "arena": int(arena[1]), "devices": self.devices(),
                "disks": self.guest.ask("block", limit=SLOW)}

    def until(self, what, condition, limit=SLOW):
        end = time.monotonic() + limit
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                for command in ("usb", "log", "store usb"):
                    self.guest.ask(command, limit=SLOW)
                raise Failure(f"{what}: not within {limit} s")
            self.guest.hear(0.05)

    # What the user does.

    def plug(self, name):
        model, port, properties = DEVICES[name]
        self.monitor.device_add(model, name, port=port, **properties)
        self.plugged.append(name)

    def unplug(self, names):
        """All at once; a hub takes along what is in it."""
        gone = [name for name in names if BEHIND.get(name) not in names]
        self.monitor.forget()
        self.traffic.network &= "net" not in names
        for name in gone:
            self.monitor.execute("device_del", id=name)
        for name in gone:
            self.monitor.wait("DEVICE_DELETED", limit=SLOW, device=name)
        for name in names:
            self.plugged.remove(name)
            self.cycles += 1

    def settled(self):
        """Nothing is plugged in any more, and the bus has noticed: each channel is free, or lost."""
        self.until("slots of what is gone", lambda: self.value("slots") == self.base["slots"])
        self.until("channels that are free or lost", lambda:
                   self.value("free") + self.value("lost") == CHANNELS)

    def round(self, turn):
        """A channel is lost with a stick that goes while it may be read, and not for anything else."""
        go = self.use if turn % 10 == 0 else self.busy if turn % 3 == 1 else self.hasty
        before = self.value("lost")
        go()
        self.settled()
        lost, most = self.value("lost") - before, 0 if go == self.use else STICKS
        if lost > most:
            raise Failure(f"{lost} channels were lost in a round where {most} sticks went in use")

    def mixed(self, names):
        """In some order, a hub before what is in it."""
        order = list(names)
        self.chance.shuffle(order)
        return sorted(order, key=lambda name: name in BEHIND)

    def all_found(self):
        expected = self.base["slots"] + len(self.plugged)
        self.until(f"{len(self.plugged)} devices", lambda: self.value("slots") == expected)
        self.traffic.network = True

    # Rounds.

    def sticks(self):
        """Both sticks' names, once both are there."""
        def listed():
            answer = self.guest.ask("block", limit=SLOW)
            found = re.findall(r"^(disk\d+) +4.0 MiB", answer, re.MULTILINE)
            return found if len(found) == 2 else None
        return self.until("two sticks", listed)

    def use(self):
        """Each is plugged in, used, pulled, one after the other while the rest goes on."""
        for name in self.mixed(DEVICES):
            self.plug(name)
        self.all_found()
        self.until("drivers for all", lambda: self.devices().count(" running") >=
                   self.base["devices"].count(" running") + len(self.plugged))
        for disk in self.sticks():
            self.guest.play(("send", f"block read {disk} 0"), ("expect", "a stick that goe"),
                            limit=SLOW)
        self.guest.ask("uptime", limit=SLOW)
        self.monitor.type("uptime\n")
        self.guest.play(("expect", r"(?s)^up \d.*^up \d"), limit=SLOW)
        for _ in range(5):
            self.monitor.move(3, -2)
        before = self.traffic.heard
        self.guest.ask("devices", limit=SLOW)
        self.until("output on the USB serial line", lambda: self.traffic.heard > before)
        self.until("an answer from the network", lambda: "bytes from" in
                   self.guest.ask("net ping 10.0.2.2", limit=SLOW))
        for name in self.mixed(DEVICES)[::-1]:
            self.unplug([name])
            self.guest.ask("uptime", limit=SLOW)

    def hasty(self):
        """All are pulled at some moment, most of them while they are being found."""
        for name in self.mixed(DEVICES):
            self.plug(name)
            if self.chance.random() < 0.3:
                self.guest.hear(self.chance.random() * 0.2)
        self.guest.hear(self.chance.random() * 0.6)
        self.unplug(self.mixed(self.plugged))

    def busy(self):
        """Pulled while one stick is copied to the other, and something types and moves."""
        for name in self.mixed(DEVICES):
            self.plug(name)
        self.all_found()
        one, other = self.sticks()
        self.guest.begin(f"block copy {one} {other} overwrite")
        for _ in range(self.chance.randrange(4)):
            self.monitor.press("shift", hold=0.01)
            self.monitor.move(1, 1)
        self.guest.hear(self.chance.random() * 0.3)
        self.unplug(self.mixed(self.plugged))
        self.guest.send("uptime", limit=SLOW)

    def go(self, cycles):
        self.guest.expect("busbar> ")
        self.until("the hub", lambda: self.value("slots") == 1)
        self.use_once_to_warm_up()
        self.base = self.levels()
        turn = 0
        while self.cycles < cycles and self.value("lost") < MOST_LOST:
            self.round(turn)
            turn += 1
        after = self.levels()
        wrong = [f"{key} {self.base[key]} before, {after[key]} after"
                 for key in after if after[key] != self.base[key]]
        if wrong:
            raise Failure("; ".join(wrong))
        return turn

    def use_once_to_warm_up(self):
        """What is allocated once, as by TCP/IP, counts as there before."""
        self.base = {"slots": 1, "devices": self.devices()}
        self.plug("net")
        self.until("a network", lambda: "10.0.2.15" in self.guest.ask("net dhcp", limit=SLOW))
        self.unplug(["net"])
        self.settled()
        self.use()
        self.settled()


def prepare(guest, folder):
    """What is behind the devices stays when they go."""
    for index in range(2):
        path = folder / f"stick{index}"
        path.write_bytes(MARK.ljust(STICK, b"\0"))
        guest.monitor.blockdev_add(f"file{index}", path)
    guest.monitor.chardev_add("line", folder / "line")
    forward = peripherals.settle([peripherals.forward("udp:0:7")])[0]
    guest.monitor.netdev_add("network", hostfwd=[
        {"str": f"udp:127.0.0.1:{forward.host}-:{forward.guest}"}])
    return Traffic(folder / "line", forward.host)


def live(cycles, chance):
    """One machine's life: (cycles, rounds, the store's values); raises what went wrong."""
    machine = run.Machine("raspi3b", usb=[usb.plug("hub")], append=PAUSE)
    with tempfile.TemporaryDirectory(prefix="busbar") as name, Guest(machine) as guest:
        traffic = prepare(guest, Path(name))
        soak = Soak(guest, chance, traffic)
        try:
            rounds = soak.go(cycles)
            values = soak.store()
            guest.play(("send", "poweroff"), status=0)
        except (Failure, BusbarError) as error:
            guest.hear(1)  # what QEMU said when it was QEMU that ended
            print(guest.seen[-6000:])
            raise Failure(f"after {soak.cycles} cycles: {error}") from None
        finally:
            traffic.end()
        return soak.cycles, rounds, values


def main():
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else CYCLES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    began, chance, done, machines = time.monotonic(), random.Random(seed), 0, 0
    while done < cycles:
        try:
            more, rounds, values = live(cycles - done, chance)
        except Failure as error:
            print(f"FAIL (seed {seed}, {done} cycles before): {error}")
            return 1
        done, machines = done + more, machines + 1
        print(f"ok   {more} cycles in {rounds} rounds: {values['plugged']} devices found, "
              f"{values['unplugged']} gone, {values['lost']} channels lost to sticks, levels as "
              "before", flush=True)
    print(f"ok   {done} cycles on {machines} machines, {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
