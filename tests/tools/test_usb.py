# SPDX-License-Identifier: BSD-2-Clause
"""Which USB device is plugged in where, and what else `busbar run` attaches to a board."""
import argparse
import contextlib
import io
import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from busbarlib import BusbarError, cli, manifest, peripherals, run, suites, usb  # noqa: E402
from test_run import Folder  # noqa: E402


class Ports(unittest.TestCase):
    def ports(self, *kinds, room=1):
        return [(each.name, each.port) for each in usb.settle(map(usb.plug, kinds), room)]

    def test_one_device_has_the_root_port(self):
        self.assertEqual(self.ports("keyboard"), [("keyboard0", "1")])
        self.assertEqual(self.ports("keyboard", "mouse", room=2),
                         [("keyboard0", "1"), ("mouse0", "2")])

    def test_more_share_a_hub(self):
        self.assertEqual(self.ports("keyboard", "storage:a", "storage:b"),
                         [("hub0", "1"), ("keyboard0", "1.1"), ("storage0", "1.2"),
                          ("storage1", "1.3")])

    def test_what_follows_a_hub_is_plugged_into_it(self):
        self.assertEqual(self.ports("hub", "mouse"), [("hub0", "1"), ("mouse0", "1.1")])
        self.assertEqual(self.ports("keyboard", "hub", "hub", "mouse"),
                         [("hub0", "1"), ("keyboard0", "1.1"), ("hub1", "1.2"), ("hub2", "1.2.1"),
                          ("mouse0", "1.2.1.1")])

    def test_a_full_hub_gets_another_in_its_last_port(self):
        eight = self.ports(*["mouse"] * 8)
        self.assertEqual(eight[-1], ("mouse7", "1.8"))
        nine = self.ports(*["mouse"] * 9)
        self.assertEqual(nine[8:], [("hub1", "1.8"), ("mouse7", "1.8.1"), ("mouse8", "1.8.2")])

    def test_no_port_is_used_twice(self):
        for count in range(1, 37):
            ports = [port for _, port in self.ports(*["mouse"] * count)]
            self.assertEqual(len(set(ports)), len(ports))
            self.assertTrue(all(int(step) <= 8 for port in ports for step in port.split(".")))

    def test_five_hubs_in_a_row_and_no_more(self):
        self.assertEqual(self.ports(*["hub"] * 5, "mouse")[-1], ("mouse0", "1.1.1.1.1.1"))
        with self.assertRaisesRegex(BusbarError, "more than 5 hubs"):
            self.ports(*["hub"] * 6)
        with self.assertRaisesRegex(BusbarError, "more than 5 hubs"):
            self.ports(*["mouse"] * 37)

    def test_what_was_asked_for_stays_as_it_was(self):
        asked = [usb.plug("hub"), usb.plug("mouse")]
        usb.settle(asked, 1)
        self.assertEqual(usb.settle(asked, 1)[1].port, "1.1")
        self.assertEqual(asked[0].children, [])

    def test_refusals(self):
        for text, said in (("keybord", "did you mean 'keyboard'"), ("", "there are keyboard"),
                           ("storage", "storage:FILE"), ("storage:", "storage:FILE"),
                           ("mouse:a", "takes no file"), ("serial:", "wants a name")):
            with self.assertRaisesRegex(argparse.ArgumentTypeError, re.escape(said), msg=text):
                usb.plug(text)


