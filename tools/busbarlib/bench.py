# SPDX-License-Identifier: BSD-2-Clause
"""`busbar bench`: what a block request and a network frame cost through the public API, and on a second
device of the same kind by a loop written by hand, in one run of one image (tests/apps/bench).

Guest instructions: with -icount shift=4 the 62.5 MHz counter of QEMU's Arm machines ticks once for
each. The disk is QEMU's null-co, the network a socket to a peer of ours that loses nothing.

On this machine, in nanoseconds: reads of a file that is cached and of a disk in memory, beside
pread(2) and memcpy() (tests/apps/bench_host)."""
import json
import os
import re
import select
import socket
import tempfile
import threading
from pathlib import Path

from . import ROOT, BusbarError, build, common, run, suites
from .tcp_peer import TcpPeer

APP = ROOT / "tests/apps/bench"
PLATFORM = "virt-arm64"
ICOUNT = ["-icount", "shift=4,sleep=off"]
# What is to be reached, in instructions for each operation (docs/tests.md).
FIGURES = {
    "read1": ("4 KiB random read, depth 1", 100),
    "read32": ("4 KiB random read, depth 32, each", 60),
    "send": ("send a frame of 60 bytes, pipelined, each", 20),
    "receive": ("receive a frame of 60 bytes with refill, each", 32),
}
TCP_APP = ROOT / "tests/apps/bench_tcp"
TCP_FIGURES = {"tcp": "receive a TCP segment of 1460 bytes by lwIP"}
USB_APP = ROOT / "tests/apps/bench_usb"
USB_PLATFORM = "raspi3b"
USB_FIGURES = {"usb64k": "sequential read of 64 KiB from a USB stick, each 512 bytes"}
HOST_APP = ROOT / "tests/apps/bench_host"
HOST_PLATFORM = ROOT / "tests/bench/host_ram"
HOST_BYTES = 16 << 20
HOST_FIGURES = {
    "file1": "4 KiB random read of a file, depth 1",
    "file32": "4 KiB random read of a file, depth 32, each",
    "ram1": "4 KiB random read of memory, depth 1",
    "ram32": "4 KiB random read of memory, depth 32, each",
}
MACS = ("52:54:00:00:00:01", "52:54:00:01:00:02")
DISKS = (1 << 30, 2 << 30)  # bytes, by which the guest tells them apart
ASK = b"\x88\xb5"
ANSWER = b"\xff" * 12 + b"\x88\xb6" + bytes(46)
LINE = re.compile(r"bench (\w+) (framework|hand) (\d+) (\d+) (\d+) of (\d+)$", re.MULTILINE)


class Peer:
    """The other end of both networks: it swallows every frame, and answers one that asks. With `tcp`
    the first is the other end of a connection instead."""

    def __init__(self, folder, tcp=False):
        self.paths = [(folder / f"guest{i}", folder / f"peer{i}") for i in range(len(MACS))]
        self.sockets = []
        for _, own in self.paths:
            self.sockets.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            self.sockets[-1].bind(str(own))
        self._tcp = TcpPeer(lambda frame: self._send(0, frame)) if tcp else None
        self._end = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def arguments(self, modern=True):
        """QEMU's, for the network cards at the other ends."""
        argv = ["-global", "virtio-mmio.force-legacy=false"] if modern else []
        for index, ((guest, own), mac) in enumerate(zip(self.paths, MACS)):
            argv += ["-netdev", f"dgram,id=bench{index},local.type=unix,local.path={guest},"
                     f"remote.type=unix,remote.path={own}",
                     "-device", f"virtio-net-device,netdev=bench{index},mac={mac}"]
        return argv

    def _send(self, index, frame):
        try:
            self.sockets[index].sendto(frame, str(self.paths[index][0]))
        except OSError:  # QEMU is not there yet, or not any more
            pass

    def _serve(self):
        while True:
            readable, _, _ = select.select([*self.sockets, self._end[0]], [], [], 0.1)
            if self._end[0] in readable:
                return
            if self._tcp:
                self._tcp.tick()
            for each in readable:
                frame = each.recv(65536)
                if self._tcp:
                    self._tcp.feed(frame)
                elif frame[12:14] == ASK:
                    for _ in range(frame[14]):
                        self._send(self.sockets.index(each), ANSWER)

    def close(self):
        os.write(self._end[1], b"x")
        self._thread.join()
        for each in self.sockets:
            each.close()
        for end in self._end:
            os.close(end)


def disk_arguments():
    argv = []
    for index, size in enumerate(DISKS):
        argv += ["-blockdev", f"driver=null-co,node-name=bench{index},size={size},read-zeroes=off",
                 "-device", f"virtio-blk-device,drive=bench{index}"]
    return argv


