#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The web page on virt-arm64, host and the Pi: its JSON, HTTP as clients should and should not speak it, 64
connections and load. What a browser makes of it is browser_page.py's.

    python3 tests/boot/webpage.py [--requests 10000] [--only PART] [PLATFORM...]
"""
import argparse
import gzip
import http.client
import json
import re
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
REQUESTS, AT_ONCE = 2000, 32
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


class Machine:
    """`tools/busbar run` with a page behind a port of this machine."""

    def __init__(self, platform, folder):
        disk = Path(folder) / "disk"
        with open(disk, "wb") as file:
            file.truncate(8 << 20)
        self.program = subprocess.Popen(
            [ROOT / "tools/busbar", "run", platform, "--app", "webpage", "--forward", "0:80",
             "--disk", disk, "--timeout", "500"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.heard, self.port = "", None

    def wait(self, limit=300):
        """Until it has an address; the port of 127.0.0.1."""
        end = time.monotonic() + limit
        while "webpage: http://" not in self.heard:
            ready = select.select([self.program.stdout], [], [], 1)[0]
            data = self.program.stdout.read1(65536) if ready else b""
            self.heard += data.decode("utf-8", "replace")
            if time.monotonic() > end or (ready and not data):
                raise OSError("the page did not come up:\n" + self.heard)
        self.port = int(re.search(r"http://127\.0\.0\.1:(\d+)/", self.heard)[1])
        threading.Thread(target=self._listen, daemon=True).start()
        return self.port

    def _listen(self):
        while data := self.program.stdout.read1(65536):
            self.heard += data.decode("utf-8", "replace")

    def end(self):
        self.program.send_signal(signal.SIGINT)
        try:
            self.program.wait(20)
        except subprocess.TimeoutExpired:
            self.program.kill()


class Checks:
    def __init__(self, platform, port, requests=REQUESTS):
        self.platform, self.port, self.well = platform, port, True
        self.requests = requests

    def check(self, what, well, *heard):
        print(f"{'ok  ' if well else 'FAIL'} {self.platform}: {what}", flush=True)
        if not well:
            print(*heard, sep="\n", flush=True)
        self.well &= bool(well)

    # ---- Ways to ask

    def ask(self, path, method="GET", connection=None, **headers):
        one = connection or http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        one.request(method, path, headers={name.replace("_", "-"): value
                                           for name, value in headers.items()})
        answer = one.getresponse()
        answer.body = answer.read()
        if not connection:
            one.close()
        return answer

    def json(self, path):
        return json.loads(self.ask(path).body)

    def raw(self, data, pieces=1, pause=0.0):
        """Everything that comes back until the other side ends the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            size = -(-len(data) // pieces)
            for at in range(0, len(data), size):
                one.sendall(data[at : at + size])
                time.sleep(pause)
            heard = b""
            try:
                while part := one.recv(65536):
                    heard += part
            except (ConnectionResetError, TimeoutError) as error:
                heard += f"<{error}>".encode()
        return heard

    # ---- What is checked

    def documents(self):
        system = self.json("/api/system")
        self.check("/api/system names the platform", system["platform"] == self.platform, system)
        wall = system["wall"]  # the Pi has no clock, and its network here no time server
        right = wall is None if self.platform == "raspi3b" else abs(wall - time.time()) < 60
        self.check("and its memory and time", right
                   and 0 < system["arena"]["used"] <= system["arena"]["size"], system)
        devices = self.json("/api/devices")["devices"]
        net = [each for each in devices if each["alias"] == "net0"]
        self.check("/api/devices has net0, running", net and net[0]["state"] == "running"
                   and net[0]["driver"].startswith("net/"), devices)
        first, second = self.json("/api/store"), self.json("/api/store")
        count = [next(value["value"] for value in store["values"]
                      if (value["device"], value["name"]) == ("net0", "received"))
                 for store in (first, second)]
        self.check("/api/store counts the frames that ask for it", count[0] < count[1]
                   and first["uptime_ns"] < second["uptime_ns"], count)
        log = self.json("/api/log")
        self.check("/api/log has what was logged", any("webpage: http://" in entry["text"]
                                                       for entry in log["entries"]), log)
        rest = self.json(f"/api/log?since={log['entries'][-1]['sequence']}")["entries"]
        self.check("and only what is new when asked for it",
                   rest and rest[0] == log["entries"][-1], rest)
        self.check("a number that is none is a bad request",
                   self.ask("/api/log?since=x").status == 400)
        disks = self.json("/api/block")["disks"]
        self.check("/api/block has the disk", [disk["blocks"] * disk["block_size"] for disk in disks
                                               if disk["name"] == "disk0"] == [8 << 20], disks)

    def board(self):
        """What the Pi has besides: its board, and the network card at which this arrives."""
        board = self.json("/api/board")
        rates = {clock["name"]: clock["hz"] for clock in board["clocks"]}
        self.check("/api/board has revision and clocks", board["revision"] == "a02082"
                   and rates["arm"] > 0 and rates["core"] > 0, board)
        devices = self.json("/api/usb")["devices"]
        self.check("/api/usb has the network card", any(
            "net/usb_cdc_ecm" in device["drivers"] and device["vendor"] == "0525"
            for device in devices), devices)

    def page(self):
        source = (ROOT / "apps/webpage/page.html").read_bytes()
        for name, kind in (("page.css", "css"), ("page.js", "javascript")):
            part = self.ask(f"/{name}", Accept_Encoding="gzip")
            self.check(f"{name} is there", part.headers["Content-Type"].startswith(f"text/{kind};")
                       and gzip.decompress(part.body)
                       == (ROOT / "apps/webpage" / name).read_bytes(), part.headers)
        plain, packed = self.ask("/"), self.ask("/", Accept_Encoding="br, gzip")
        self.check("the page comes plain", plain.status == 200 and plain.body == source,
                   plain.headers)
        self.check("and compressed where that is accepted",
                   packed.headers["Content-Encoding"] == "gzip"
                   and gzip.decompress(packed.body) == source, packed.headers)
        tag = plain.headers["ETag"]
        again = self.ask("/", If_None_Match=tag)
        self.check("and not again to whom has it", again.status == 304 and not again.body,
                   again.headers)
        head = self.ask("/", "HEAD")
        self.check("HEAD tells its size and no more", head.status == 200 and not head.body
                   and head.headers["Content-Length"] == str(len(source)), head.headers)
        self.check("it loads nothing from elsewhere",
                   not re.search(rb"(?:src|href)\s*=\s*[\"']?(?:https?:)?//|url\(|@import", source))

    def refusals(self):
        post = self.ask("/", "POST")
        self.check("POST: 405, with what is allowed",
                   post.status == 405 and post.headers["Allow"] == "GET, HEAD", post.headers)
        self.check("unknown: 404", self.ask("/api/none").status == 404)
        for what, data, status in (
            ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 9, 400),
            ("no Host", b"GET / HTTP/1.1\r\n\r\n", 400),
            ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
            ("a long target", GET % (b"/" + b"a" * 400), 414),
            ("long header lines", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 20000 + b"\r\n\r\n",
             431),
            ("a body", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n" + b"a" * 99999,
             405),
        ):
            heard = self.raw(data)
            self.check(f"{what}: {status}, and the connection ends",
                       heard.startswith(b"HTTP/1.1 %d " % status)
                       and b"\r\nConnection: close\r\n" in heard, heard[:300])

    def connections(self):
        one = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        self.ask("/api/system", connection=one)
        sock = one.sock
        same = [self.ask(path, method, one).status for method, path in
                (("GET", "/api/store"), ("HEAD", "/api/store"), ("GET", "/none"), ("PUT", "/"),
                 ("GET", "/"))]
        self.check("one connection for many requests", same == [200, 200, 404, 405, 200]
                   and one.sock is sock, same)
        one.close()
        old = self.raw(b"GET /api/store HTTP/1.0\r\n\r\n")
        header, _, body = old.partition(b"\r\n\r\n")
        self.check("HTTP/1.0: no chunks, and the end of the connection",
                   b"chunked" not in header and json.loads(body)["values"], old[:300])
        close = self.raw(b"GET /api/log HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.check("Connection: close is done", close.endswith(b"\r\n0\r\n\r\n"), close[-100:])
        paths = [b"/api/system", b"/none", b"/api/devices", b"/", b"/api/log"] * 4
        last = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        pipe = self.raw(b"".join(GET % path for path in paths) + last)
        found = re.findall(rb"HTTP/1\.1 (\d+) ", pipe)
        self.check("pipelined requests are answered in turn",
                   found == [b"200", b"404", b"200", b"200", b"200"] * 4 + [b"404"], found)
        data = b"GET /api/system HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        heard = self.raw(data, pieces=len(data), pause=0.002)
        self.check("a request in segments of a byte", heard.startswith(b"HTTP/1.1 200 "), heard)
        heard = self.raw(GET % b"/api/system" + data, pieces=7, pause=0.02)
        self.check("two requests cut anywhere", heard.count(b"HTTP/1.1 200 ") == 2, heard)

    def many(self):
        """64 connections, all open, each used twice; then more than there are places for."""
        ones = [http.client.HTTPConnection("127.0.0.1", self.port, timeout=30) for _ in range(64)]
        answers = []
        for _ in range(2):
            for one in ones:
                one.request("GET", "/api/system")
            for one in ones:
                answers.append(json.loads(one.getresponse().read()))
        open_ = self.json("/api/system")["connections"]
        self.check("64 connections are kept alive", len(answers) == 128 and open_ >= 64, open_)
        more = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(40)]
        time.sleep(0.5)
        self.check("and idle ones make room for others", self.ask("/api/system").status == 200)
        for one in [*ones, *more]:
            one.close()

    def slow(self):
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as one:
            one.sendall(b"GET / HTTP/1.1\r\n")
            heard = b""
            while time.monotonic() - began < 30:
                if select.select([one], [], [], 1)[0]:
                    heard = one.recv(4096)
                    break
                one.sendall(b"X: y\r\n")
        took = time.monotonic() - began
        self.check("a request that never ends has ten seconds",
                   heard.startswith(b"HTTP/1.1 408 ") and 8 < took < 16, took, heard)

    def load(self):
        """Many requests, 32 at once on connections kept alive, and not one of them lost."""
        request = GET % b"/api/system"
        chosen, heard, asked, good = selectors.DefaultSelector(), {}, 0, 0
        # libslirp accepts few at once: the rest knock again after seconds, which is no time of ours.
        ones = [socket.create_connection(("127.0.0.1", self.port), timeout=20)
                for _ in range(AT_ONCE)]
        began = time.monotonic()
        for one in ones:
            chosen.register(one, selectors.EVENT_READ)
            heard[one] = b""
            one.sendall(request)
            asked += 1
        while heard:
            ready = chosen.select(20)
            if not ready:
                break
            for key, _ in ready:
                one = key.fileobj
                part = one.recv(65536)
                heard[one] += part
                whole = heard[one].endswith(b"]}\r\n0\r\n\r\n")
                good += whole and heard[one].startswith(b"HTTP/1.1 200 OK\r\n")
                if whole and asked < self.requests:
                    heard[one] = b""
                    one.sendall(request)
                    asked += 1
                elif whole or not part:
                    chosen.unregister(one)
                    one.close()
                    del heard[one]
        seconds = time.monotonic() - began
        self.check(f"{self.requests} requests at {AT_ONCE} connections, none lost "
                   f"({self.requests / seconds:.0f} a second)", good == asked == self.requests,
                   good, asked)


def run(platform, requests, only):
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(platform, folder)
        try:
            checks = Checks(platform, machine.wait(), requests)
            parts = (checks.documents, checks.page, checks.refusals, checks.connections,
                     checks.many, checks.load, checks.slow)
            if platform == "raspi3b":  # the network differs, and its board; the server does not
                parts = (checks.documents, checks.board, checks.page, checks.connections)
            for part in parts:
                if only in (None, part.__name__):
                    part()
            if "panic" in machine.heard:
                checks.check("no panic", False, machine.heard)
            return checks.well
        finally:
            machine.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=REQUESTS, help="how many make the load")
    parser.add_argument("--only", help="one group of checks")
    parser.add_argument("platform", nargs="*", default=["virt-arm64", "host", "raspi3b"])
    options = parser.parse_args()
    well = True
    for platform in options.platform:
        try:
            well &= run(platform, options.requests, options.only)
        except (OSError, http.client.HTTPException, ValueError) as error:
            print(f"FAIL {platform}: {type(error).__name__}: {error}")
            well = False
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
