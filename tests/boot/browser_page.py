#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The web page in Chromium: live, searched, on a phone's width, and when its machine is gone.

    python3 tests/boot/browser_page.py [--picture docs/webpage.png] [PLATFORM...]
"""
import argparse
import json
import re
import sys
import tempfile
import time

from webpage import ROOT, Checks, Machine

sys.path.insert(0, str(ROOT / "tests/web"))
import browser  # noqa: E402

SKIP_STATUS = 77


def shown(checks, chromium, picture):
    url = f"http://127.0.0.1:{checks.port}/"
    chromium.open(url, 1180, 1400)
    chromium.wait("document.body && document.body.className === 'live'")
    name = chromium.wait("(document.querySelector('#tree .running .dev') || {}).textContent")
    checks.check("the page is live in Chromium, with a device", name, name)
    found = chromium.evaluate(
        "[...document.querySelectorAll('#tree .dev')].some(d => d.textContent.includes('net0'))")
    checks.check("net0 is found by its text", found)
    served = "document.getElementById('served').textContent"
    before = chromium.evaluate(served)
    after = chromium.wait(f"{served} !== {json.dumps(before)} && {served}")
    checks.check(f"a counter changes ({before}, {after})", after)
    chromium.evaluate("document.getElementById('search').value = 'net0';"
                      "document.getElementById('search').dispatchEvent(new Event('input'))")
    rows = chromium.evaluate("[...document.querySelectorAll('#tree li')].filter(row => "
                             "row.getClientRects().length && row.querySelector('.dev')"
                             ".textContent.includes('net0')).length")
    marked = chromium.evaluate("document.querySelector('#tree mark').textContent")
    told = chromium.evaluate("document.getElementById('found').textContent")
    checks.check("search shows what has that name, and says how many", rows >= 1 and marked == "net0"
               and re.match(rf"{rows} of \d+ shown", told), rows, marked, told)
    chromium.evaluate("document.getElementById('clear').click()")
    if checks.platform == "raspi3b":
        board = chromium.wait("document.getElementById('revision').textContent")
        arm = chromium.evaluate("document.getElementById('arm').textContent")
        card = chromium.wait("document.getElementById('usb').innerText")
        heat = chromium.evaluate("document.getElementById('degrees').textContent")
        checks.check(f"the board ({board}, {arm}, {heat}) and its USB are shown",
                     board == "a02082" and arm.endswith("Hz") and heat == "25.0 °C"
                     and "net/usb_cdc_ecm" in card, board, arm, card)
        disks = chromium.evaluate("document.getElementById('disks').innerText")
        checks.check("and its card", "disk0" in disks and "8.00 MiB" in disks, disks)
    tops = ("JSON.stringify([...document.querySelectorAll('section')].map(s => "
            "s.getBoundingClientRect().top))")
    first = chromium.evaluate(tops)
    time.sleep(5)
    checks.check("nothing moves when it is refreshed", chromium.evaluate(tops) == first)
    if picture:
        time.sleep(45)
        chromium.screenshot(picture)
    checks.check("and the browser has nothing to complain of", not chromium.complaints(),
               chromium.complaints())
    chromium.open(url, 360, 740, dark=True, phone=True)
    chromium.wait("document.querySelectorAll('#tree .running').length > 0")
    width = chromium.evaluate("document.documentElement.scrollWidth")
    checks.check("a phone's width is enough", width <= 360, width)


def lost(checks, chromium, machine):
    machine.end()
    chromium.wait("!document.getElementById('alarm').hidden")
    text = chromium.evaluate("document.getElementById('alarm').innerText")
    checks.check("a machine that is gone: the page says so and tries again",
               "does not answer" in text and "again" in chromium.wait(
                   "document.getElementById('retry').textContent"), text)


def run(platform, picture):
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(platform, folder)
        try:
            checks = Checks(platform, machine.wait())
            with browser.Browser() as chromium:
                shown(checks, chromium, picture)
                lost(checks, chromium, machine)
            if "panic" in machine.heard:
                checks.check("no panic", False, machine.heard)
            return checks.well
        finally:
            machine.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--picture", help="where to put a screenshot, after 45 s of activity")
    parser.add_argument("platform", nargs="*", default=["virt-arm64", "raspi3b"])
    options = parser.parse_args()
    if not browser.found():
        print("skip: there is no chromium")
        return SKIP_STATUS
    well = True
    for platform in options.platform:
        try:
            well &= run(platform, options.picture)
        except (OSError, browser.BrowserError, ValueError) as error:
            print(f"FAIL {platform}: {type(error).__name__}: {error}")
            well = False
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