class Attached(Folder):
    def argv(self, platform="raspi3b", **options):
        return run.prepare(run.Machine(platform, **options), Path("a.img"), True).argv

    def plugged(self, *kinds, **options):
        argv = self.argv(usb=[usb.plug(kind) for kind in kinds], **options)
        return argv, [argv[at + 1] for at, word in enumerate(argv) if word == "-device"]

    def test_devices_and_what_is_behind_them(self):
        stick = self.file("a,b.img", "raw")
        argv, devices = self.plugged("keyboard", f"storage:{stick}", "serial", "serial:/tmp/s")
        self.assertEqual(devices, [
            "usb-hub,id=hub0,port=1", "usb-kbd,id=keyboard0,port=1.1",
            "usb-storage,id=storage0,port=1.2,drive=storage0-file",
            "usb-serial,id=serial0,port=1.3,chardev=serial0-line,always-plugged=on",
            "usb-serial,id=serial1,port=1.4,chardev=serial1-line,always-plugged=on"])
        self.assertIn("driver=raw,node-name=storage0-file,file.driver=file,"
                      f"file.filename={self.folder.resolve()}/a,,b.img", argv)
        self.assertIn("null,id=serial0-line", argv)
        self.assertIn("socket,path=/tmp/s,server=on,wait=off,id=serial1-line", argv)
        with self.assertRaisesRegex(BusbarError, "--usb storage:nowhere.img: no such file; .*"
                                                 "truncate -s 64M nowhere.img"):
            self.plugged("storage:nowhere.img")

    def test_the_network_is_a_usb_device_of_a_board(self):
        forwards = [peripherals.forward("0:80")]
        argv, devices = self.plugged("keyboard", forwards=forwards)
        self.assertEqual(devices, ["usb-hub,id=hub0,port=1",
                                   "usb-net,id=net0,port=1.1,netdev=net0",
                                   "usb-kbd,id=keyboard0,port=1.2"])
        self.assertRegex(" ".join(argv), r"user,id=net0,hostfwd=tcp:127.0.0.1:\d+-:80")
        argv, devices = self.plugged("net", "net", forwards=forwards)
        self.assertEqual(devices[1:], ["usb-net,id=net0,port=1.1,netdev=net0",
                                       "usb-net,id=net1,port=1.2,netdev=net1"])
        self.assertEqual(" ".join(argv).count("hostfwd"), 1)
        self.assertIn("user,id=net1", argv)
        self.assertEqual(self.plugged(net=True)[1], ["usb-net,id=net0,port=1,netdev=net0"])

    def test_a_card(self):
        card = self.folder / "card.img"
        card.write_bytes(bytes(1 << 20))
        argv = self.argv(disks=[str(card)])
        self.assertIn(f"if=sd,index=0,format=raw,file={card.resolve()}", argv)
        with self.assertRaisesRegex(BusbarError, r"--disk b: .*one slot.*--usb storage:b"):
            self.argv(disks=[str(card), "b"])
        for size, better in ((512, 1), ((1 << 20) + 512, 2), (5 << 20, 8)):
            card.write_bytes(bytes(size))
            with self.assertRaisesRegex(BusbarError, f"power of two.*truncate -s {better}M "):
                self.argv(disks=[str(card)])

    def test_a_platform_without_usb(self):
        with self.assertRaisesRegex(BusbarError, "--usb mouse: .*platform.toml names no USB"):
            self.plugged("mouse", platform="virt-arm64")
        with self.assertRaisesRegex(BusbarError, "--usb: host runs without QEMU"):
            self.plugged("mouse", platform="host")

    def test_a_screen_brings_a_keyboard(self):
        with mock.patch.object(peripherals, "window", lambda program: "gtk"):
            argv, devices = self.plugged(screen=True)
            self.assertEqual(argv[argv.index("-display") + 1], "gtk")
            self.assertEqual([each.split(",")[0] for each in devices],
                             ["usb-hub", "usb-kbd", "usb-mouse"])
            self.assertEqual(self.plugged("tablet", screen=True)[1],
                             ["usb-tablet,id=tablet0,port=1"])
            self.assertNotIn("-device", self.argv("virt-arm64", screen=True))

    def test_who_sits_at_a_terminal_has_a_keyboard(self):
        def equipped(platform="raspi3b", **options):
            return [each.kind for each in run.equip(run.Machine(platform, **options)).usb]
        heard = io.StringIO()
        with contextlib.redirect_stderr(heard):
            self.assertEqual(equipped(), ["keyboard"])
        self.assertRegex(heard.getvalue(), r"\Abusbar: a USB keyboard is plugged in; .*\n\Z")
        self.assertEqual(equipped(usb=[usb.plug("mouse")]), ["mouse"])
        self.assertEqual(equipped(usb=[usb.plug("none")]), ["none"])
        self.assertEqual(equipped(screen=True), [])  # it brings its own
        self.assertEqual(equipped("virt-arm64"), [])
        self.assertEqual(equipped("host"), [])
        self.assertEqual(self.plugged("none")[1], [])
        self.assertEqual(self.plugged("none", "mouse")[1], ["usb-mouse,id=mouse0,port=1"])

    def test_only_at_a_terminal(self):
        for steps, terminal, calls in (([], True, 1), ([], False, 0), ([("send", "a")], True, 0)):
            with mock.patch.object(run.os, "isatty", lambda _, answer=terminal: answer), \
                    mock.patch.object(run, "equip", side_effect=lambda machine: machine) as equip, \
                    mock.patch.object(run, "make", side_effect=BusbarError("far enough")), \
                    self.assertRaisesRegex(BusbarError, "far enough"):
                run.run(run.Machine(), steps, None)
            self.assertEqual(equip.call_count, calls)

    def test_no_window_here(self):
        def listed(*kinds):
            done = subprocess.CompletedProcess([], 0, "Available:\nnone\n" + "\n".join(kinds), "")
            return mock.patch.object(peripherals.common, "run", lambda *_, **__: done)
        with mock.patch.dict(os.environ, clear=True), mock.patch.object(sys, "platform", "linux"), \
                listed("gtk"), self.assertRaisesRegex(BusbarError, "DISPLAY is not set.*--screens"):
            peripherals.window("qemu")
        with mock.patch.dict(os.environ, {"DISPLAY": ":0"}):
            with listed("curses"), self.assertRaisesRegex(BusbarError, "qemu-system-gui"):
                peripherals.window("qemu")
            with listed("sdl", "gtk"):
                self.assertEqual(peripherals.window("qemu"), "gtk")


