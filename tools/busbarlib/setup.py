# SPDX-License-Identifier: BSD-2-Clause
"""Find out what the machine lacks, and bring it: Debian packages by name, and the arm64 pieces
(libfdt, the device trees of real boards) unpacked into the build folder without adding a foreign
architecture to the system."""

import fcntl
import glob
import os
import platform as machine
import shutil
import subprocess
import sys
import tarfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from . import BUILD, BusbarError

SYSROOT = BUILD / "sysroot"
DTBS = BUILD / "dtbs"
UBOOT = BUILD / "u-boot"
APT = BUILD / "apt"

# The trees worth keeping from the kernel package: (folder, beginning of the file's name).
KEPT_TREES = (("broadcom", "bcm27"), ("broadcom", "bcm28"), ("rockchip", "rk3566-soquartz"))


@dataclass(frozen=True)
class Need:
    """One thing the machine must have: `present` tells, `package` brings it."""

    package: str
    why: str
    present: Callable[[], bool]


def _program(*names):
    return lambda: any(shutil.which(name) for name in names)


def _file(*patterns):
    return lambda: any(glob.glob(pattern) for pattern in patterns)


def _system(name):
    """A program that stands where not everybody's PATH looks."""
    return _file(f"/usr/sbin/{name}", f"/sbin/{name}", f"/usr/bin/{name}")


def _multiarch(path):
    return _file(f"/usr/{path}", f"/usr/*-linux-gnu/{path}", f"/usr/local/{path}")


_BUILD = (
    Need("meson", "configures the build", _program("meson")),
    Need("ninja-build", "runs the build", _program("ninja")),
)
_HOST = (
    Need("gcc", "compiles for this machine", _program("gcc")),
    Need("libc6-dev", "C library headers", _multiarch("include/stdlib.h")),
    Need("libfdt-dev", "reads device trees", _multiarch("include/libfdt.h")),
    Need("libslirp-dev", "a network without rights", _multiarch("include/slirp/libslirp.h")),
    Need("libglib2.0-dev", "libslirp's pkg-config file asks for it",
         _file("/usr/lib/*/pkgconfig/glib-2.0.pc", "/usr/lib/pkgconfig/glib-2.0.pc")),
    Need("device-tree-compiler", "compiles device trees", _program("dtc")),
)
_AARCH64_GCC = (
    Need("gcc-aarch64-linux-gnu", "compiles for aarch64", _program("aarch64-linux-gnu-gcc")),
    Need("binutils-aarch64-linux-gnu", "links for aarch64", _program("aarch64-linux-gnu-ld")),
)
_CLANG = (
    Need("clang", "the second compiler", _program("clang")),
    Need("lld", "links what clang compiled", _program("ld.lld")),
    Need("llvm", "llvm-ar and llvm-objcopy", _program("llvm-objcopy")),
)
_QEMU = (Need("qemu-system-arm", "emulates the boards", _program("qemu-system-aarch64")),)
_DISKS = (
    Need("e2fsprogs", "makes and checks ext4 file systems", _system("mke2fs")),
    Need("dosfstools", "makes and checks FAT file systems", _system("mkfs.vfat")),
    Need("mtools", "reads and writes FAT file systems", _program("mcopy")),
)
_TESTS = (
    Need("libcmocka-dev", "runs the unit tests", _multiarch("include/cmocka.h")),
    Need(
        "libclang-rt-14-dev",
        "clang's sanitizers",
        _file("/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.asan-*.a"),
    ),
    Need("clang-format", "checks the formatting", _program("clang-format")),
    Need("gdisk", "makes and checks partition tables", _system("sgdisk")),
    *_DISKS,
    Need("chromium", "shows the web page", _program("chromium", "chromium-browser")),
)


