# SPDX-License-Identifier: BSD-2-Clause
"""What tests/layering.py finds in a driver's source and in the headers beside it."""
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import layering  # noqa: E402

HEADER = """/* A chip. */
#ifndef DRIVERS_RTC_CHIP_H
#define DRIVERS_RTC_CHIP_H
struct chip {
    int count;
};
static const int table[] = {1, 2};
static const struct chip *const chips[] = {0};
static int *find(struct chip *chip)
{
    static const char name[] = "chip";
    return &chip->count;
}
static inline int count(const struct chip *chip) { return chip->count; }
static int declared(int a,
                    int b);
#endif
"""


class DriverFiles(unittest.TestCase):
    def test_a_good_one(self):
        self.assertEqual(layering.driver_faults(HEADER), [])

    def test_what_no_driver_does(self):
        for line, said in (("#ifdef CONFIG_FAST\n#endif", "has conditional compilation"),
                           ("#if 1\n#endif", "has conditional compilation"),
                           ("#ifndef OTHER\n#define ANOTHER\n#endif", "has conditional compilation"),
                           ("static int count;", "has file-scope mutable state"),
                           ("static struct chip chips[4] = {0};", "has file-scope mutable state"),
                           ("static inline void *take(void) { return malloc(4); }", "uses a heap")):
            for text in (HEADER.replace("#endif\n", line + "\n#endif\n"), line):
                self.assertEqual(layering.driver_faults(text), [said], line)


if __name__ == "__main__":
    unittest.main()
