# SPDX-License-Identifier: BSD-2-Clause
"""Bind a device tree at the desk: core's own binder, built for this machine, answers in JSON."""

import json
import subprocess
import sys
from pathlib import Path

from . import BUILD, ROOT, BusbarError, setup
from .build import build_desk
from .manifest import Platform, check_machine, load_platform


def tree_for(platform, dtb=None, verbose=False):
    """The path of the flattened tree to bind: the one asked for (a path or a name), the manifest's,
    or the one that QEMU makes for the platform's machine."""
    if dtb:
        path = setup.find_dtb(dtb, platform.folder)
        if path is None and Path(dtb).name == dtb:
            setup.ensure_trees(verbose=verbose)
            path = setup.find_dtb(dtb, platform.folder)
        if path is None:
            raise BusbarError(f"no device tree '{dtb}': give a path, or a name out of build/dtbs")
        return path
    if platform.tree and platform.tree.dtb:
        setup.ensure(platform, qemu=False, verbose=verbose)
        return tree_for(platform, platform.tree.dtb, verbose)
    setup.ensure(platform, verbose=verbose)
    made = BUILD / "trees"
    made.mkdir(parents=True, exist_ok=True)
    path = made / f"{platform.name}.dtb"
    if platform.tree and platform.tree.dts:
        command = ["dtc", "-q", "-I", "dts", "-O", "dtb", "-o", str(path), str(platform.tree.dts)]
    elif platform.qemu:
        check_machine(platform)
        command = ["qemu-system-aarch64", *platform.qemu.command()]
        command += ["-machine", f"dumpdtb={path}"]
    else:
        raise BusbarError(f"{platform.name} names no tree: give one with --dtb FILE")
    path.unlink(missing_ok=True)
    _run(command, verbose)
    if not path.is_file():
        raise BusbarError(f"`{' '.join(command)}` wrote no device tree")
    return path


def desk(platform, dtb=None, verbose=False):
    """What core says of every node of a tree, with the platform's drivers: the desk's JSON."""
    platform = platform if isinstance(platform, Platform) else load_platform(platform)
    tree = tree_for(platform, dtb, verbose)
    home = ROOT / "drivers"
    outside = [one.path for one in platform.drivers if not one.path.is_relative_to(home)]
    binary = build_desk(verbose, outside)
    names = ",".join(driver.name for driver in platform.drivers)
    output = _run([str(binary), "--drivers", names, str(tree)], verbose)
    try:
        return {"platform": platform.name, **json.loads(output)}
    except ValueError as error:
        raise BusbarError(f"{binary} answered what is not JSON: {error}") from None


def _run(command, verbose):
    if verbose:
        print("busbar:", " ".join(command), file=sys.stderr, flush=True)
    result = subprocess.run(
        command,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    if result.returncode:
        said = result.stderr.strip().splitlines()
        raise BusbarError(said[-1] if said else f"`{' '.join(command)}` failed and said nothing")
    return result.stdout
