# SPDX-License-Identifier: BSD-2-Clause
"""What `explain` says of real trees: who drives what, and an honest reason for the rest."""
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import desk, manifest, setup  # noqa: E402


def nodes(platform, dtb=None):
    answer = desk.desk(manifest.load_platform(platform), dtb)
    return {node["path"]: node for node in answer["nodes"]}


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        setup.ensure_trees()

    def test_the_pi_3_is_driven(self):
        found = nodes("raspi3b")
        console = found["/soc/serial@7e215040"]
        self.assertEqual((console["state"], console["driver"], console["reason"]),
                         ("bound", "console/bcm2835_aux", None))
        self.assertIn({"type": "reg", "index": 0, "address": 0x3F215040, "size": 64},
                      console["resources"])
        self.assertEqual(console["without"], [])
        self.assertIn("/soc/aux@7e215000", console["depends"])
        self.assertEqual(found["/soc"]["reason"]["code"], "bus")
        self.assertEqual(found["/soc/mmc@7e202000"]["driver"], "block/bcm2835_sdhost")
        self.assertEqual(found["/soc/usb@7e980000"]["driver"], "usb_host/dwc2")
        self.assertEqual(found["/soc/pwm@7e20c000"]["reason"]["code"], "no-driver")
        port = found["/soc/usb@7e980000/usb1@1/ethernet@1"]["reason"]
        self.assertEqual(port["code"], "found-by-bus")
        self.assertIn("a node of its own", port["text"])

    def test_a_pi_4_tree_says_what_is_missing(self):
        found = nodes("raspi3b", "bcm2711-rpi-4-b.dtb")
        timer = found["/timer"]["reason"]
        self.assertEqual((timer["code"], timer["node"]),
                         ("waiting", "/soc/interrupt-controller@40041000"))
        self.assertIn("the manifest leaves out irq/gic_v2", timer["text"])
        left_out = found["/soc/interrupt-controller@40041000"]["reason"]
        self.assertEqual((left_out["code"], left_out["driver"]), ("not-in-manifest", "irq/gic_v2"))
        missing = {each["class"] for each in found["/soc/serial@7e201000"]["without"]}
        self.assertEqual(missing, {"clock", "irq", "pins"})

    def test_a_manifest_that_leaves_a_provider_out(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "platform.toml"
            path.write_text('extends = "raspi3b"\ndrivers.remove = ["mailbox/bcm2835"]\n',
                            encoding="utf-8")
            firmware = nodes(str(path))["/soc/firmware"]
        self.assertEqual(firmware["reason"]["code"], "waiting")
        self.assertIn("the manifest leaves out mailbox/bcm2835", firmware["reason"]["text"])


if __name__ == "__main__":
    unittest.main()
