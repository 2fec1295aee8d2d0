# SPDX-License-Identifier: BSD-2-Clause
"""The expect machinery against small fake guests: `python3 -m unittest discover tests/tools`."""
import re
import subprocess
import sys
import textwrap
import time
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from busbarlib import BusbarError, expect  # noqa: E402

# A guest as the monitor is: it echoes each key, draws the line anew, and answers each command.
GUEST = r"""
import os, sys
def put(text):
    os.write(1, text.encode())
def key():
    return os.read(0, 1).decode()
put("\x1b[1mBusbar\x1b[0m 1.0\r\nready\r\nbusbar> ")
line = ""
while True:
    char = key()
    if not char:
        break
    if char != "\r":
        line += char
        put("\r\x1b[Kbusbar> " + line)
        continue
    put("\r\n")
    if line == "devices":
        put("  \x1b[32mconsole/pl0\x1b[0m11 running\r\n")
    elif line == "late":
        put("\r\x1b[K[ 1.0] a log line\r\n")
        put("answer\r\n")
    elif line == "die":
        put("bye\r\n")
        sys.exit(7)
    elif line == "hang":
        while key():
            pass
    put("busbar> ")
    line = ""
"""


def play(steps, guest=GUEST, timeout=10, exit_status=None, on_pty=False):
    with expect.Program([sys.executable, "-c", textwrap.dedent(guest)], on_pty) as program:
        dialogue = expect.Dialogue(program, timeout)
        return dialogue.play(steps, exit_status), dialogue.transcript


class Rendering(unittest.TestCase):
    def test_strips_escapes(self):
        self.assertEqual(expect.strip_ansi("\x1b[1;32mok\x1b[0m \x1b[?25l\x1b]0;t\x07x"), "ok x")

    def test_strips_a_partial_escape_at_the_end(self):
        self.assertEqual(expect.strip_ansi("ok\x1b[3"), "ok")

    def test_renders_what_a_line_editor_draws(self):
        self.assertEqual(expect.render("abc\b\b\x1b[KX"), "aX")
        self.assertEqual(expect.render("old\r\x1b[Kbusbar> new"), "busbar> new")
        self.assertEqual(expect.render("ab\x1b[2Dxy\x1b[1Cz"), "xy z")
        self.assertEqual(expect.render("x\b \b"), " ")

    def test_renders_any_rubbish(self):
        self.assertEqual(expect.render("\x1b\x1b[\x1b[9999999D\b\b\x00a"), "a")


class Echo(unittest.TestCase):
    def heard(self, raw, sent="devices"):
        transcript = expect.Transcript()
        transcript.feed(b"busbar> ")
        transcript.sent(sent)
        transcript.feed(raw)
        return transcript

    def test_echo_is_no_answer(self):
        pattern = re.compile("devices")
        self.assertIsNone(self.heard(b"dev").search(pattern))
        self.assertIsNone(self.heard(b"devices").search(pattern))
        self.assertIsNone(self.heard(b"devices\r\n").search(pattern))
        self.assertTrue(self.heard(b"devices\r\n2 devices\r\n").search(pattern))

    def test_only_one_line_is_the_echo(self):
        self.assertTrue(self.heard(b"devices\r\ndevices\r\n").search(re.compile("^devices$", re.M)))

    def test_redrawn_echo(self):
        drawn = b"".join(b"\r\x1b[Kbusbar> " + b"devices"[:n] for n in range(1, 8))
        self.assertIsNone(self.heard(drawn).search(re.compile("busbar|dev")))
        self.assertFalse(self.heard(drawn).at_prompt())
        self.assertFalse(self.heard(drawn + b"\r\nx\r\n").at_prompt())
        self.assertTrue(self.heard(drawn + b"\r\nx\r\nbusbar> ").at_prompt())

    def test_log_line_inside_the_echo(self):
        heard = self.heard(b"dev\r\x1b[K[ 2.0] link up\r\nbusbar> devices\r\none\r\nbusbar> ")
        self.assertIsNone(heard.search(re.compile("devices")))
        self.assertTrue(heard.search(re.compile("link up")))
        self.assertTrue(heard.at_prompt())

    def test_prompt_is_none_while_a_log_line_redraws_it(self):
        self.assertFalse(self.heard(b"dev\r\x1b[K[ 2.0] link up\r\nbusbar> dev").at_prompt())

    def test_a_guest_that_does_not_echo(self):
        self.assertTrue(self.heard(b"one\r\n").search(re.compile("one")))
        self.assertTrue(self.heard(b"d").search(re.compile("d"), final=True))

    def test_output_before_the_send_does_not_count(self):
        transcript = expect.Transcript()
        transcript.feed(b"pl011\r\nbusbar> ")
        transcript.sent("x")
        transcript.feed(b"x\r\nnothing\r\nbusbar> ")
        self.assertIsNone(transcript.search(re.compile("pl011")))

    def test_bytes_that_are_no_text(self):
        self.assertTrue(self.heard(b"devices\r\n\xff\xfe ok\r\n").search(re.compile("ok$", re.M)))


