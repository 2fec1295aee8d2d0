#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""An echo over TCP compares equal, both ways, though one frame in a hundred is lost each way.

    python3 tests/boot/lossy.py [MIB]

The guest's frames go through a relay here, which drops some, to the user network of a second QEMU
that has no machine: its TCP, which is not ours, is the peer. What is sent to the guest comes back
from it, so that either side has to repeat what the other did not get."""
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LOSS = 0.01
DEFAULT = 4  # MiB: seconds, not minutes
BUILD_TIME = 300  # seconds; the first run builds
CONNECT_TIME = 60
QUIET_TIME = 60  # without a byte: given up


class Relay:
    """Carries frames between two datagram sockets of QEMU, and loses some of them."""

    def __init__(self, folder):
        self.ends = []
        self.carried, self.lost = [0, 0], [0, 0]
        for name in ("guest", "peer"):
            end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            end.bind(f"{folder}/relay-{name}")
            self.ends.append((end, f"{folder}/{name}"))
        for way in (0, 1):
            threading.Thread(target=self.carry, args=(way,), daemon=True).start()

    def carry(self, way):
        chance = random.Random(way + 1)
        source, (sink, address) = self.ends[way][0], self.ends[1 - way]
        while True:
            frame = source.recv(65536)
            self.carried[way] += 1
            if chance.random() < LOSS:
                self.lost[way] += 1
                continue
            try:
                sink.sendto(frame, address)
            except OSError:  # the other side is not there yet, or not any more
                pass


def netdev(folder, name):
    return (f"dgram,id=link,local.type=unix,local.path={folder}/{name},"
            f"remote.type=unix,remote.path={folder}/relay-{name}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_peer(folder, port):
    return subprocess.Popen(
        ["qemu-system-aarch64", "-machine", "none", "-nographic", "-monitor", "none",
         "-serial", "none",
         "-netdev", f"user,id=user,hostfwd=tcp:127.0.0.1:{port}-10.0.2.15:7",
         "-netdev", netdev(folder, "peer"),
         "-netdev", "hubport,id=a,hubid=1,netdev=user",
         "-netdev", "hubport,id=b,hubid=1,netdev=link"], stdin=subprocess.DEVNULL)


def start_guest(folder):
    """The guest, once it says that it listens."""
    guest = subprocess.Popen(
        [ROOT / "tools/busbar", "run", "virt-arm64", "--app", "echo", "--timeout", "1200",
         "--expect", "never said", "--", "-netdev", netdev(folder, "guest"),
         "-device", "virtio-net-device,netdev=link"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace")
    said = []
    ready = threading.Event()

    def listen():
        for line in guest.stdout:
            said.append(line)
            if "echo on port 7" in line:
                ready.set()
        ready.set()
    threading.Thread(target=listen, daemon=True).start()
    ready.wait(BUILD_TIME)
    return guest, said


def connect(port):
    """A connection that reaches the guest: it answers one byte."""
    end = time.monotonic() + CONNECT_TIME
    while time.monotonic() < end:
        try:
            link = socket.create_connection(("127.0.0.1", port), timeout=10)
            link.sendall(b"x")
            if link.recv(1) == b"x":
                link.settimeout(QUIET_TIME)
                return link
        except OSError:
            time.sleep(0.2)
    return None


def exchange(link, data):
    """What comes back of `data`."""
    def send():
        rest = memoryview(data)
        try:
            while rest:  # sendall() would take QUIET_TIME as the limit of it all
                rest = rest[link.send(rest[:1 << 16]):]
            link.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the reader sees the end
    sender = threading.Thread(target=send)
    sender.start()
    back = bytearray()
    try:
        while part := link.recv(1 << 20):
            back += part
    except OSError as error:
        print(f"after {len(back)} bytes: {error}")
    link.close()
    sender.join()
    return bytes(back)


def main():
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else DEFAULT) * (1 << 20))
    with tempfile.TemporaryDirectory() as folder:
        relay = Relay(folder)
        port = free_port()
        peer = start_peer(folder, port)
        guest, said = start_guest(folder)
        try:
            link = connect(port)
            if not link:
                print("FAIL the guest answers\n", *said)
                return 1
            data = os.urandom(size)
            began = time.monotonic()
            back = exchange(link, data)
            seconds = time.monotonic() - began
        finally:
            for process in (guest, peer):
                process.terminate()
                process.wait()
    well = back == data and all(relay.lost)
    print(f"{'ok  ' if well else 'FAIL'} {len(back)} of {size} bytes came back"
          f"{', equal' if back == data else ''}, in {seconds:.1f} s; frames lost: "
          f"{relay.lost[0]} of {relay.carried[0]} from the guest, "
          f"{relay.lost[1]} of {relay.carried[1]} to it")
    if not well:
        print(*said)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
