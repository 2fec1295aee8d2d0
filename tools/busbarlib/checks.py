# SPDX-License-Identifier: BSD-2-Clause
"""What a boot test says of each thing that it looked at, and its exit status in the end.

    checks = Checks()
    checks("the prompt is there", "busbar>" in text, text)
    sys.exit(checks.status())
"""


class Checks:
    def __init__(self):
        self.failures = 0

    def __call__(self, what, good, *heard):
        """A line; what was heard is shown where it is not as it should be."""
        self.failures += not good
        print(f"{'ok  ' if good else 'FAIL'} {what}", flush=True)
        if not good:
            print(*heard, sep="\n", flush=True)

    def status(self):
        return 1 if self.failures else 0
