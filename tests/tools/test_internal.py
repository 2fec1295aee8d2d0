# SPDX-License-Identifier: BSD-2-Clause
"""An application reaches a driver's internals only when its app.toml says so."""
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import BusbarError, build, manifest  # noqa: E402


class Internal(unittest.TestCase):
    def test_blink_builds(self):
        self.assertTrue(build.build("raspi3b", "blink").exists())

    def test_without_the_line_it_does_not_build(self):
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "blink_outside"
            shutil.copytree(ROOT / "apps/blink", copy)
            text = (copy / "app.toml").read_text(encoding="utf-8")
            (copy / "app.toml").write_text(text.replace("internal = true\n", ""), encoding="utf-8")
            done = subprocess.run([ROOT / "tools/busbar", "build", "raspi3b", "--app", str(copy)],
                                  capture_output=True, text=True, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("drivers/gpio/bcm2835_gpio.h: No such file", done.stdout + done.stderr)

    def test_a_platform_without_the_driver_is_refused(self):
        with self.assertRaisesRegex(BusbarError, "gpio/bcm2835_gpio"):
            build.build("virt-arm64", manifest.load_app("blink"))


if __name__ == "__main__":
    unittest.main()