class Talking(unittest.TestCase):
    def test_sends_and_expects_in_order(self):
        outcome, _ = play([("expect", "ready"), ("send", "devices"), ("expect", "pl011 running$"),
                           ("send", "late"), ("expect", "^answer$")])
        self.assertIsNone(outcome.failure)

    def test_on_a_pty(self):
        outcome, _ = play([("send", "devices"), ("expect", "pl011"), ("send", "die")], on_pty=True)
        self.assertIsNone(outcome.failure)
        self.assertEqual(outcome.status, 7)

    def test_missing_pattern_is_named(self):
        outcome, transcript = play([("send", "devices"), ("expect", "pl031")], timeout=1)
        self.assertIn("'pl031'", outcome.failure)
        self.assertIn("not within 1 s", outcome.failure)
        self.assertIn("running", transcript.raw)

    def test_time_limit_holds_when_the_guest_hangs(self):
        began = time.monotonic()
        outcome, _ = play([("send", "hang"), ("send", "devices")], timeout=1)
        self.assertIn("no prompt", outcome.failure)
        self.assertLess(time.monotonic() - began, 5)

    def test_end_of_the_program(self):
        outcome, _ = play([("send", "die"), ("expect", "bye")], exit_status=7)
        self.assertIsNone(outcome.failure)
        outcome, _ = play([("send", "die"), ("expect", "bye")], exit_status=0)
        self.assertIn("ended with status 7, expected 0", outcome.failure)
        outcome, _ = play([("send", "die"), ("expect", "never")])
        self.assertIn("ended with status 7 before", outcome.failure)

    def test_a_last_send_waits_for_its_answer(self):
        outcome, transcript = play([("send", "devices")])
        self.assertIsNone(outcome.failure)
        self.assertIn("running", transcript.raw)

    def test_a_log_line_that_tears_the_echo(self):
        guest = r"""
import os, time
os.write(1, b"busbar> ")
os.read(0, 100)
os.write(1, b"x[ 1.0] log\r\ny\r\ndone\r\nbusbar> ")
os.read(0, 100)
os.write(1, b"z\r\nbye\r\n")
"""
        outcome, _ = play([("send", "xy"), ("send", "z"), ("expect", "bye")], guest)
        self.assertIsNone(outcome.failure)

    def test_a_pattern_that_backtracks_is_ended_in_time(self):
        began = time.monotonic()
        guest = "import time; print('a' * 40 + 'b', flush=True); time.sleep(30)"
        outcome, _ = play([("expect", "^(a+)+$")], guest, timeout=1)
        self.assertIn("the pattern takes too long", outcome.failure)
        self.assertLess(time.monotonic() - began, 5)

    def test_a_long_answer_is_read_in_its_time(self):
        guest = """
import os
for i in range(100000):
    os.write(1, b"line %d of a long answer\\r\\n" % i)
os.write(1, b"end\\r\\n")
"""
        outcome, _ = play([("expect", "^end$")], guest, timeout=10)
        self.assertIsNone(outcome.failure)

    def test_a_child_dies_with_its_parent(self):
        parent = subprocess.Popen(
            [sys.executable, "-c", "import sys, time; sys.path.insert(0, sys.argv[1])\n"
             "from busbarlib import expect\nprogram = expect.Program(['sleep', '60'])\n"
             "print(program.process.pid, flush=True)\ntime.sleep(60)", str(TOOLS)],
            stdout=subprocess.PIPE, text=True)
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
        parent.stdout.close()
        state = Path(f"/proc/{child}/stat")
        end = time.monotonic() + 5
        while state.exists() and state.read_text().split()[2] != "Z" and time.monotonic() < end:
            time.sleep(0.05)
        self.assertLess(time.monotonic(), end)

    def test_a_program_that_is_not_there(self):
        with self.assertRaises(BusbarError):
            expect.Program(["/nowhere/qemu"])

    def test_a_deaf_program_does_not_block_the_sender(self):
        with expect.Program([sys.executable, "-c", "import time; time.sleep(30)"]) as program:
            program.write(b"x" * 1000000)
            began = time.monotonic()
            program.read(0.1)
            self.assertLess(time.monotonic() - began, 5)


if __name__ == "__main__":
    unittest.main()
