# SPDX-License-Identifier: BSD-2-Clause
"""Platform and application manifests: TOML in, checked dataclasses out.

    platform = load_platform("raspi3b")          # platforms/raspi3b/platform.toml
    platform = load_platform("../board")         # a folder or a file, anywhere
    app = load_app("hello")

Whatever is wrong with a manifest raises ManifestError, whose text is one line: file, line, key,
what is wrong, and the nearest name that would have been right."""

import functools
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from . import ROOT
from .manifest_file import ManifestError, ManifestFile as _File, nearest, shown
from .modules import find_modules, link_order, unmet

ARCHES = ("aarch64", "host")
LIBCS = ("none",)
DEFAULT_ARENA = 256 * 1024
# Headers that a compiler brings itself, and folders of headers that an operating system brings.
FREESTANDING = {
    "float.h",
    "iso646.h",
    "limits.h",
    "stdalign.h",
    "stdarg.h",
    "stdatomic.h",
    "stdbool.h",
    "stddef.h",
    "stdint.h",
    "stdnoreturn.h",
}
HOSTED_FOLDERS = ("arpa", "linux", "net", "netinet", "sys")

_PLATFORM_KEYS = (
    "about",
    "arch",
    "boot",
    "drivers",
    "extends",
    "arena",
    "load",
    "early_console",
    "nodes",
    "parameters",
    "qemu",
    "tree",
    "image",
)
_QEMU_KEYS = ("machine", "cpu", "memory", "smp", "arguments", "consoles", "network", "disk",
              "usb_ports")
_IMAGE_KEYS = ("kernel", "tree", "config", "cmdline", "firmware", "firmware_from")
_APP_KEYS = ("about", "sources", "files", "libc", "internal", "small", "modules", "arena",
             "drivers", "needs")


@dataclass(frozen=True)
class Driver:
    """A driver file and what its BB_DRIVER line says."""

    name: str  # "rtc/pl031"
    path: Path
    faces: tuple[str, ...]  # ("rtc",)
    hotplug: bool
    arch: str | None = None  # the only one it is for; None: any

    @property
    def symbol(self):
        return "bb_driver_" + self.name.replace("/", "_")

    @property
    def chip(self):
        return self.name.split("/")[1]


@dataclass(frozen=True)
class EarlyConsole:
    driver: Driver
    address: int


@dataclass(frozen=True)
class Qemu:
    machine: str
    cpu: str = ""
    memory: str = ""
    smp: int = 0
    arguments: tuple[str, ...] = ()
    # Which -serial (0 is the first) the console is, by path, node name or alias of the node that
    # the tree's stdout-path names. A tree that names none of these uses the first.
    consoles: dict[str, int] = field(default_factory=dict)
    # Device models that `run` attaches on demand; "": it cannot. Disk "sd" is the card in the slot.
    network: str = ""
    disk: str = ""
    usb_ports: int = 0  # of the root hub

    def command(self, display="none"):
        """The arguments that make the machine: no image, tree or serial line yet."""
        result = ["-M", self.machine]
        result += ["-cpu", self.cpu] if self.cpu else []
        result += ["-smp", str(self.smp)] if self.smp else []
        result += ["-m", self.memory] if self.memory else []
        # QEMU's own choice of a network card needs boot ROMs that are no part of qemu-system-arm.
        network = [] if "-nic" in self.arguments else ["-nic", "none"]
        return [*result, "-display", display, "-monitor", "none", *network, *self.arguments]


@dataclass(frozen=True)
class Tree:
    """Where the platform's device tree comes from, where firmware or QEMU brings none."""

    dtb: str = ""  # a file of Debian's arm64 kernel package, or one beside the manifest
    dts: Path | None = None  # compiled into the image


@dataclass(frozen=True)
class Image:
    """What `busbar image` puts on a card or disk that the machine starts from."""

    kernel: str  # the image's name there
    tree: str = ""  # and the device tree's; "": whoever starts the image brings one
    # Lines of config.txt beside those that name kernel and tree; none: no such file, no cmdline.txt
    config: tuple[str, ...] = ()
    cmdline: str = ""  # before what --append says
    firmware: tuple[str, ...] = ()  # files that cannot be shipped,
    firmware_from: str = ""  # and where one gets them


