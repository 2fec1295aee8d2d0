# SPDX-License-Identifier: BSD-2-Clause
"""What `busbar run` attaches to a machine: disks, a network with forwarded ports, USB devices, an
initrd."""
import argparse
import os
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from . import BusbarError, common, usb

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


def existing(option, name, between=" "):
    path = Path(name).expanduser()
    if not path.is_file() and not path.is_block_device():
        disk = option in ("--disk", "--usb storage")
        empty = f"; an empty one: truncate -s 64M {name}" if disk else ""
        raise BusbarError(f"{option}{between}{name}: no such file{empty}")
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


def netdev(name, forwards=()):
    """A network of QEMU's own, with these ports."""
    rules = "".join(f",hostfwd={each.protocol}:127.0.0.1:{each.host}-:{each.guest}"
                    for each in forwards)
    return ["-netdev", f"user,id={name}{rules}"]


def network_arguments(device, forwards):
    argv = [*netdev("net0", forwards), "-device", f"{device},netdev=net0"]
    # A TCP that anybody can guess the numbers of is no good: randomness comes with the network.
    if device.startswith("virtio-net-"):
        argv += ["-device", device.replace("virtio-net-", "virtio-rng-")]
    return argv


def card_arguments(disks):
    """The one card of a board's slot; QEMU takes powers of two alone."""
    path = existing("--disk", disks[0])
    if len(disks) > 1:
        raise BusbarError(f"--disk {disks[1]}: there is one slot for a card; "
                          f"more disks are sticks: --usb storage:{disks[1]}")
    kind, size = disk_format(path), path.stat().st_size
    if kind == "raw" and path.is_file() and (size < 1 << 20 or size & (size - 1)):
        better = max(1 << 20, 1 << size.bit_length())
        raise BusbarError(f"--disk {disks[0]}: a card's size is a power of two from 1 MiB; this one "
                          f"makes it larger: truncate -s {better >> 20}M {disks[0]}")
    return ["-drive", f"if=sd,index=0,format={kind},file={_quoted(path)}"]


def disk_arguments(platform, disks):
    argv = []
    if disks and model(platform, "disk", "--disk") == "sd":
        return card_arguments(disks)
    # QEMU gives slots from the last to the first, and the guest finds them from the first on.
    for index, name in reversed(list(enumerate(disks))):
        path = existing("--disk", name)
        device = model(platform, "disk", "--disk")
        argv += ["-drive", f"if=none,id=disk{index},format={disk_format(path)},file={_quoted(path)}",
                 "-device", f"{device},drive=disk{index}"]
    return argv


def usb_backend(each, forwards):
    """What is behind a USB device here: (arguments before it, its properties)."""
    if each.kind == "storage":
        path, node = existing("--usb storage", each.file, ":"), f"{each.name}-file"
        block = f"driver={disk_format(path)},node-name={node},file.driver=file"
        return ["-blockdev", f"{block},file.filename={_quoted(path)}"], f",drive={node}"
    if each.kind == "serial":
        kind = f"socket,path={_quoted(each.file)},server=on,wait=off" if each.file else "null"
        line = f"{each.name}-line"
        return ["-chardev", f"{kind},id={line}"], f",chardev={line},always-plugged=on"
    if each.kind == "net":
        name = each.name
        return netdev(name, forwards if name == "net0" else ()), f",netdev={name}"
    return [], ""


def usb_arguments(platform, plugs, forwards):
    if plugs and not platform.qemu.usb_ports:
        raise BusbarError(f"--usb {plugs[0].kind}: {common.relative(platform.path)} names no USB: "
                          "[qemu] usb_ports = 1")
    argv = []
    for each in usb.settle(plugs, platform.qemu.usb_ports):
        before, properties = usb_backend(each, forwards)
        argv += [*before, "-device",
                 f"{usb.MODELS[each.kind]},id={each.name},port={each.port}{properties}"]
    return argv


def window(program):
    """QEMU's name of a display that is a window here."""
    listed = common.run([program, "-display", "help"], timeout=20, check=False).stdout.split()
    kinds = [kind for kind in ("cocoa", "gtk", "sdl") if kind in listed]
    here = sys.platform == "darwin" or "DISPLAY" in os.environ or "WAYLAND_DISPLAY" in os.environ
    instead = "--screenshot FILE takes a picture without one"
    if not here:
        raise BusbarError(f"--screen: no display here (DISPLAY is not set); {instead}")
    if not kinds:
        raise BusbarError(f"--screen: this QEMU makes no windows (Debian's package for that is "
                          f"qemu-system-gui); {instead}")
    return kinds[0]


def arguments(machine, platform, forwards):
    """QEMU's arguments for all that the machine is to have."""
    argv, plugs = disk_arguments(platform, machine.disks), list(machine.usb)
    if machine.screen and not plugs and platform.qemu.usb_ports:
        plugs = [usb.Plug("keyboard"), usb.Plug("mouse")]  # what is typed in the window
    if machine.net or forwards:
        device = model(platform, "network", "--forward" if forwards else "--net")
        if device != usb.MODELS["net"]:
            argv += network_arguments(device, forwards)
        elif "net" not in (each.kind for each in plugs):
            plugs.insert(0, usb.Plug("net"))
    argv += usb_arguments(platform, plugs, forwards)
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