def needs(platform=None, *, tests=False, compiler="gcc", qemu=True, disks=False):
    """Everything a command needs, in order: for a platform (see manifest.py), for the tests, or
    for the desk binder alone when both are left out; `disks` to make them with file systems."""
    wanted = [*_BUILD, *_HOST]
    if tests:
        wanted += [*_AARCH64_GCC, *_CLANG, *_QEMU, *_TESTS]
    elif platform is not None and platform.arch == "aarch64":
        wanted += [*_AARCH64_GCC] if compiler == "gcc" else []
        wanted += [*_QEMU] if qemu else []
    if compiler == "clang":
        wanted += [*_CLANG]
    if disks:
        wanted += [*_DISKS]
    return list(dict.fromkeys(wanted))


def missing(platform=None, *, tests=False, compiler="gcc", qemu=True, disks=False):
    """The needs this machine does not meet."""
    wanted = needs(platform, tests=tests, compiler=compiler, qemu=qemu, disks=disks)
    return [need for need in wanted if not need.present()]


def have_sysroot():
    return (SYSROOT / "usr/include/libfdt.h").is_file() and any(SYSROOT.glob("usr/lib/*/libfdt.a"))


def have_uboot():
    """Whether the U-Boots are here that a boot test fetches when it runs."""
    return all((UBOOT / name / "u-boot.bin").is_file() for name in ("rpi_3", "qemu_arm64"))


def have_trees():
    """The trees that the tests name; a kernel package brings all of them or none."""
    return all((DTBS / f"{name}.dtb").is_file() for name in ("bcm2837-rpi-3-b", "bcm2711-rpi-4-b"))


def ensure_uboot(package, name, *, verbose=False):
    """U-Boot out of one of Debian's packages ("u-boot-rpi:arm64", "rpi_3"); the path."""
    path = UBOOT / name / "u-boot.bin"
    if not path.is_file():
        with locked():
            if not path.is_file():
                _fetch_uboot(package, verbose)
    if not path.is_file():
        raise BusbarError(f"{package} holds no usr/lib/u-boot/{name}/u-boot.bin")
    return path


def find_dtb(name, folder=None):
    """The path of a device tree named in a manifest or on the command line: a path, a file beside
    the manifest, or one of the kernel's. None when it is nowhere."""
    for place in (Path(name), *((folder / name,) if folder else ()), DTBS / name):
        if place.is_file():
            return place.resolve()
    return None


def ensure(platform=None, *, tests=False, compiler="gcc", qemu=True, disks=False, verbose=False):
    """Bring what is missing, or raise BusbarError with the one command to run."""
    lacking = missing(platform, tests=tests, compiler=compiler, qemu=qemu, disks=disks)
    lacking = [need.package for need in lacking]
    if lacking:
        _install(lacking, verbose)
    aarch64 = tests or (platform is not None and platform.arch == "aarch64")
    if aarch64 and not have_sysroot():
        with locked():
            if not have_sysroot():
                _fetch_libfdt(verbose)
    name = platform.tree.dtb if platform is not None and platform.tree else None
    if tests or (name and not find_dtb(name, platform.folder)):
        ensure_trees(verbose=verbose)


def ensure_trees(*, verbose=False):
    """Bring the device trees of real boards into build/dtbs."""
    if have_trees():
        return
    with locked():
        if not have_trees():
            _fetch_trees(verbose)


def say(text):
    print(f"busbar: {text}", file=sys.stderr, flush=True)


@contextmanager
def locked():
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / "setup.lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def run_tool(command, verbose, env=None, cwd=None):
    if verbose:
        say(" ".join(map(str, command)))
    result = subprocess.run(
        command,
        env=env,
        cwd=cwd,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode:
        sys.stderr.write(result.stdout)
        raise BusbarError(f"`{' '.join(map(str, command))}` failed; its output is above")
    return result.stdout


def _install(packages, verbose):
    names = " ".join(packages)
    if not shutil.which("apt-get"):
        raise BusbarError(f"missing: {names} (Debian's names); install them and run this again")
    if os.geteuid() != 0:
        raise BusbarError(
            f"missing packages; run: sudo sh -c 'apt-get update && apt-get install -y {names}'"
        )
    say(f"installing {names}")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive")
    run_tool(["apt-get", "update", "-q"], verbose, env)
    run_tool(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], verbose, env)


