# SPDX-License-Identifier: BSD-2-Clause
"""What `busbar run` attaches to a machine: disks, a network with forwarded ports, an initrd."""
import argparse
import re
import socket
from dataclasses import dataclass
from pathlib import Path

from . import BusbarError, common

QCOW2 = b"QFI\xfb"


@dataclass(frozen=True)
class Forward:
    """A port of 127.0.0.1 here that is the guest's."""

    host: int
    guest: int
    protocol: str = "tcp"

    def announce(self):
        if self.protocol == "tcp" and self.guest in (80, 8080):
            return f"http://127.0.0.1:{self.host}/"
        return f"{self.protocol} port {self.guest} of the guest is 127.0.0.1:{self.host}"


def forward(text):
    """`8080:80`, `udp:7007:7`; HOST 0 is replaced by a free port."""
    match = re.fullmatch(r"(?:(tcp|udp):)?(\d{1,5}):(\d{1,5})", text)
    if not match or int(match[2]) > 65535 or not 0 < int(match[3]) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:GUEST, two ports as in 8080:80")
    return Forward(int(match[2]), int(match[3]), match[1] or "tcp")


def settle(forwards):
    """The forwards with real ports here; refuses a port that is taken."""
    settled, sockets = [], []
    try:
        for each in forwards:
            kind = socket.SOCK_DGRAM if each.protocol == "udp" else socket.SOCK_STREAM
            probe = socket.socket(socket.AF_INET, kind)
            sockets.append(probe)
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", each.host))
            except OSError as error:
                raise BusbarError(f"--forward {each.host}:{each.guest}: 127.0.0.1:{each.host}: "
                                  f"{error.strerror}; 0 takes a free port") from None
            settled.append(Forward(probe.getsockname()[1], each.guest, each.protocol))
    finally:
        for probe in sockets:
            probe.close()
    return settled


def existing(option, name):
    path = Path(name).expanduser()
    if not path.is_file() and not path.is_block_device():
        raise BusbarError(f"{option} {name}: no such file")
    return path.resolve()


def _quoted(path):
    """A path inside a QEMU option, where a comma ends a value."""
    return str(path).replace(",", ",,")


def disk_format(path):
    with open(path, "rb") as handle:
        return "qcow2" if handle.read(4) == QCOW2 else "raw"


def model(platform, key, option):
    """The device that the manifest names for a kind of peripheral."""
    name = getattr(platform.qemu, key)
    if not name:
        raise BusbarError(f"{option}: {common.relative(platform.path)} names no device for it: "
                          f'[qemu] {key} = "..."')
    return name


def network_arguments(platform, forwards):
    rules = "".join(f",hostfwd={each.protocol}:127.0.0.1:{each.host}-:{each.guest}"
                    for each in forwards)
    device = model(platform, "network", "--forward" if forwards else "--net")
    argv = ["-netdev", f"user,id=net0{rules}", "-device", f"{device},netdev=net0"]
    # A TCP that anybody can guess the numbers of is no good: randomness comes with the network.
    if device.startswith("virtio-net-"):
        argv += ["-device", device.replace("virtio-net-", "virtio-rng-")]
    return argv


def disk_arguments(platform, disks):
    argv = []
    # QEMU gives slots from the last to the first, and the guest finds them from the first on.
    for index, name in reversed(list(enumerate(disks))):
        path = existing("--disk", name)
        device = model(platform, "disk", "--disk")
        argv += ["-drive", f"if=none,id=disk{index},format={disk_format(path)},file={_quoted(path)}",
                 "-device", f"{device},drive=disk{index}"]
    return argv


def arguments(machine, platform, forwards):
    """QEMU's arguments for all that the machine is to have."""
    argv = disk_arguments(platform, machine.disks)
    if machine.net or forwards:
        argv += network_arguments(platform, forwards)
    if machine.initrd:
        argv += ["-initrd", existing("--initrd", machine.initrd)]
    return argv


def host_words(machine, forwards):
    """The same for a process, in words of its command line."""
    words = [f"host_file.path={existing('--disk', name)}" for name in machine.disks]
    if forwards:
        rules = ",".join(f"{each.protocol}:{each.host}:{each.guest}" for each in forwards)
        words.append(f"host_net.forward={rules}")
    return words
