# SPDX-License-Identifier: BSD-2-Clause
"""What `busbar fuzz` makes of libFuzzer's words."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from busbarlib import BusbarError, fuzz  # noqa: E402

WELL = """\
INFO: Loaded 1 modules   (571 inline 8-bit counters): 571 [0x55, 0x56),
#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 31Mb
#900\tDONE   cov: 138 ft: 300 corp: 50/1Kb exec/s: 450 rss: 40Mb
stat::number_of_executed_units: 900
"""
CRASH = WELL + "artifact_prefix='b/'; Test unit written to b/http-crash-da39a3ee\n"


class Judging(unittest.TestCase):
    def test_counts(self):
        outcome = fuzz.judge("http", 0, WELL)
        self.assertEqual(outcome.remark, "900 executions, 138 of 571 edges")
        self.assertIsNone(fuzz.failure(outcome))

    def test_failures(self):
        said = fuzz.failure(fuzz.judge("http", 77, CRASH))
        self.assertRegex(said, r"^http: found an input that fails; again: \S*fuzz_http "
                               r"b/http-crash-da39a3ee$")
        self.assertIn("status None after 0", fuzz.failure(fuzz.judge("http", None, "")))
        self.assertIn("after 0 executions", fuzz.failure(fuzz.judge("http", 0, "")))

    def test_targets(self):
        self.assertIn("tree", fuzz.targets())
        with self.assertRaisesRegex(BusbarError, "no fuzz target 'tre'; did you mean 'tree'"):
            fuzz.choose(["tre"])

    def test_the_length_that_a_target_asks_for(self):
        argv = [str(word) for word in fuzz.command(Path("/tmp/none"), "tree", 7)]
        self.assertIn("-max_len=65536", argv)
        self.assertIn("-max_total_time=7", argv)


if __name__ == "__main__":
    unittest.main()
