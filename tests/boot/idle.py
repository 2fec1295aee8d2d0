#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An idle Pi sleeps: interrupts a second, as the store counts them, and the share of the time
that the processor slept. With nothing plugged in, and with a keyboard and a mouse that nobody
touches.

    python3 tests/boot/idle.py
"""
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from busbarlib import BusbarError, run, usb  # noqa: E402
from busbarlib.guest import Guest  # noqa: E402

SECONDS = 5
HZ = 62_500_000  # of QEMU's counter
# What is plugged in, and interrupts a second. A keyboard and a mouse want to be asked, each some
# hundred times.
CASES = [((), 50), (("keyboard", "mouse"), 500)]
ROOT_CONTROLLER = "local_intc@40000000"
AWAKE = 0.05  # of the time, at most, with nothing plugged in


def look(guest):
    """(interrupts, ticks asleep, seconds up)"""
    store, uptime = guest.ask("store"), guest.ask("uptime")
    return (int(re.search(rf"{ROOT_CONTROLLER}\.interrupts +(\d+)", store)[1]),
            int(re.search(r"core\.asleep +(\d+)", store)[1]),
            float(re.search(r"up ([\d.]+) s", uptime)[1]))


def rest(plugged):
    """Interrupts a second, and the share of the time awake."""
    machine = run.Machine("raspi3b", usb=[usb.plug(each) for each in plugged])
    with Guest(machine) as guest:
        guest.ask("uptime")
        before = look(guest)
        guest.hear(SECONDS)
        after = look(guest)
        interrupts, asleep, up = (new - old for new, old in zip(after, before))
        guest.send("poweroff")
    return interrupts / up, 1 - asleep / (up * HZ)


def main():
    wrong = 0
    for plugged, most in CASES:
        what = " and ".join(plugged) if plugged else "nothing"
        try:
            each_second, awake = rest(plugged)
        except BusbarError as error:
            print(f"FAIL {what} plugged in: {error}")
            wrong += 1
            continue
        well = each_second < most and (plugged or awake < AWAKE)
        wrong += not well
        print(f"{'ok  ' if well else 'FAIL'} {what} plugged in: {each_second:.1f} interrupts a second, "
              f"below {most}; awake {100 * awake:.1f} % of the time", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