class Manifest(Folder):
    def test_ports_of_the_root(self):
        self.assertEqual(manifest.load_platform("raspi3b").qemu.usb_ports, 1)
        for value, said in (("16", "from 0 to 15"), ('"1"', "whole number"), ("true", "whole")):
            self.file("platform.toml", f'extends = "raspi3b"\n[qemu]\nusb_ports = {value}\n')
            with self.assertRaisesRegex(manifest.ManifestError, f":3: qemu.usb_ports: .*{said}"):
                manifest.load_platform(str(self.folder))


class Screenshot(Folder):
    def test_a_machine_that_is_gone(self):
        heard = io.StringIO()
        with run.Camera(self.folder / "a.png") as camera, contextlib.redirect_stderr(heard):
            self.assertFalse(camera.take(limit=0.05))
        self.assertRegex(heard.getvalue(), r"\Abusbar: no screenshot: .*no QEMU listens\n\Z")

    def test_a_folder_that_is_not_there(self):
        with self.assertRaisesRegex(BusbarError, "--screenshot .*: no such folder"):
            run.Camera(self.folder / "none" / "a.png")

    def test_not_as_a_process(self):
        heard = io.StringIO()
        with contextlib.redirect_stderr(heard):
            self.assertEqual(cli.main(["run", "host", "--screenshot", "a.png"]), 1)
        self.assertEqual(heard.getvalue(), "busbar: --screenshot: host has no screen; leave it out\n")


class BootFiles(Folder):
    TEXT = '[[run]]\nname = "a"\nplatform = "raspi3b"\nsteps = []\nusb = '

    def test_sticks_have_sizes(self):
        (boot,) = suites.read_boot(self.file("a.toml", self.TEXT + '["keyboard", "storage:8M"]'))
        self.assertEqual(boot.usb, [("keyboard", 0), ("storage", 8 << 20)])
        for text, said in (('["keybord"]', "keyboard"), ('["storage"]', "wants a file"),
                           ('["storage:x"]', "a size"), ("[5]", "usb: "), ('"hub"', "wrong type")):
            with self.assertRaisesRegex(BusbarError, said):
                suites.read_boot(self.file("a.toml", self.TEXT + text))


if __name__ == "__main__":
    unittest.main()