@dataclass(frozen=True)
class Platform:
    name: str
    path: Path  # of the manifest
    about: str
    arch: str
    boot: tuple[str, ...]
    drivers: tuple[Driver, ...]
    arena: int
    load: int | None  # where the boot loader most likely puts the image; it runs elsewhere too
    early_console: EarlyConsole | None
    qemu: Qemu | None
    tree: Tree | None
    image: Image | None
    nodes: tuple[str, ...]  # compatible strings of hardware that no tree describes
    parameters: tuple[str, ...]  # words that stand before those of the command line
    files: tuple[Path, ...]  # every manifest that was read

    @property
    def folder(self):
        return self.path.parent

    @property
    def in_tree(self):
        return self.path.is_relative_to(ROOT / "platforms")

    @property
    def typed(self):
        """How a command names it."""
        return self.name if self.in_tree else str(shown(self.folder))


@dataclass(frozen=True)
class App:
    name: str
    path: Path
    about: str
    sources: tuple[Path, ...]
    files: tuple[Path, ...]  # linked in as bytes, plain and gzip
    libc: str
    internal: bool
    small: bool  # rather than fast
    modules: tuple[str, ...]  # linked where the platform has what they need
    arena: int | None  # None: the platform's
    drivers: tuple[str, ...]  # it is built where the platform links all of these,
    needs: tuple[str, ...]  # and has a driver for each of these faces

    def lacks(self, platform):
        """What it needs and the platform leaves out."""
        linked = {driver.name for driver in platform.drivers}
        missing = [name for name in self.drivers if name not in linked]
        return missing + [f"a driver of {face}" for face in unmet(self.needs, platform)]

    def linked_modules(self, platform):
        """The modules that it gets on this platform, each before what it requires."""
        return link_order(self.modules, platform)

    def arena_on(self, platform):
        """Bytes of arena that its image has: its own or the platform's, and its modules'."""
        extra = sum(module.arena for module in self.linked_modules(platform))
        return (self.arena or platform.arena) + extra if extra else self.arena

    @property
    def folder(self):
        return self.path.parent


def arch_of(text):
    """The one architecture that a source is written for, by what it includes; None: any. A header
    that only a C library brings means this machine."""
    free = FREESTANDING | {path.name for path in ROOT.glob("core/freestanding/*.h")}
    for name in re.findall(r"^\s*#\s*include\s*<([^>]+)>", text, re.MULTILINE):
        folder, _, leaf = name.rpartition("/")
        if match := re.match(r"core/arch/(\w+)/", name):
            return match[1]
        if folder.split("/")[0] in HOSTED_FOLDERS or (not folder and leaf not in free):
            return "host"
    return None


def _scan(path):
    """What the BB_DRIVER line of a driver's source says: (subsystem, chip, faces, hotplug); and what
    arch_of() says of the source."""
    text = path.read_text(encoding="utf-8", errors="replace")
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    line = r"^BB_DRIVER(_FACELESS)?\s*\(\s*(\w+)\s*,\s*(\w+)\s*,?"
    found = list(re.finditer(line, text, re.MULTILINE))
    if len(found) != 1:
        raise ManifestError(
            f"{shown(path)}: has {len(found)} BB_DRIVER lines; a driver is one file with one"
        )
    faceless, subsystem, chip = found[0].groups()
    depth, end = 1, found[0].end()
    while end < len(text) and depth:
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        end += 1
    body = text[found[0].end() : end]
    faces = () if faceless else (subsystem,)
    if listed := re.search(r"\.faces\s*=\s*BB_FACES\s*\(\s*\w+\s*,([^)]*)\)", body):
        faces = tuple(face.strip() for face in listed[1].split(","))
    hotplug = bool(re.search(r"\.hotplug\s*=\s*true\b", body))
    return subsystem, chip, faces, hotplug, arch_of(text)


def load_driver(path):
    """A driver from its source file."""
    subsystem, chip, faces, hotplug, arch = _scan(path)
    name = f"{subsystem}/{chip}"
    if path.is_relative_to(ROOT / "drivers") and path != ROOT / "drivers" / f"{name}.c":
        what = f"BB_DRIVER says {name}, so it belongs in drivers/{name}.c"
        raise ManifestError(f"{shown(path)}: {what}")
    return Driver(name, path, faces, hotplug, arch)


def _driver_names():
    return sorted(f"{path.parent.name}/{path.stem}" for path in ROOT.glob("drivers/*/*.c"))


def all_drivers():
    """Every driver of the repository, sorted by name."""
    return [load_driver(ROOT / "drivers" / f"{name}.c") for name in _driver_names()]


