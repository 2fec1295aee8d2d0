# SPDX-License-Identifier: BSD-2-Clause
"""The sending side of one TCP connection, in frames on a socket: for tests/apps/bench_tcp, which wants
a peer that sends a burst at once, loses nothing and takes no time of the guest."""
import struct
import time

MAC, GUEST_MAC = b"\x52\x54\x00\x00\x00\xfe", b"\x52\x54\x00\x00\x00\x01"
IP, GUEST_IP = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
PORT, GUEST_PORT = 40000, 9
SEGMENT, BURST = 1460, 16
SYN, ACK = 2, 16
RETRY = 0.5  # seconds


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[:len(data) & ~1]))
    total += data[-1] << 8 if len(data) & 1 else 0
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class TcpPeer:
    """Frames that came go to feed(); frames to send come out of `send`."""

    def __init__(self, send):
        self.send = send
        self.sequence, self.acknowledged, self.window = 1000, 1000, 0
        self.expected = 0  # the next of the guest's; 0: not connected
        self.last = 0.0  # when something was sent
        self.payload = bytes(index & 255 for index in range(SEGMENT))

    def segment(self, flags, payload=b"", options=b""):
        size = 20 + len(options)
        head = struct.pack("!HHIIBBHHH", PORT, GUEST_PORT, self.sequence, self.expected,
                           size << 2, flags, 65535, 0, 0) + options
        pseudo = IP + GUEST_IP + struct.pack("!BBH", 0, 6, size + len(payload))
        total = checksum(pseudo + head + payload)
        head = head[:16] + struct.pack("!H", total) + head[18:]
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size + len(payload), 0, 0x4000, 64, 6, 0) + \
            IP + GUEST_IP
        ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        self.send(GUEST_MAC + MAC + b"\x08\x00" + ip + head + payload)

    def burst(self):
        self.last = time.monotonic()
        self.sequence = self.acknowledged
        for _ in range(min(BURST, self.window // SEGMENT)):
            self.segment(ACK, self.payload)
            self.sequence = self.sequence + SEGMENT & 0xFFFFFFFF

    def tick(self):
        """Call now and then: begins, and begins again when an answer is missing."""
        if time.monotonic() - self.last < RETRY:
            return
        if self.expected:
            self.burst()
        else:
            self.last = time.monotonic()
            self.segment(SYN, options=struct.pack("!BBH", 2, 4, SEGMENT))

    def feed(self, frame):
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x01" and frame[38:42] == IP:
            self.send(GUEST_MAC + MAC + b"\x08\x06" + frame[14:20] + b"\x00\x02" + MAC + IP +
                      frame[22:32])
        elif frame[12:14] == b"\x08\x00" and frame[23] == 6:
            self._tcp(frame[14 + 4 * (frame[14] & 15):])

    def _tcp(self, data):
        ports = struct.unpack_from("!HH", data)
        sequence, acknowledged = struct.unpack_from("!II", data, 4)
        if ports != (GUEST_PORT, PORT) or not data[13] & ACK:
            return
        self.window = struct.unpack_from("!H", data, 14)[0]
        if data[13] & SYN and not self.expected:
            self.expected = sequence + 1 & 0xFFFFFFFF
            self.acknowledged = self.sequence = acknowledged
            self.segment(ACK)
            self.burst()
        elif self.expected:
            self.acknowledged = acknowledged
            if acknowledged == self.sequence:
                self.burst()
