# SPDX-License-Identifier: BSD-2-Clause
"""What tests/bench/bound_calls.py takes for a call as good as one by hand."""
import socket
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

import bound_calls  # noqa: E402
from busbarlib import bench  # noqa: E402

DIRECT = [("b", "4000 <direct_rtc>")]
INLINE = [("ldr", "x8, [x0, #104]"), ("ldr", "w8, [x8]"), ("str", "x8, [x1]"), ("ret", "")]


def well(call, inline=None):
    table = {"call_rtc": call, "hand_rtc": DIRECT}
    if inline:
        table["inline_rtc"] = inline
    return bound_calls.judge(table, "rtc", "pl031_get_time")[0]


class BoundCalls(unittest.TestCase):
    def test_a_direct_branch(self):
        self.assertTrue(well([("b", "5000 <pl031_get_time>")]))
        self.assertTrue(well([("b", "5000 <pl031_get_time.lto_priv.0>"), ("nop", "")]))
        self.assertFalse(well([("b", "5000 <bb_rtc_dispatch>")]))
        self.assertFalse(well([("mov", "w2, #1"), ("b", "5000 <pl031_get_time>")], INLINE))

    def test_an_inlined_driver(self):
        other = [("ldr", "x9, [x0, #96]"), ("ldr", "w9, [x9]"), ("str", "x9, [x1]"), ("ret", "")]
        self.assertTrue(well(other, INLINE))
        self.assertFalse(well(other))
        self.assertFalse(well([("ldr", "x9, [x9]"), *other], INLINE))

    def test_a_call_through_the_table(self):
        table = [("ldr", "x2, [x0, #8]"), ("ldr", "x2, [x2]"), ("br", "x2")]
        self.assertFalse(well(table))
        self.assertFalse(well(table, INLINE))


class Figures(unittest.TestCase):
    def test_what_the_guest_prints(self):
        found = bench.read("[ 0.1] bench read1 framework 9825 9800 9900 of 64\r\n"
                           "[ 0.1] bench read1 hand 5700 5700 5700 of 64\r\nbench torn\n")
        self.assertEqual(found["read1"]["framework"],
                         {"median": 98.25, "least": 98, "most": 99, "rounds": 64})
        self.assertEqual(found["read1"]["hand"]["median"], 57)

    def test_the_peer_answers_who_asks(self):
        with tempfile.TemporaryDirectory() as folder:
            peer = bench.Peer(Path(folder))
            try:
                guest = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self.addCleanup(guest.close)
                guest.settimeout(10)
                guest.bind(str(peer.paths[1][0]))
                for frame in (b"\xff" * 12 + b"\x88\xb6" + bytes(46),
                              b"\xff" * 12 + b"\x88\xb5" + bytes([3]) + bytes(45)):
                    guest.sendto(frame, str(peer.paths[1][1]))
                for _ in range(3):
                    self.assertEqual(len(guest.recv(2048)), 60)
                guest.settimeout(0.1)
                self.assertRaises(TimeoutError, guest.recv, 2048)
            finally:
                peer.close()


if __name__ == "__main__":
    unittest.main()