def _find_driver(file, key, name):
    if name.endswith(".c"):
        path = Path(os.path.normpath(file.path.parent / name))
        if not path.is_file():
            file.fail(key, f"no file '{name}' beside the manifest", name)
        return load_driver(path)
    path = ROOT / "drivers" / f"{name}.c"
    if not re.fullmatch(r"\w+/\w+", name) or not path.is_file():
        file.fail(key, f"no driver '{name}'{nearest(name, _driver_names())}", name)
    return load_driver(path)


def _find_drivers(file, base):
    """The driver list of a manifest, given the one it extends (None: it extends nothing)."""
    value = file.data.get("drivers")
    if isinstance(value, dict):
        if base is None:
            file.fail("drivers", "add and remove change the list of `extends`, which is missing")
        file.only(value, ("add", "remove"), "drivers.")
        result = list(base)
        for name in file.strings("remove", table=value, prefix="drivers."):
            gone = [driver for driver in result if name in (driver.name, _relative(file, driver))]
            if not gone:
                names = [driver.name for driver in result]
                what = f"'{name}' is not in the list of '{file.data['extends']}'"
                file.fail("drivers.remove", what + nearest(name, names), name)
            result.remove(gone[0])
        for name in file.strings("add", table=value, prefix="drivers."):
            driver = _find_driver(file, "drivers.add", name)
            if driver.name in (other.name for other in result):
                what = f"'{name}' is in the list of '{file.data['extends']}'"
                file.fail("drivers.add", what, name)
            result.append(driver)
        return tuple(result)
    if value is None and base is not None:
        return base
    if value is None:
        file.fail("drivers", "missing")
    result = []
    for name in file.strings("drivers"):
        driver = _find_driver(file, "drivers", name)
        if driver.name in (other.name for other in result):
            file.fail("drivers", f"'{name}' is {driver.name}, which stands there already", name)
        result.append(driver)
    return tuple(result)


def _relative(file, driver):
    return os.path.relpath(driver.path, file.path.parent)


def protocols():
    """The boot protocols that core/boot implements: each is a file of that name."""
    return sorted(path.stem.replace("_", "-") for path in ROOT.glob("core/boot/*.c"))


def _find_qemu(file, base):
    table = file.get("qemu", dict)
    if table is None:
        return base
    file.only(table, _QEMU_KEYS, "qemu.")
    base = base or Qemu(machine="")
    read = {
        key: file.get(key, str, getattr(base, key), table, "qemu.")
        for key in ("machine", "cpu", "memory", "network", "disk")
    }
    if not read["machine"]:
        file.fail("qemu.machine", "missing")
    if read["memory"] and not re.fullmatch(r"\d+[KMG]?", read["memory"]):
        file.fail("qemu.memory", 'must be a number of MiB or "256M"')
    smp = file.get("smp", int, base.smp, table, "qemu.")
    if "smp" in table and not 1 <= smp <= 512:
        file.fail("qemu.smp", "must be from 1 to 512")
    usb_ports = file.get("usb_ports", int, base.usb_ports, table, "qemu.")
    if not 0 <= usb_ports <= 15:
        file.fail("qemu.usb_ports", "must be from 0 to 15")
    consoles = file.get("consoles", dict, base.consoles, table, "qemu.")
    for name, index in consoles.items():
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < 8:
            file.fail(f"qemu.consoles.{name}", "must be the number of a -serial, from 0 to 7")
    arguments = file.strings("arguments", base.arguments, table, "qemu.")
    return Qemu(**read, smp=smp, arguments=arguments, consoles=dict(consoles), usb_ports=usb_ports)


def _find_early_console(file, drivers, base):
    table = file.get("early_console", dict)
    if table is None:
        if base and base.driver not in drivers:
            file.fail("drivers", f"the early console needs {base.driver.name}, which is left out")
        return base
    file.only(table, ("driver", "address"), "early_console.")
    name = file.get("driver", str, None, table, "early_console.")
    address = file.get("address", int, None, table, "early_console.")
    for key, value in (("driver", name), ("address", address)):
        if value is None:
            file.fail(f"early_console.{key}", "missing")
    if not 0 <= address < 1 << 64:
        file.fail("early_console.address", "must be an address of 64 bits")
    for driver in drivers:
        if name in (driver.name, _relative(file, driver)):
            if "console" not in driver.faces:
                file.fail("early_console.driver", f"'{name}' is no console", name)
            return EarlyConsole(driver, address)
    names = [driver.name for driver in drivers]
    file.fail("early_console.driver", f"'{name}' is not in drivers{nearest(name, names)}", name)
    return None


