# SPDX-License-Identifier: BSD-2-Clause
"""`busbar doctor`: what this machine has, what it lacks, and the one command that mends it."""
import json
import os
import shutil
import subprocess

from . import common, setup

# Programs whose version matters when something goes wrong.
PROGRAMS = ("meson", "ninja", "gcc", "aarch64-linux-gnu-gcc", "clang", "ld.lld", "llvm-objcopy",
            "qemu-system-aarch64", "dtc", "clang-format", "aarch64-linux-gnu-addr2line")


def version(program):
    if not shutil.which(program):
        return None
    try:
        done = subprocess.run([program, "--version"], text=True, errors="replace", timeout=20,
                              stdin=subprocess.DEVNULL, capture_output=True)
    except (OSError, subprocess.TimeoutExpired):
        return "does not answer --version"
    lines = (done.stdout or done.stderr).strip().splitlines()
    return lines[0] if lines else "no version"


def examine():
    lacking = [need.package for need in setup.missing(tests=True)]
    trees = sorted(path.name for path in setup.DTBS.glob("*.dtb"))
    command = None
    if lacking:
        names = " ".join(lacking)
        command = f"apt-get update && apt-get install -y {names}"
        if os.geteuid() != 0:
            command = f"sudo sh -c '{command}'"
    elif not (setup.have_sysroot() and setup.have_trees()):
        command = "tools/busbar test --suite tools"
    return {
        "machine": setup.describe(),
        "programs": {program: version(program) for program in PROGRAMS},
        "packages": [{"name": need.package, "why": need.why, "present": need.present()}
                     for need in setup.needs(tests=True)],
        "sysroot": setup.have_sysroot(),
        "trees": trees,
        "u_boot": setup.have_uboot(),
        "mend": command,
    }


def doctor(as_json):
    found = examine()
    if as_json:
        print(json.dumps(found, indent=2))
        return 0 if not found["mend"] else 1
    print(found["machine"])
    print()
    common.table([(program, text or "not installed")
                  for program, text in found["programs"].items()])
    print()
    common.table([("ok" if need["present"] else "MISSING", need["name"], need["why"])
                  for need in found["packages"]])
    where = common.relative(setup.SYSROOT)
    print(f"{'ok' if found['sysroot'] else 'MISSING'}  libfdt for aarch64 in {where}")
    trees = found["trees"]
    print(f"{'ok' if setup.have_trees() else 'MISSING'}  {len(trees)} device trees of real boards "
          f"in {common.relative(setup.DTBS)}" + (": " + ", ".join(trees) if trees else ""))
    print(f"{'ok' if found['u_boot'] else 'later'}  U-Boot in {common.relative(setup.UBOOT)}"
          + ("" if found["u_boot"] else "; the boot test that starts it fetches it"))
    print()
    if found["mend"]:
        print("To mend it: " + found["mend"])
        return 1
    print("Nothing is missing.")
    return 0