def _apt_environment(verbose):
    """An apt of our own that knows arm64 next to the machine's architecture. It keeps its lists in
    the build folder, so it needs no root and leaves the system's apt as it is."""
    if not shutil.which("apt-get"):
        raise BusbarError(
            "no apt-get here to bring libfdt for aarch64: build it, give Meson -Dlibfdt_dir=FOLDER"
        )
    native = run_tool(["dpkg", "--print-architecture"], verbose).strip()
    lists = APT / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    config = APT / "apt.conf"
    config.write_text(
        f'APT::Architectures {{ "{native}"; "arm64"; }};\n'
        f'APT::Architecture "{native}";\n'
        'APT::Sandbox::User "root";\n'
        f'Dir::State::lists "{lists}";\n'
        'Dir::Cache::pkgcache "";\n'
        'Dir::Cache::srcpkgcache "";\n',
        encoding="utf-8",
    )
    env = dict(os.environ, APT_CONFIG=str(config), LC_ALL="C")
    stamp = APT / "updated"
    if not stamp.exists():
        run_tool(["apt-get", "update", "-q"], verbose, env)
        stamp.touch()
    return env


def _download(package, verbose):
    env = _apt_environment(verbose)
    folder = APT / "packages"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        run_tool(["apt-get", "download", "-q", package], verbose, env, folder)
    except BusbarError:
        # The lists may be older than the archive: refresh them once.
        (APT / "updated").unlink(missing_ok=True)
        env = _apt_environment(verbose)
        run_tool(["apt-get", "download", "-q", package], verbose, env, folder)
    return next(folder.glob("*.deb"))


def _unpack(package, keep):
    """Write the members of a package that `keep` maps to a path."""
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE
    ) as process:
        with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
            for member in archive:
                target = keep(member.name.removeprefix("./")) if member.isfile() else None
                if target:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    part = target.with_name(target.name + ".part")
                    part.write_bytes(archive.extractfile(member).read())
                    part.replace(target)
    if process.returncode:
        raise BusbarError(f"{package.name} is not a package dpkg-deb can read; run this again")
    package.unlink()


def _fetch_libfdt(verbose):
    say("fetching libfdt for aarch64 into build/sysroot")

    def keep(name):
        wanted = name.startswith("usr/include/") or name.endswith("/libfdt.a")
        return SYSROOT / name if wanted else None

    _unpack(_download("libfdt-dev:arm64", verbose), keep)
    if not have_sysroot():
        raise BusbarError("libfdt-dev:arm64 held no libfdt.a; give Meson -Dlibfdt_dir=FOLDER")


def _fetch_uboot(package, verbose):
    say(f"fetching U-Boot of {package} into build/u-boot")

    def keep(name):
        folder, slash, inside = name.partition("usr/lib/u-boot/")
        return UBOOT / inside if slash and not folder and inside.endswith("/u-boot.bin") else None

    _unpack(_download(package, verbose), keep)


def _fetch_trees(verbose):
    say("fetching the device trees of Debian's arm64 kernel into build/dtbs (about 60 MB)")
    env = _apt_environment(verbose)
    text = run_tool(["apt-cache", "depends", "linux-image-arm64:arm64"], verbose, env)
    names = [line.split()[-1] for line in text.splitlines() if "Depends: linux-image-" in line]
    if not names:
        raise BusbarError("the package archive names no arm64 kernel; give a tree with --dtb FILE")

    def keep(name):
        folder, file = name.split("/")[-2:] if "/" in name else ("", name)
        wanted = file.endswith(".dtb") and any(
            folder == kept and file.startswith(start) for kept, start in KEPT_TREES
        )
        return DTBS / file if wanted else None

    package = names[0] if ":" in names[0] else f"{names[0]}:arm64"
    _unpack(_download(package, verbose), keep)
    if not have_trees():
        raise BusbarError(f"{package} lacks the Raspberry Pi's trees; give a tree with --dtb FILE")


def describe():
    """What this machine is, for `busbar doctor`."""
    return f"{machine.system()} {machine.machine()}, Python {machine.python_version()}"
