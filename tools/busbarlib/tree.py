# SPDX-License-Identifier: BSD-2-Clause
"""The one question about a device tree that must be answered before the guest runs: which node is
its standard output? Everything else the tools know of trees comes from the desk binder."""
import struct

from . import BusbarError

MAGIC = 0xD00DFEED
BEGIN_NODE, END_NODE, PROP, NOP, END = 1, 2, 3, 4, 9


def _text(data, start, end):
    stop = data.find(b"\0", start, end)
    if stop < 0:
        raise ValueError("a name without an end")
    return data[start:stop].decode("ascii", "replace"), stop + 1


def _string(value):
    return value.split(b"\0")[0].decode("ascii", "replace")


def properties(data, wanted):
    """{node path: {property: bytes}} of the properties named in `wanted`, of all for None."""
    if len(data) < 40:
        raise ValueError("shorter than its header")
    magic, total, struct_at, strings_at = struct.unpack_from(">4I", data)
    if magic != MAGIC or total > len(data) or max(struct_at, strings_at) > total:
        raise ValueError("no flattened device tree, or cut off")
    found, path, at = {}, [], struct_at
    while True:
        (token,) = struct.unpack_from(">I", data, at)
        at += 4
        if token == BEGIN_NODE:
            name, at = _text(data, at, total)
            path.append(name)
            at = (at + 3) & ~3
        elif token == END_NODE and path:
            path.pop()
        elif token == PROP and path:
            length, name_at = struct.unpack_from(">2I", data, at)
            at += 8
            if at + length > total:
                raise ValueError("a property that leaves the tree")
            name, _ = _text(data, strings_at + name_at, total)
            if wanted is None or name in wanted:
                found.setdefault("/".join(path) or "/", {})[name] = data[at:at + length]
            at = (at + length + 3) & ~3
        elif token == END and not path:
            return found
        elif token != NOP:
            raise ValueError(f"a token {token:#x} that means nothing here")


def stdout_names(path):
    """What the node that /chosen names as standard output may be called: its path, its node name
    and its aliases. Empty when the tree names none."""
    try:
        data = path.read_bytes()
        chosen = properties(data, {"stdout-path"}).get("/chosen", {})
        aliases = properties(data, None).get("/aliases", {})
    except (ValueError, struct.error) as error:
        raise BusbarError(f"{path} is no device tree: {error}; give another with --dtb") from None
    except OSError as error:
        raise BusbarError(f"{path}: {error.strerror}; give another with --dtb") from None
    aliases = {name: _string(value) for name, value in aliases.items()}
    target = _string(chosen.get("stdout-path", b"")).split(":")[0]
    node = target if target.startswith("/") else aliases.get(target)
    if not node:
        return set()
    return {node, node.rpartition("/")[2]} | {name for name in aliases if aliases[name] == node}