def _find_tree(file, base):
    table = file.get("tree", dict)
    if table is None:
        return base
    file.only(table, ("dtb", "dts"), "tree.")
    if len(table) != 1:
        file.fail("tree", "must name one dtb or one dts")
    dtb = file.get("dtb", str, "", table, "tree.")
    dts = file.get("dts", str, "", table, "tree.")
    path = file.path.parent / dts if dts else None
    if path and not path.is_file():
        file.fail("tree.dts", f"no file '{dts}' beside the manifest", dts)
    return Tree(dtb, path)


def _find_image(file, base):
    table = file.get("image", dict)
    if table is None:
        return base
    file.only(table, _IMAGE_KEYS, "image.")
    base = base or Image(kernel="")
    read = {key: file.get(key, str, getattr(base, key), table, "image.")
            for key in ("kernel", "tree", "cmdline", "firmware_from")}
    lists = {key: file.strings(key, getattr(base, key), table, "image.")
             for key in ("config", "firmware")}
    if not read["kernel"]:
        file.fail("image.kernel", "missing")
    taken = {"readme.txt", "config.txt", "cmdline.txt", "extlinux"}
    names = [("kernel", read["kernel"]), ("tree", read["tree"] or None)]
    for key, name in names + [("firmware", name) for name in lists["firmware"]]:
        if name is None:
            continue
        if not re.fullmatch(r"\w[\w.-]{0,62}", name, re.ASCII) or name.endswith("."):
            file.fail(f"image.{key}", f"'{name}' is no plain file name", name)
        if name.lower() in taken:
            file.fail(f"image.{key}", f"'{name}' is there already", name)
        taken.add(name.lower())
    lines = [("config", line) for line in lists["config"]]
    for key, line in [*lines, ("cmdline", read["cmdline"])]:
        if not line.isprintable() or not line.isascii():
            file.fail(f"image.{key}", "must be one line of ASCII", line)
    return Image(**read, **lists)


def _platform_names():
    return sorted(path.parent.name for path in ROOT.glob("platforms/*/platform.toml"))


def _locate(name, kind, names, folder):
    """The manifest behind a name or a path."""
    file = f"{kind}.toml"
    known = ROOT / f"{kind}s" / name / file
    if re.fullmatch(r"[\w.-]+", name) and known.is_file():
        return known
    path = Path(os.path.normpath(folder / Path(name).expanduser()))
    if path.is_dir() and (path / file).is_file():
        return path / file
    if path.is_file() and path.suffix == ".toml":
        return path
    word = {"platform": "platform", "app": "application"}[kind]
    if path.is_dir() and "/" in name:
        raise ManifestError(f"{shown(path)}: holds no {file}")
    raise ManifestError(f"no {word} '{name}'{nearest(name, names)}")


def load_platform(name):
    """The platform of that name, or of that folder or file."""
    return _load_platform(_locate(str(name), "platform", _platform_names(), Path.cwd()), ())


def _find_parameters(file, inherited):
    """`sdhci.pins=emmc_gpio48`: after what another manifest says, and before the command line."""
    words = file.strings("parameters")
    for word in words:
        if not re.fullmatch(r"[^\s\"=]+(=[^\s\"]*)?", word):
            file.fail("parameters", f"'{word}' is no word of a command line, as in log=debug", word)
    return (*inherited, *words)


