#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""USB devices plugged in and pulled out, over and over, each while it is used: a keyboard is typed
on, a stick read, a serial line and a network carry traffic. The bus must come back to where it was:
slots, memory, transfers; and what stays plugged in must work all the time.

    python3 tests/boot/usb_plug.py              # 500 devices
    python3 tests/boot/usb_plug.py 10000
"""
import random
import re
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import run, usb  # noqa: E402
from busbarlib.guest import Guest  # noqa: E402

CYCLES = 500
STICKS = 2
MIB = 1 << 20
HOST = "usb@7e980000"
SETTLED = 20  # seconds for what was plugged in, or pulled out, to be there or gone
PORTS = [f"1.{n}" for n in range(3, 9)]  # of the hub; 1.1 and 1.2 keep theirs


class Failure(Exception):
    pass


def value(guest, name):
    found = re.search(rf"^{re.escape(HOST)}\.{name} +(\d+)", guest.ask(f"store {HOST}.{name}"),
                      re.MULTILINE)
    if not found:
        raise Failure(f"no {name} of {HOST}:\n{guest.seen[-2000:]}")
    return int(found[1])


def wait_for(guest, name, wanted):
    end = time.monotonic() + SETTLED
    while (now := value(guest, name)) != wanted:
        if time.monotonic() > end:
            raise Failure(f"{name} is {now}, not {wanted}:\n{guest.ask('usb')}")
        time.sleep(0.01)


def slots_used(guest):
    return value(guest, "slots")


class Plugger:
    def __init__(self, guest, seed):
        self.guest, self.random, self.count = guest, random.Random(seed), 0

    def make(self, port):
        """Plugs something into a port; returns QEMU's name of it."""
        monitor, name = self.guest.monitor, f"d{self.count}"
        kind = self.random.choice(["kbd", "mouse", "tablet", "storage", "serial", "net", "hub"])
        self.count += 1
        more = {"port": port}
        if kind == "storage":
            stick = next(f"s{i}" for i in range(len(PORTS)) if f"s{i}" not in self.sticks.values())
            self.sticks[name] = stick
            more["drive"] = stick
        if kind == "net":
            more["netdev"] = next(f"n{i}" for i in range(len(PORTS))
                                  if f"n{i}" not in self.nets.values())
            self.nets[name] = more["netdev"]
        if kind == "serial":
            more["chardev"] = next(f"c{i}" for i in range(len(PORTS))
                                   if f"c{i}" not in self.lines.values())
            self.lines[name] = more["chardev"]
        monitor.device_add(f"usb-{kind}", name, **more)
        return name

    sticks, nets, lines = {}, {}, {}

    def take(self, name):
        self.guest.monitor.device_del(name)
        for used in (self.sticks, self.nets, self.lines):
            used.pop(name, None)


def use(guest, steady):
    """What stays plugged in works, while others come and go."""
    said = guest.ask(f"block read {steady} 3")
    if "stays here" not in said:
        raise Failure(f"the stick that stays cannot be read:\n{said}")


def soak(guest, cycles, seed):
    plugger = Plugger(guest, seed)
    for i in range(len(PORTS)):
        guest.monitor.netdev_add(f"n{i}")
        guest.monitor.execute("chardev-add", id=f"c{i}",
                              backend={"type": "ringbuf", "data": {"size": 65536}})
    start, begin = slots_used(guest), time.monotonic()
    steady = re.search(r"^(disk\d+)", guest.ask("block"), re.MULTILINE)
    if not steady:
        raise Failure("no stick:\n" + guest.ask("usb"))
    done = 0
    while done < cycles:
        names = [plugger.make(port) for port in PORTS[:max(1, min(len(PORTS), cycles - done))]]
        done += len(names)
        if plugger.random.random() < 0.7:  # the others are pulled out on their way
            wait_for(guest, "slots", start + len(names))
            time.sleep(plugger.random.random() * 0.2)
        else:
            time.sleep(plugger.random.random() * 0.6)
        use(guest, steady[1])
        if plugger.random.random() < 0.3 and plugger.sticks:
            guest.begin("block")  # a stick is pulled out while it is asked
        plugger.random.shuffle(names)
        for name in names:
            plugger.take(name)
        guest.hear(0.05)
        wait_for(guest, "slots", start)
        if done % 100 < len(PORTS):
            print(f"{done} devices, {time.monotonic() - begin:.0f} s", flush=True)
    use(guest, steady[1])
    plugged, unplugged = value(guest, "plugged"), value(guest, "unplugged")
    taken = slots_used(guest)
    print(f"{done} devices in {time.monotonic() - begin:.0f} s: {plugged} came up, {unplugged} of "
          f"these went, {taken} slots taken as at the beginning")
    if plugged - unplugged != taken or taken != start or plugged < done / 2:
        raise Failure(guest.ask("usb"))


def main():
    cycles = int(sys.argv[1]) if len(sys.argv) > 1 else CYCLES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for i in range(len(PORTS) + 1):
            files.append(Path(folder) / f"stick{i}.img")
            files[-1].write_bytes(b"\0" * 512 * 3 + b"stays here" + b"\0" * (MIB - 512 * 3 - 10))
        machine = run.Machine("raspi3b", usb=[usb.plug("hub"), usb.plug(f"storage:{files[-1]}"),
                                              usb.plug("keyboard")])
        with Guest(machine) as guest:
            guest.ask("help")
            for i, file in enumerate(files[:-1]):
                guest.monitor.blockdev_add(f"s{i}", file)
            try:
                soak(guest, cycles, seed)
            except Exception as error:
                print(f"FAIL: {error}\n{guest.seen[-3000:]}")
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
