#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the Pi's screen shows, read back from pictures of it: each cell is compared with the font's
glyphs. The boot log and the prompt, what a USB keyboard types, colours, boxes, scrolling, other
modes, what a mouse and a tablet do, a panic; and how many instructions printing takes.

    python3 tests/boot/screen.py
"""
import ctypes
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from busbarlib import BusbarError, run, usb  # noqa: E402
from busbarlib.checks import Checks  # noqa: E402
from busbarlib.guest import Guest  # noqa: E402

WIDTH, HEIGHT = 8, 16  # of a cell
GREY, BLACK = (0xaa,) * 3, (0, 0, 0)
CODES = [*range(0x20, 0x7f), *range(0xa1, 0x100), 0x20ac, *range(0x2500, 0x25a0), 0xfffd]
check = Checks()


class Font:
    """The font as it is compiled: the text of a glyph."""

    def __init__(self, folder):
        library = Path(folder) / "font.so"
        subprocess.run(["gcc", "-shared", "-fPIC", "-DBB_ARCH_HOST=1", f"-I{ROOT / 'include'}",
                        f"-I{ROOT}", "-o", library, ROOT / "subsys/font.c",
                        ROOT / "subsys/font_box.c"], check=True)
        rows = ctypes.CDLL(str(library)).bb_font_rows
        rows.restype = ctypes.POINTER(ctypes.c_uint8)
        scratch = (ctypes.c_uint8 * HEIGHT)()
        self.glyphs = {}
        for code in CODES:
            self.glyphs.setdefault(bytes(rows(code, scratch)[:HEIGHT]), chr(code))


class Picture:
    """A PPM file as cells: text, ink and paper."""

    def __init__(self, path, font):
        magic, size, depth, self.pixels = path.read_bytes().split(b"\n", 3)
        assert (magic, depth) == (b"P6", b"255"), (magic, depth)
        self.width, self.height = map(int, size.split())
        self.font = font
        self.lines = ["".join(self.cell(x, y)[0] for x in range(self.width // WIDTH)).rstrip()
                      for y in range(self.height // HEIGHT)]

    def pixel(self, x, y):
        at = 3 * (y * self.width + x)
        return tuple(self.pixels[at:at + 3])

    def cell(self, column, row):
        """(character, ink, paper); where two readings are right, the one with the darker paper.
        What is no glyph reads as NUL."""
        left, top = column * WIDTH, row * HEIGHT
        block = b"".join(self.pixels[3 * (y * self.width + left):][:3 * WIDTH]
                         for y in range(top, top + HEIGHT))
        pixels = [tuple(block[i:i + 3]) for i in range(0, len(block), 3)]
        colours = sorted(set(pixels), key=sum)
        if len(colours) == 1:
            return (" ", None, colours[0])
        if len(colours) > 2:
            return ("\0", None, None)
        for paper, ink in (colours, colours[::-1]):
            rows = bytes(sum(0x80 >> x for x in range(WIDTH) if pixels[y * WIDTH + x] == ink)
                         for y in range(HEIGHT))
            if rows in self.font.glyphs:
                return (self.font.glyphs[rows], ink, paper)
        return ("\0", None, None)

    @property
    def text(self):
        return "\n".join(self.lines)


class Screen:
    """The screen of a guest."""

    def __init__(self, guest, folder, font):
        self.guest, self.path, self.font = guest, Path(folder) / "screen.ppm", font

    def look(self):
        self.guest.monitor.execute("screendump", filename=str(self.path), format="ppm")
        return Picture(self.path, self.font)

    def until(self, *wanted, limit=20):
        """A picture with all of these on it, or the last one that there was."""
        end = time.monotonic() + limit
        while True:
            picture = self.look()
            if all(each in picture.text for each in wanted) or time.monotonic() > end:
                return picture
            self.guest.hear(0.2)


def logs_and_keys(folder, font):
    with Guest(run.Machine("raspi3b", usb=[usb.plug("keyboard")])) as guest:
        guest.expect("lists the commands")
        screen = Screen(guest, folder, font)
        picture = screen.until("busbar>")
        check("the prompt is on the screen", "busbar>" in picture.text, picture.text)
        check("so is the first message of the log",
              "[    0." in picture.text and "`help` lists the commands" in picture.text,
              picture.text)
        check("every cell is a character", "\0" not in picture.text, repr(picture.text))
        check("the cursor stands behind the prompt",
              any(picture.cell(8, row) == (" ", None, GREY)
                  for row, line in enumerate(picture.lines) if line == "busbar>"), picture.text)

        guest.monitor.type("store screen0\n")
        guest.expect(r"screen0\.received +1[4-9]")
        picture = screen.until("busbar> store screen0", "screen0.received")
        check("what the keyboard types is there, and its answer",
              "busbar> store screen0" in picture.text and "screen0.received" in picture.text,
              picture.text)
        guest.monitor.type("upx")
        guest.monitor.press("backspace")
        guest.monitor.press("left")
        guest.monitor.press("end")
        for key in ("f7", "f6", "f11", "f12", "f10", "pgup", "insert"):  # which edit nothing
            guest.monitor.press(key)
        guest.monitor.type("time\n")
        guest.expect(r"up \d+\.\d+ s")
        picture = screen.until("busbar> uptime")
        check("keys that move and delete work", "busbar> uptime" in picture.text, picture.text)
        guest.monitor.press("up")
        guest.monitor.press("up")
        picture = screen.until("busbar> store screen0\n")
        check("so does the history", picture.lines.count("busbar> store screen0") == 2,
              picture.text)
        guest.monitor.press("ctrl", "u")
        guest.monitor.press("caps_lock")
        guest.monitor.type("help")
        picture = screen.until("busbar> HELP")
        check("caps lock makes upper case", "busbar> HELP" in picture.text, picture.text)
        guest.monitor.press("caps_lock")
        guest.monitor.press("ctrl", "u")

        guest.monitor.device_del("keyboard0")
        guest.hear(1)
        guest.send("uptime")
        check("without the keyboard the serial console goes on", "up " in guest.seen[-200:],
              guest.seen[-400:])


def pages(folder, font):
    with Guest(run.Machine("raspi3b", app=str(ROOT / "tests/apps/screen"),
                           append="input.layout=de display.mode=800x480",
                           usb=[usb.plug("keyboard")])) as guest:
        guest.expect("ready, layout de")
        screen = Screen(guest, folder, font)

        def page(key):
            guest.monitor.press(key)
            guest.expect(f"page {key} is there")
            return screen.until(f"page {key} is there")

        picture = page("c")
        check("the mode is the parameter's", (picture.width, picture.height) == (800, 480))
        wrong = []
        for i in range(8):
            low, high = ([0xaa if i >> bit & 1 else 0 for bit in range(3)],
                         [0xff if i >> bit & 1 else 0x55 for bit in range(3)])
            low[1] = 0x55 if i == 3 else low[1]
            for at, char, ink, paper in ((0, "a", low, BLACK), (1, "A", high, BLACK),
                                         (2, "i", GREY, low), (3, "I", GREY, high)):
                wanted = (chr(ord(char) + i), tuple(ink), tuple(paper))
                got = picture.cell(4 * i + at, 0)
                if wanted[1] == wanted[2]:  # black on black, grey on grey
                    wanted, got = wanted[2], got[2]
                if got != wanted:
                    wrong.append(f"colour {i}, {char}: {got}, not {wanted}")
        check("sixteen colours, as ink and as paper", not wrong, *wrong)
        check("bold is bright", picture.cell(0, 1) == ("b", (0xff,) * 3, BLACK),
              picture.cell(0, 1))
        check("reversed is dark on bright", picture.cell(5, 1) == ("r", BLACK, GREY),
              picture.cell(5, 1))
        check("underlined has a line", picture.pixel(14 * WIDTH, 2 * HEIGHT - 2) == GREY)

        picture = page("b")
        check("boxes and letters of Europe", picture.lines[:5] == [
            "┌─┬─┐ ╔═╦═╗ ╒═╤═╕ ╭─╮ ┏━┳━┓", "│é│ß│ ║Ä║ñ║ │ø│æ│ │µ│ ┃€┃°┃",
            "├─┼─┤ ╠═╬═╣ ╞═╪═╡ ╰─╯ ┣━╋━┫", "└─┴─┘ ╚═╩═╝ ╘═╧═╛ ╱╲╳ ┗━┻━┛",
            " ▓▒░▀▄▌▐▁▂▃▅▆▇▏▎▍▋▊▉▖▗▘▙▚▛▜▝▞▟"], picture.text)
        check("a full block is full", picture.cell(0, 4) == (" ", None, GREY), picture.cell(0, 4))
        picture = page("u")
        check("what is no UTF-8, and what has no glyph",
              picture.lines[0] == "a�b�c�d���e�fgh", repr(picture.lines[0]))
        picture = page("s")
        rows = 480 // HEIGHT
        check("500 lines leave the last ones", picture.lines[:rows - 2] == [
            f"line {i} of 500" for i in range(500 - (rows - 2), 500)], picture.text)
        for width, height in ((800, 600), (1024, 768)):
            guest.monitor.press("m")
            guest.expect(f"{width}x{height}: no error")
            picture = screen.until("page m is there")
            check(f"text at {width}x{height}",
                  (picture.width, picture.height) == (width, height) and
                  "page m is there" in picture.text and "\0" not in picture.text, picture.text)
        guest.monitor.press("z")  # of a German keyboard: y
        guest.expect("page y is there")
        check("the layout is German", True)


def pointers(_folder, _font):
    """What a mouse and a tablet do reaches a listener. One at a time: QEMU gives a click to one."""
    with Guest(run.Machine("raspi3b", app=str(ROOT / "tests/apps/screen"),
                           usb=[usb.plug("hub")])) as guest:
        guest.expect("ready")
        monitor = guest.monitor

        def said(what, *lines):
            try:
                for line in lines:
                    guest.expect(rf"\w+: {line}$", limit=20)
                check(what, True)
            except BusbarError as error:
                check(what, False, error, guest.seen[-500:])

        monitor.device_add("usb-mouse", "mouse", port="1.1")
        guest.expect("USB Mouse")
        guest.hear(1)
        monitor.move(5, -7)
        said("a mouse moves", "move 5 -7")
        monitor.button("left", True)
        said("its left button goes down", "button 0 down")
        monitor.button("left", False)
        said("and up", "button 0 up")
        monitor.button("right", True)
        monitor.button("right", False)
        monitor.button("wheel-up", True)
        monitor.button("wheel-up", False)
        said("the right one, and the wheel", "button 1 down", "button 1 up", "wheel 0 1")
        monitor.device_del("mouse")
        monitor.device_add("usb-tablet", "tablet", port="1.2")
        guest.expect("USB Tablet")
        guest.hear(1)
        monitor.move(8192, 24576, absolute=True)
        said("a tablet has a position", "position 8192 24576")
        monitor.button("middle", True)
        said("its middle button goes down", "button 2 down")
        monitor.device_del("tablet")
        said("and up when it is pulled", "button 2 up")


def panic(folder, font):
    with Guest(run.Machine("raspi3b", app=str(ROOT / "tests/apps/fault"), append="fault=panic",
                           semihosting=False, extra=["-no-shutdown"])) as guest:
        guest.monitor.wait("SHUTDOWN", 60)
        picture = Screen(guest, folder, font).look()
        check("a panic is on the screen, to its last line",
              "panic: asked for: 42" in picture.text and "  at 0x" in picture.text, picture.text)


def costs(_folder, _font):
    """Instructions: of a line of 74 characters, of a full screen of 30 such, of that once scrolled,
    of one character; with what they may grow to."""
    with Guest(run.Machine("raspi3b", app=str(ROOT / "tests/apps/screen"), semihosting=False,
                           append="display.mode=640x480",
                           extra=["-icount", "shift=4,sleep=off"])) as guest:
        guest.expect("ready")
        guest.write(b"p")
        guest.expect(r"costs: .*character \d+\s")
        found = re.search(r"costs: line (\d+), full screen (\d+), scrolled (\d+), "
                          r"character (\d+)", guest.seen)
        print(found[0], flush=True)
        for what, got, limit in zip(("a line", "a full screen", "a scrolled one", "a character"),
                                    map(int, found.groups()), (2500, 550_000, 90_000, 3500)):
            check(f"{what} takes no more than {limit:,} instructions", got <= limit, got)


def main():
    with tempfile.TemporaryDirectory() as folder:
        font = Font(folder)
        for part in (logs_and_keys, pages, pointers, panic, costs):
            try:
                part(folder, font)
            except BusbarError as error:
                check(part.__name__, False, error)
    return check.status()


if __name__ == "__main__":
    sys.exit(main())
