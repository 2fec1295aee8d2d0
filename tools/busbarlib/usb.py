# SPDX-License-Identifier: BSD-2-Clause
"""The USB devices that `busbar run` plugs in, each into a port of its own.

    --usb keyboard                                 port 1
    --usb keyboard --usb storage:stick.img         a hub in port 1, the two in 1.1 and 1.2
    --usb hub --usb keyboard --usb mouse           what follows a hub is plugged into it

QEMU would choose ports too, and would put a hub of its own in between even for one device."""
import argparse
from dataclasses import dataclass, field

from . import BusbarError, manifest_file

MODELS = {
    "keyboard": "usb-kbd",
    "mouse": "usb-mouse",
    "tablet": "usb-tablet",
    "storage": "usb-storage",
    "serial": "usb-serial",
    "net": "usb-net",
    "hub": "usb-hub",
}
HUB_PORTS = 8
TIERS = 5  # hubs in a row (USB 2.0, 4.1.1)


@dataclass
class Plug:
    """A device to plug in; `file` is storage's, or the socket of a serial line."""

    kind: str
    file: str = ""
    children: list = field(default_factory=list)  # of a hub
    name: str = ""  # QEMU's id: kind and number
    port: str = ""  # "1.2": where settle() put it


def plug(text):
    """`keyboard`, `storage:FILE`, `serial:SOCKET`; `none` plugs in nothing, not even what `run` would."""
    kind, colon, file = text.partition(":")
    if kind not in MODELS and kind != "none":
        near = manifest_file.nearest(kind, MODELS) or f"; there are {', '.join(MODELS)}"
        raise argparse.ArgumentTypeError(f"no kind of USB device '{kind}'{near}")
    if kind == "storage" and not file:
        raise argparse.ArgumentTypeError("storage wants a file: storage:FILE")
    if colon and kind not in ("storage", "serial"):
        raise argparse.ArgumentTypeError(f"{kind} takes no file")
    if kind == "serial" and colon and not file:
        raise argparse.ArgumentTypeError("serial: wants a name for its socket: serial:SOCKET")
    return Plug(kind, file)


def nested(plugs):
    """The devices of the root's ports: what follows a hub is that hub's."""
    top = group = []
    for each in plugs:
        if each.kind == "none":
            continue
        each = Plug(each.kind, each.file)
        group.append(each)
        if each.kind == "hub":
            group = each.children
    return top


def settle(plugs, ports):
    """Every device with its name and port, a hub before what is plugged into it; hubs are added
    where the ports are too few."""
    count, settled = {}, []

    def place(group, room, prefix, tiers):
        if len(group) > room:
            group = [*group[:room - 1], Plug("hub", children=group[room - 1:])]
        for index, each in enumerate(group, 1):
            number = count.get(each.kind, 0)
            count[each.kind] = number + 1
            each.name, each.port = f"{each.kind}{number}", f"{prefix}{index}"
            settled.append(each)
            if each.kind == "hub":
                if tiers == TIERS:
                    raise BusbarError(f"--usb: more than {TIERS} hubs in a row, which USB does not "
                                      "allow; fewer devices or hubs, please")
                place(each.children, HUB_PORTS, f"{each.port}.", tiers + 1)
    place(nested(plugs), ports, "", 0)
    return settled
