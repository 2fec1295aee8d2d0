#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""USB network cards on the Pi: Remote NDIS conforms; one that is plugged in comes up by itself, and
goes on after it was pulled and put back, under an echo with connections and in the monitor.

    python3 tests/boot/usb_net.py [--cycles 4] [PART...]
"""
import argparse
import random
import re
import socket
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import BusbarError, run, usb  # noqa: E402
from busbarlib.checks import Checks  # noqa: E402
from busbarlib.guest import Guest  # noqa: E402

MAC = "52:54:00:12:34:56"
PIECE = 65536  # bytes that are echoed
RNDIS = str(ROOT / "tests/boot/rndis/platform.toml")
check = Checks()


def plug(guest):
    guest.monitor.device_add("usb-net", "card", netdev="wire", port="1.1", mac=MAC)


def machine(app, **more):
    return run.Machine("raspi3b", app, usb=[usb.plug("hub")], **more)


def rndis(_):
    """The whole suite for network devices, on the other configuration of QEMU's card."""
    with Guest(run.Machine(RNDIS, "conformance", net=True), timeout=120) as guest:
        try:
            guest.play(("expect", "net of net/usb_rndis: [1-9]"),
                       ("expect", "^[1-9][0-9]* passed, 0 failed"))
            check("net/usb_rndis conforms", "FAILED" not in guest.seen, guest.seen)
        except BusbarError as error:
            check("net/usb_rndis conforms", False, error, guest.seen)


def monitor(_):
    with Guest(machine("monitor")) as guest:
        try:
            check("without a card the monitor says so",
                  "no network device runs" in guest.ask("net"), guest.seen)
            guest.monitor.netdev_add("wire")
            plug(guest)
            guest.play(("expect", "usb@7e980000.*device@1.*QEMU"))
            time.sleep(0.5)
            guest.play(("send", "net"), ("expect", "net0 .*MTU 1500, link up"),
                       ("send", "net ping 10.0.2.2"), ("expect", r"56 bytes from 10\.0\.2\.2"),
                       ("send", "net"), ("expect", r"addresses +10\.0\.2\.15/24"))
            heard = guest.ask("explain interface@0")  # the card's and the hub's
            check("`explain` asks which of two it is to tell of",
                  "which of these?" in heard and heard.count("/soc/usb@7e980000") == 2, heard)
            check("and `explain` its address", re.search(
                r"addresses +10\.0\.2\.15/24", guest.ask("explain net0")), guest.seen)
            guest.monitor.device_del("card")
            guest.play(("expect", "net0: TCP/IP ends"))
            check("pulled, it is gone", "no network device runs" in guest.ask("net"), guest.seen)
            plug(guest)
            guest.play(("expect", r"net0: 10\.0\.2\.15/24"), ("send", "net ping 10.0.2.2"),
                       ("expect", r"56 bytes from 10\.0\.2\.2"))
            check("put back, it has its address by itself", "panic" not in guest.seen, guest.seen)
        except BusbarError as error:
            check("a card in the monitor", False, error, guest.seen)


def echo_once(port, seed, limit=20):
    """Sends and compares, on a connection of its own; None: nobody there."""
    data = random.Random(seed).randbytes(PIECE)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as one:
                one.sendall(data[:100])
                heard = one.recv(100)
                if not heard:
                    continue
                while len(heard) < 100:
                    heard += one.recv(100 - len(heard))
                one.sendall(data[100:])
                while len(heard) < len(data):
                    part = one.recv(65536)
                    if not part:
                        return False
                    heard += part
                return heard == data
        except OSError:
            time.sleep(0.05)
    return None


def echo(cycles):
    """It is pulled in the middle of a transfer, each time at another moment."""
    with Guest(machine("echo"), timeout=120) as guest:
        try:
            guest.play(("expect", "echo: there is no network yet"))
            with socket.socket() as one:
                one.bind(("127.0.0.1", 0))
                port = one.getsockname()[1]
            guest.monitor.netdev_add("wire", hostfwd=[{"str": f"tcp:127.0.0.1:{port}-:7"}])
            began = time.monotonic()
            for cycle in range(cycles):
                plug(guest)
                if not echo_once(port, cycle):
                    check(f"echo after {cycle} cycles", False, guest.seen)
                    return
                with socket.create_connection(("127.0.0.1", port), timeout=3) as one:
                    one.sendall(b"x" * PIECE)
                    time.sleep(cycle % 7 / 200)
                    guest.monitor.device_del("card")
            guest.hear(1)
            took = time.monotonic() - began
            seen = guest.seen
            check(f"{cycles} times put in and pulled with traffic, {took:.1f} s",
                  "panic" not in seen and "error" not in seen.lower(), seen)
            plug(guest)
            check("and it echoes", echo_once(port, 1), guest.seen)
        except (BusbarError, OSError) as error:
            check("echo over plug and unplug", False, error, guest.seen)


PARTS = {"rndis": rndis, "monitor": monitor, "echo": echo}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cycles", type=int, default=4)
    parser.add_argument("part", nargs="*", choices=[[], *PARTS], default=[])
    options = parser.parse_args()
    for name in options.part or PARTS:
        PARTS[name](options.cycles)
    return check.status()


if __name__ == "__main__":
    sys.exit(main())
