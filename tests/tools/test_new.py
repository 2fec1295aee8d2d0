# SPDX-License-Identifier: BSD-2-Clause
"""What `busbar new` writes compiles."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from busbarlib import BusbarError, generate, new  # noqa: E402

WARNINGS = ["-Wall", "-Wextra", "-Wshadow", "-Wconversion", "-Wmissing-prototypes",
            "-Wno-missing-field-initializers", "-Werror"]


class Drivers(unittest.TestCase):
    def driver(self, name):
        (path, text), = new.files("driver", name)[0].items()
        self.assertEqual(path, ROOT / f"drivers/{name}.c")
        with tempfile.TemporaryDirectory(prefix="busbar") as folder:
            made = pathlib.Path(folder) / "busbar/bind.h"
            made.parent.mkdir()
            made.write_text(generate.bind_header({}), encoding="utf-8")
            done = subprocess.run(["gcc", "-std=gnu17", "-fsyntax-only", "-DBB_ARCH_HOST=1",
                                   "-DBB_DEBUG=1", *WARNINGS, f"-I{folder}",
                                   f"-I{ROOT / 'include'}", "-x", "c", "-"],
                                  input=text, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return text

    def test_a_driver_of_registers(self):
        self.assertIn("bb_mmio_bus", self.driver("rtc/example"))

    def test_drivers_of_usb_devices(self):
        for subsystem in ("input", "block", "net", "console"):
            text = self.driver(f"{subsystem}/usb_example")
            self.assertIn(".bus = &bb_usb_bus, .hotplug = true", text)
            self.assertNotIn("mmio", text)

    def test_every_folder_of_drivers(self):
        for folder in sorted((ROOT / "drivers").iterdir()):
            with self.subTest(folder.name):
                self.driver(f"{folder.name}/example")

    def test_a_usb_class_that_offers_nothing_itself(self):
        text = self.driver("usb/example")
        self.assertIn("BB_DRIVER_FACELESS(usb, example, .bus = &bb_usb_bus", text)
        self.assertNotIn("mmio", text)

    def test_names_that_are_none(self):
        for name in ("example", "rtc/Example", "usb"):
            with self.assertRaises(BusbarError):
                new.files("driver", name)
        for name in ("nothing/example", "base/example"):
            with self.assertRaisesRegex(BusbarError, "no subsystem .* block, .* usb, usb_host, "):
                new.files("driver", name)


if __name__ == "__main__":
    unittest.main()
