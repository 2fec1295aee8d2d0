# SPDX-License-Identifier: BSD-2-Clause
"""How `busbar test` ends when somebody interrupts it."""
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
RUN = f"""
import sys
sys.path.insert(0, {str(TOOLS)!r})
from busbarlib import suites, testing
testing.execute([suites.script("slow", sys.argv[1], alone=False) for _ in range(2)], 2)
"""
SLOW = """
import pathlib, sys, time
pathlib.Path(sys.argv[0] + ".began").touch()
time.sleep(60)
"""


class Interrupted(unittest.TestCase):
    def test_scripts_in_other_threads_end_too(self):
        with tempfile.TemporaryDirectory() as folder:
            slow = Path(folder) / "slow.py"
            slow.write_text(SLOW)
            program = subprocess.Popen([sys.executable, "-c", RUN, str(slow)],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                end = time.monotonic() + 20
                while not Path(f"{slow}.began").exists() and time.monotonic() < end:
                    time.sleep(0.05)
                program.send_signal(signal.SIGINT)
                self.assertNotEqual(program.wait(timeout=15), 0)
            finally:
                program.kill()
                program.wait()


if __name__ == "__main__":
    unittest.main()
