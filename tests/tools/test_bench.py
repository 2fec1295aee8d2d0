# SPDX-License-Identifier: BSD-2-Clause
"""What tests/bench/bound_calls.py takes for a call as good as one by hand."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import bound_calls  # noqa: E402

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


if __name__ == "__main__":
    unittest.main()
