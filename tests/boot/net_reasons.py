#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Why a network card has no address, in the words of `net` and `explain`: its cable is out, or
TCP/IP has no room left for it. Put in again, the cable brings the address by itself.

    python3 tests/boot/net_reasons.py
"""
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import BusbarError, run  # noqa: E402
from busbarlib.checks import Checks  # noqa: E402
from busbarlib.guest import Guest  # noqa: E402

CARDS = 5  # one more than TCP/IP takes; QEMU's last one is the guest's first
DOWN = r"addresses +[^;]+; the link is down: is the cable in\?"
FULL = r"addresses +none; TCP/IP does not start: no room left"
check = Checks()


def cards():
    for number in range(CARDS):
        yield from ("-netdev", f"user,id=wire{number}",
                    "-device", f"virtio-net-device,netdev=wire{number}")


def reasons(guest):
    for told in ("net", "explain net4"):
        check(f"`{told}`: no room for the fifth card", re.search(FULL, guest.ask(told)), guest.seen)
    first = f"wire{CARDS - 1}"
    guest.monitor.execute("set_link", name=first, up=False)
    guest.play(("expect", "net0: the link is down"))
    for told in ("net", "explain net0"):
        check(f"`{told}`: its cable is out", re.search(DOWN, guest.ask(told)), guest.seen)
    guest.monitor.execute("set_link", name=first, up=True)
    guest.play(("expect", "net0: the link is up"))
    end = time.monotonic() + 30
    while not (up := re.search(r"net0 .*link up\s+addresses +10\.0\.2\.15/24", guest.ask("net"))) \
            and time.monotonic() < end:
        time.sleep(0.5)
    check("put in again, it has its address", up, guest.seen)


def main():
    with Guest(run.Machine("virt-arm64", "monitor"), extra=list(cards())) as guest:
        try:
            reasons(guest)
        except BusbarError as error:
            check("a guest with five cards", False, error, guest.seen)
    return check.status()


if __name__ == "__main__":
    sys.exit(main())
