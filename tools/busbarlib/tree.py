# SPDX-License-Identifier: BSD-2-Clause
"""The one question about a device tree that must be answered before the guest runs: which node is
its standard output? libfdt's fdtget reads the tree; a damaged one is the guest's to refuse."""
import subprocess

from . import BusbarError, common


def _fdtget(*words):
    """The lines that fdtget answers; none for what is not there. ValueError for no sound tree."""
    try:
        done = subprocess.run(["fdtget", *words], text=True, errors="replace", timeout=20,
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except FileNotFoundError:
        raise BusbarError("fdtget is not installed; see 'tools/busbar doctor'") from None
    if done.returncode and "FDT_ERR_NOTFOUND" not in done.stderr:
        said = done.stderr.strip().splitlines()
        raise ValueError(said[-1] if said else f"fdtget ended with status {done.returncode}")
    return [] if done.returncode else done.stdout.splitlines()


def _text(path, node, name):
    lines = _fdtget("-t", "s", str(path), node, name)
    return lines[0] if lines else ""


def _names(path):
    target = _text(path, "/chosen", "stdout-path") or _text(path, "/chosen", "linux,stdout-path")
    target = target.split(":")[0]
    aliases = {name: _text(path, "/aliases", name) for name in _fdtget("-p", str(path), "/aliases")}
    node = target if target.startswith("/") else aliases.get(target)
    if not node:
        return set()
    return {node, node.rpartition("/")[2]} | {name for name in aliases if aliases[name] == node}


def stdout_names(path):
    """What the node that /chosen names as standard output may be called: its path, its node name
    and its aliases. Empty when the tree names none, or is damaged: then a line says so."""
    try:
        return _names(path)
    except (ValueError, subprocess.TimeoutExpired) as error:
        common.note(f"{common.relative(path)}: {error}; the terminal is the first serial")
        return set()