def _load_platform(path, chain):
    file = _File(path)
    file.only(file.data, _PLATFORM_KEYS)
    base = None
    if extends := file.get("extends", str):
        try:
            found = _locate(extends, "platform", _platform_names(), path.parent)
        except ManifestError as error:
            file.fail("extends", str(error), extends)
        if found in (*chain, path):
            names = " -> ".join(shown(step) for step in (*chain, path, found))
            file.fail("extends", f"goes in a circle: {names}", extends)
        base = _load_platform(found, (*chain, path))

    arch = file.get("arch", str, base.arch if base else None)
    if arch is None:
        file.fail("arch", "missing")
    if arch not in ARCHES:
        file.fail("arch", f"no architecture '{arch}'{nearest(arch, ARCHES)}", arch)
    boot = file.strings("boot", base.boot if base else ())
    for protocol in boot:
        if protocol not in protocols():
            what = f"no boot protocol '{protocol}'{nearest(protocol, protocols())}"
            file.fail("boot", what, protocol)
        source = ROOT / "core/boot" / f"{protocol.replace('-', '_')}.c"
        only = arch_of(source.read_text(encoding="utf-8", errors="replace"))
        if only not in (None, arch):
            file.fail("boot", f"'{protocol}' starts arch {only}, and this is {arch}", protocol)
    if not boot:
        file.fail("boot", "must name a boot protocol: " + ", ".join(protocols()))
    load = file.get("load", int, base.load if base else None)
    if load is not None and (not 0 <= load < 1 << 48 or load % 4096):
        file.fail("load", "must be an address of whole pages, below 2^48")
    drivers = _find_drivers(file, base.drivers if base else None)
    for driver in drivers:
        if driver.arch not in (None, arch):
            what = f"'{driver.name}' runs on arch {driver.arch} alone, and this is {arch}"
            file.fail("drivers", what, driver.name)
    return Platform(
        name=path.parent.name if path.name == "platform.toml" else path.stem,
        path=path,
        about=file.get("about", str, base.about if base else ""),
        arch=arch,
        boot=boot,
        drivers=drivers,
        arena=file.size("arena", base.arena if base else DEFAULT_ARENA),
        load=load,
        early_console=_find_early_console(file, drivers, base.early_console if base else None),
        qemu=_find_qemu(file, base.qemu if base else None),
        tree=_find_tree(file, base.tree if base else None),
        image=_find_image(file, base.image if base else None),
        nodes=file.strings("nodes", base.nodes if base else ()),
        parameters=_find_parameters(file, base.parameters if base else ()),
        files=(path, *(base.files if base else ())),
    )


@functools.cache
def _machines(program):
    """The machines that this QEMU knows; none where it is not installed."""
    try:
        listed = subprocess.run([program, "-M", "help"], text=True, timeout=20, check=False,
                                stdin=subprocess.DEVNULL, capture_output=True).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(line.split()[0] for line in listed.splitlines()[1:] if line.strip())


def check_machine(platform):
    """Refuse a machine that QEMU does not know, where QEMU is there to ask."""
    if not platform.qemu or platform.arch == "host":
        return
    machine = platform.qemu.machine.split(",")[0]
    known = _machines(f"qemu-system-{platform.arch}")
    if not known or machine in known:
        return
    for path in platform.files:
        file = _File(path)
        if "machine" in file.data.get("qemu", {}):
            value = file.data["qemu"]["machine"]
            what = f"QEMU has no machine '{machine}'{nearest(machine, known)}"
            file.fail("qemu.machine", what, value)


def all_platforms():
    """Every platform of the repository, sorted by name."""
    return [load_platform(name) for name in _platform_names()]


def _app_names():
    return sorted(path.parent.name for path in ROOT.glob("apps/*/app.toml"))


def load_app(name):
    """The application of that name, or of that folder or file."""
    path = _locate(str(name), "app", _app_names(), Path.cwd())
    file = _File(path)
    file.only(file.data, _APP_KEYS)
    libc = file.get("libc", str, "none")
    if libc not in LIBCS:
        file.fail("libc", f"no C library '{libc}'; this version knows: {', '.join(LIBCS)}", libc)
    sources = []
    for source in file.strings("sources", ("main.c",)):
        found = sorted(path.parent.glob(source)) if not Path(source).is_absolute() else []
        if not found:
            there = [str(other.relative_to(path.parent)) for other in path.parent.rglob("*.c")]
            file.fail("sources", f"no file '{source}'{nearest(source, there)}", source)
        sources += [Path(os.path.normpath(each)) for each in found]
    files = [path.parent / name for name in file.strings("files")]
    for each in files:
        if each.parent != path.parent or not each.is_file():
            file.fail("files", f"no file '{each.name}' beside it", each.name)
    modules = find_modules(file, "modules")
    return App(
        name=path.parent.name,
        path=path,
        about=file.get("about", str, ""),
        sources=tuple(dict.fromkeys(sources)),
        files=tuple(files),
        libc=libc,
        internal=file.get("internal", bool, False),
        small=file.get("small", bool, False),
        modules=modules,
        arena=file.size("arena", None),
        drivers=tuple(_find_driver(file, "drivers", name).name for name in file.strings("drivers")),
        needs=file.strings("needs"),
    )


def all_apps():
    """Every application of the repository, sorted by name."""
    return [load_app(name) for name in _app_names()]