def read(text):
    """{figure: {"framework": .., "hand": ..}} of what was printed: the cost of an operation, as the
    median with the least and the most of all rounds."""
    found = {}
    for figure, who, middle, least, most, rounds in LINE.findall(text.replace("\r", "")):
        found.setdefault(figure, {})[who] = {
            "median": int(middle) / 100, "least": int(least) / 100, "most": int(most) / 100,
            "rounds": int(rounds)}
    return found


def play(machine, figures):
    """Runs a measuring application and returns what read() makes of it."""
    boot = suites.Boot("bench", machine, [], timeout=300, exit_status=0)
    failure, seen = suites.play(boot, run.make(machine))
    found = read(seen)
    if failure or set(found) != set(figures):
        raise BusbarError(f"not all was measured: {failure or 'no figures'}\n{seen}")
    return found


def measure(compiler="gcc", more=()):
    """Instructions, in QEMU."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(Path(folder))
        try:
            return play(run.Machine(PLATFORM, str(APP), compiler=compiler,
                                    extra=[*ICOUNT, *disk_arguments(), *peer.arguments(), *more]),
                        FIGURES)
        finally:
            peer.close()


def measure_tcp(compiler="gcc", more=()):
    """Instructions for a received segment, in QEMU."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Peer(Path(folder), tcp=True)
        try:
            return play(run.Machine(PLATFORM, str(TCP_APP), compiler=compiler,
                                    extra=[*ICOUNT, *peer.arguments()[:6], *more]), TCP_FIGURES)
        finally:
            peer.close()


def measure_usb(compiler="gcc", more=()):
    """Instructions for a block of a stick in the root port, in QEMU."""
    stick = ["-blockdev", f"driver=null-co,node-name=bench,size={DISKS[0]},read-zeroes=off",
             "-device", "usb-storage,drive=bench,port=1"]
    return play(run.Machine(USB_PLATFORM, str(USB_APP), compiler=compiler,
                            extra=[*ICOUNT, *stick, *more]), USB_FIGURES)


def measure_host(compiler="gcc"):
    """Nanoseconds, here."""
    with tempfile.TemporaryDirectory(dir=build.BUILD) as folder:
        disk = Path(folder) / "disk"
        disk.write_bytes(os.urandom(HOST_BYTES))
        words = f"host_file.cached=yes ram.size={HOST_BYTES} file={disk}"
        return play(run.Machine(str(HOST_PLATFORM), str(HOST_APP), compiler=compiler,
                                append=words, disks=[str(disk)]), HOST_FIGURES)


def entry(name, what, unit, each, **more):
    ours, hand = each["framework"], each.get("hand")
    ratio = round(ours["median"] / hand["median"], 2) if hand else None
    return {"figure": name, "what": what, "unit": unit, **more, "framework": ours, "hand": hand,
            "ratio": ratio}


def report(compiler="gcc"):
    """All that --json prints."""
    guest, tcp, host = measure(compiler), measure_tcp(compiler), measure_host(compiler)
    stick = measure_usb(compiler)
    figures = [entry(name, what, "instructions", guest[name], reach=reach)
               for name, (what, reach) in FIGURES.items()]
    figures += [entry(name, what, "instructions", tcp[name], reach=None)
                for name, what in TCP_FIGURES.items()]
    figures += [entry(name, what, "instructions", stick[name],
                      reach=round(1.1 * stick[name]["hand"]["median"], 1))
                for name, what in USB_FIGURES.items()]
    figures += [entry(name, what, "ns", host[name], reach=None)
                for name, what in HOST_FIGURES.items()]
    return {"platform": PLATFORM, "compiler": compiler, "figures": figures}


def spread(cost):
    return f"{cost['median']:g} ({cost['least']:g} to {cost['most']:g})"


def bench(compiler, as_json):
    """The command."""
    answer = report(compiler)
    if as_json:
        print(json.dumps(answer, indent=2))
        return 0
    rows = [("GUEST INSTRUCTIONS", "BUSBAR", "BY HAND", "RATIO", "REACH", "")]
    for each in answer["figures"]:
        if each["unit"] == "ns":
            continue
        ours, hand, reach = each["framework"]["median"], each["hand"], each["reach"]
        rows.append((each["what"], f"{ours:g}", f"{hand['median']:g}" if hand else "-",
                     f"{each['ratio']:.2f}" if hand else "-", reach or "-",
                     "" if not reach else "reached" if ours <= reach else "missed"))
    common.table(rows)
    print()
    common.table([("NANOSECONDS HERE", "BUSBAR", "BY HAND", "RATIO")] + [
        (each["what"], spread(each["framework"]), spread(each["hand"]), f"{each['ratio']:.2f}")
        for each in answer["figures"] if each["unit"] == "ns"])
    return 0
