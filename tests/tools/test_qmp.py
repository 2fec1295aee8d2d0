# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's monitor as the tests use it: against a QEMU of our own making, and a real one."""
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from busbarlib import BusbarError, qmp  # noqa: E402
from busbarlib.qmp import Qmp, QmpError  # noqa: E402

GREETING = {"QMP": {"version": {}, "capabilities": []}}
DELETED = {"event": "DEVICE_DELETED", "data": {"device": "kbd", "path": "/x"}}


class Keys(unittest.TestCase):
    def test_what_types_a_character(self):
        self.assertEqual(qmp.keys_of("a"), ("a",))
        self.assertEqual(qmp.keys_of("A"), ("shift", "a"))
        self.assertEqual(qmp.keys_of("?"), ("shift", "slash"))
        self.assertEqual(qmp.keys_of(")"), ("shift", "0"))
        self.assertEqual(qmp.keys_of("\n"), ("ret",))
        with self.assertRaisesRegex(BusbarError, "no key"):
            qmp.keys_of("\u00fc")

    def test_each_character_of_ascii_has_keys_of_its_own(self):
        keys = [qmp.keys_of(chr(code)) for code in range(32, 127)]
        self.assertEqual(len(set(keys)), 95)


class Fake(unittest.TestCase):
    """A server that answers the n-th message with the n-th of `answers`, each a list."""

    def serve(self, *answers, greeting=GREETING):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "qmp"
        listener = socket.socket(socket.AF_UNIX)
        self.addCleanup(listener.close)
        listener.bind(str(path))
        listener.listen()
        self.heard = []

        def go():
            with listener.accept()[0] as line, line.makefile("rw") as stream:
                stream.write(json.dumps(greeting) + "\n")
                stream.flush()
                for answer in answers:
                    self.heard.append(json.loads(stream.readline() or "{}"))
                    text = "".join(json.dumps(each) + "\n" for each in answer)
                    stream.write(text[:5])  # in pieces, as a socket may
                    stream.flush()
                    stream.write(text[5:])
                    stream.flush()
        thread = threading.Thread(target=go, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 5)
        return path

    def connect(self, *answers, limit=5):
        monitor = Qmp(self.serve([{"return": {}}], *answers), limit)
        self.addCleanup(monitor.close)
        return monitor

    def test_an_answer_behind_an_event(self):
        monitor = self.connect([DELETED, {"return": 5}])
        self.assertEqual(monitor.execute("what", a=1), 5)
        self.assertEqual(self.heard[1], {"execute": "what", "arguments": {"a": 1}})
        self.assertEqual(monitor.wait("DEVICE_DELETED", device="kbd")["path"], "/x")

    def test_a_refusal_says_why(self):
        monitor = self.connect([{"error": {"class": "GenericError", "desc": "no such bus"}}])
        with self.assertRaisesRegex(QmpError, "device_add: no such bus"):
            monitor.device_add("usb-kbd", "kbd")

    def test_unplugging_waits_for_its_own_event(self):
        other = {"event": "DEVICE_DELETED", "data": {"device": "mouse"}}
        monitor = self.connect([{"return": {}}, other, DELETED])
        monitor.device_del("kbd")
        self.assertEqual(monitor.wait("DEVICE_DELETED", limit=0.1)["device"], "mouse")

    def test_silence_and_an_end_are_told(self):
        monitor = self.connect([], limit=0.3)
        with self.assertRaisesRegex(QmpError, "in time|closed"):
            monitor.execute("what")
        monitor = self.connect()
        with self.assertRaisesRegex(QmpError, "QEMU closed|QEMU's monitor: "):
            monitor.execute("what")

    def test_who_listens(self):
        with self.assertRaisesRegex(QmpError, "is no QEMU"):
            Qmp(self.serve(greeting={"hello": 1}))
        with self.assertRaisesRegex(QmpError, "no QEMU listens"):
            Qmp("/nonexistent/socket", 0.05)


@unittest.skipUnless(shutil.which("qemu-system-aarch64"), "needs qemu-system-aarch64")
class Real(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        path = self.folder / "qmp"
        process = subprocess.Popen(
            ["qemu-system-aarch64", "-M", "raspi3b", "-display", "none", "-serial", "null",
             "-monitor", "none", "-nic", "none", "-S", *Qmp.arguments(path)])
        self.addCleanup(process.wait, 10)
        self.addCleanup(process.kill)
        self.monitor = Qmp(path)
        self.addCleanup(self.monitor.close)

    def peripherals(self):
        listed = self.monitor.execute("qom-list", path="/machine/peripheral")
        return {each["name"] for each in listed if each["type"].startswith("child<")}

    def test_plugs_and_unplugs(self):
        disk = self.folder / "stick"
        disk.write_bytes(bytes(1 << 20))
        self.monitor.blockdev_add("stick", disk)
        self.monitor.netdev_add("n0")
        self.monitor.chardev_add("line", self.folder / "line")
        self.monitor.device_add("usb-hub", "hub", port="1")
        for _ in range(2):
            self.monitor.device_add("usb-kbd", "kbd", port="1.1")
            self.monitor.device_add("usb-storage", "disk", port="1.2", drive="stick")
            self.monitor.device_add("usb-net", "net", port="1.3", netdev="n0")
            self.monitor.device_add("usb-serial", "serial", port="1.4", chardev="line")
            self.assertEqual(self.peripherals(), {"hub", "kbd", "disk", "net", "serial"})
            for name in ("kbd", "disk", "net", "serial"):
                self.monitor.device_del(name)
            self.assertEqual(self.peripherals(), {"hub"})
        self.monitor.blockdev_del("stick")
        self.monitor.netdev_del("n0")
        self.monitor.chardev_remove("line")
        with self.assertRaisesRegex(QmpError, "device_del: .*kbd"):
            self.monitor.device_del("kbd")

    def test_types_points_and_takes_a_picture(self):
        self.monitor.execute("cont")  # a machine that stands takes no keys
        self.monitor.device_add("usb-hub", "hub", port="1")
        self.monitor.device_add("usb-kbd", "kbd", port="1.1")
        self.monitor.device_add("usb-mouse", "mouse", port="1.2")
        self.monitor.type("aB\n", hold=0)
        self.monitor.move(3, -4)
        self.monitor.button("left", True)
        self.monitor.screendump(self.folder / "screen.png")
        self.assertEqual((self.folder / "screen.png").read_bytes()[:4], b"\x89PNG")


if __name__ == "__main__":
    unittest.main()
