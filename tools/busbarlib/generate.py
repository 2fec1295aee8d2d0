# SPDX-License-Identifier: BSD-2-Clause
"""What the build makes from manifests. meson.build runs this file; people do not need to.

    configure   writes <out>/ (driver array, bind and config headers, QEMU command) and prints the
                plan that Meson reads: a line for each source, its words parted by tabs
    embed       makes assembly of a device tree source
    attach      makes assembly of a file that an application carries, plain and compressed
    image       makes the raw image of an ELF file and checks its boot header

A file is written only when its content changes, so that nothing is compiled again in vain."""

import argparse
import gzip
import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    __package__ = "busbarlib"

from busbarlib import ROOT, BusbarError
from busbarlib.manifest import all_apps, all_drivers, load_app, load_driver, load_platform
from busbarlib.modules import all_modules, link_order, load_library, port_folders
from busbarlib.relocations import pack

LICENCE = "/* SPDX-License-Identifier: BSD-2-Clause */\n/* Made by the build; do not edit. */\n"

# Tests and the desk read any tree, so their arena holds the largest.
ALL_ARENA = 64 << 20

# Libraries that drivers of this machine may use: the header that tells, and pkg-config's name.
HOST_LIBRARIES = {"libslirp.h": "slirp", "slirp/libslirp.h": "slirp"}


def write(path, text):
    """Write a file when its content is new."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def drivers_source(drivers, early_console=None, nodes=()):
    """The driver array, which an empty list still makes one that C accepts, and which of them
    writes before any is bound; and the nodes that the manifest adds."""
    lines = [LICENCE, "#include <busbar/device.h>\n\n"]
    lines += [f"extern const struct bb_driver {driver.symbol};\n" for driver in drivers]
    lines.append("\nconst struct bb_driver *const bb_drivers[] = {\n")
    lines += [f"    &{driver.symbol},\n" for driver in drivers] or ["    NULL,\n"]
    lines.append("};\n")
    lines.append(f"const size_t bb_driver_count = {len(drivers)};\n")
    names = "".join(f"{json.dumps(name)}, " for name in nodes)
    lines.append(f"const char *const bb_platform_nodes[] = {{{names}NULL}};\n")
    early = f"&{early_console.driver.symbol}, {early_console.address:#x}" if early_console else "0"
    lines.append(f"const struct bb_early_console bb_early_console = {{{early}}};\n")
    return "".join(lines)


def bound(drivers):
    """The faces that exactly one driver implements, and that driver's devices never leave."""
    result = {}
    for face in sorted({face for driver in drivers for face in driver.faces}):
        makers = [driver for driver in drivers if face in driver.faces]
        if len(makers) == 1 and not makers[0].hotplug:
            result[face] = makers[0]
    return result


def bind_header(faces):
    lines = [LICENCE, "#ifndef BUSBAR_BIND_H\n#define BUSBAR_BIND_H\n"]
    for face, driver in faces.items():
        ops = f"bb_ops_{face}_{driver.chip}"
        lines.append(f"\nstruct bb_{face}_ops;\nextern const struct bb_{face}_ops {ops};\n")
        lines.append(f"#define BB_BOUND_{face.upper()} {ops}\n")
    lines.append("\n#endif\n")
    return "".join(lines)


def version():
    """The project's version, from the one place that states it."""
    text = (ROOT / "meson.build").read_text(encoding="utf-8")
    return re.search(r"^\s*version: '([^']+)'", text, re.MULTILINE)[1]


def config_header(name, arena, buildtype, parameters=()):
    lines = [LICENCE, "#ifndef BUSBAR_CONFIG_H\n#define BUSBAR_CONFIG_H\n\n"]
    lines.append(f'#define BB_VERSION "{version()}"\n')
    lines.append(f"#define BB_PLATFORM_NAME {json.dumps(name)}\n")
    lines.append(f'#define BB_BUILD_TYPE "{buildtype}"\n')
    lines.append(f"#define BB_PARAMETERS {json.dumps(' '.join(parameters))}\n")
    lines.append(f"#ifndef BB_ARENA_SIZE\n#define BB_ARENA_SIZE {arena}\n#endif\n")
    lines.append("\n#endif\n")
    return "".join(lines)


def _shown(path):
    """Paths inside the repository relative to it: so Meson and compilers name them shortly."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _sources(kind, *patterns):
    paths = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    return [(kind, _shown(path)) for path in paths]


def host_libraries(drivers):
    """Libraries of this machine that drivers use, as their includes tell."""
    found = set()
    for driver in drivers:
        text = driver.path.read_text(encoding="utf-8", errors="replace")
        for header in re.findall(r"^\s*#\s*include\s*<([^>]+)>", text, re.MULTILINE):
            found |= {HOST_LIBRARIES[header]} if header in HOST_LIBRARIES else set()
    return [("host-library", name) for name in sorted(found)]


def module_lines(modules, bare):
    """The plan's lines of modules, what is required before what requires it."""
    plan = []
    for module in reversed(modules):
        plan.append(("input", _shown(module.path)))
        required = [other.name for other in link_order(module.requires)]
        ports = map(_shown, port_folders(module, bare))
        plan.append(("module", module.name, module.library or "", "|".join(ports),
                     "|".join(required), "|".join(map(_shown, module.sources))))
        if module.library:
            plan.append(("input", _shown(load_library(module.library).wrap)))
    return plan


def app_line(app, platform):
    linked = app.linked_modules(platform)
    names = [module.name for module in linked]
    wanted = dict.fromkeys([*app.modules, *names])
    defines = [f"-DBB_MODULE_{name.upper()}={int(name in names)}" for name in wanted]
    faces = sorted({face for driver in platform.drivers for face in driver.faces})
    defines += [f"-DBB_FACE_{face.upper()}=1" for face in faces]
    lists = (map(_shown, app.sources), map(_shown, app.files), names, defines)
    arena = str(app.arena_on(platform) or "")
    return ("app", app.name, "internal" if app.internal else "public", arena,
            *("|".join(words) for words in lists), "small" if app.small else "fast")


def configure(options):
    """Write the generated files; return the plan, a list of tuples of strings."""
    platform = load_platform(options.platform)
    out = Path(options.out)
    release = options.buildtype == "release"
    plan = [("arch", platform.arch), ("prefix", os.path.relpath(ROOT, out.parent) + "/")]
    plan += [("load", str(platform.load))] if platform.load is not None else []
    plan += [("input", _shown(path)) for path in platform.files]
    core = _sources("core", "core/*.c", "core/boot/common/*.c", "subsys/*.c", "bus/**/*.c")
    plan += [("arena" if path == "core/arena.c" else kind, path) for kind, path in core]
    plan += _sources("arch-source", f"core/arch/{platform.arch}/*.[cS]")
    plan += _sources("boot", *(f"core/boot/{name.replace('-', '_')}.c" for name in platform.boot))

    write(out / "drivers.c", drivers_source(platform.drivers, platform.early_console, platform.nodes))
    write(out / "busbar/bind.h", bind_header(bound(platform.drivers) if release else {}))
    config = config_header(platform.name, platform.arena, options.buildtype,
                           platform.parameters)
    write(out / "busbar/config.h", config)
    plan += [("driver", _shown(driver.path)) for driver in platform.drivers]
    if release:
        # The bind header follows from what the drivers' own lines say.
        plan += [("input", _shown(driver.path)) for driver in platform.drivers]
    if platform.qemu:
        write(out / "qemu.json", json.dumps(platform.qemu.command()) + "\n")
    if platform.tree and platform.tree.dts:
        plan.append(("tree", _shown(platform.tree.dts)))

    if platform.arch == "host":
        extra = [load_driver(Path(path).resolve()) for path in options.driver_path]
        drivers = [*all_drivers(), *extra]
        write(out / "all/drivers.c", drivers_source(drivers))
        write(out / "all/busbar/bind.h", bind_header({}))
        config = config_header("host", ALL_ARENA, options.buildtype)
        write(out / "all/busbar/config.h", config)
        plan += [("all-driver", _shown(driver.path)) for driver in drivers]
        plan += _sources("desk", "tools/desk/*.c")
        plan += host_libraries(drivers)
    if options.tests:
        plan += _sources("test-support", "tests/models/*.c", "tests/conformance/*.c",
                         "tests/unit/harness.c")
        plan += [(*line, "") for line in _sources("test", "tests/unit/test_*.c")]
        plan += [(*line, "") for line in _sources("fuzz", "tests/fuzz/fuzz_*.c")]
        modules = all_modules()
        plan += module_lines(link_order([module.name for module in modules]), bare=False)
        for module in modules:
            plan += [("test", _shown(path), module.name)
                     for path in sorted(module.folder.glob("tests/test_*.c"))]
            plan += [("fuzz", _shown(path), module.name)
                     for path in sorted(module.folder.glob("tests/fuzz_*.c"))]
        return plan

    apps = {app.name: app for app in all_apps()}
    for path in options.app_path:
        app = load_app(path)
        if app.name in apps and apps[app.name].path != app.path:
            raise BusbarError(f"{app.path}: there is an application '{app.name}' already")
        apps[app.name] = app
    plan += [("input", _shown(app.path)) for app in apps.values()]
    built = [app for app in apps.values() if not app.lacks(platform)]
    names = dict.fromkeys(name for app in built for name in app.modules)
    plan += module_lines(link_order(names, platform), platform.arch != "host")
    plan += [app_line(app, platform) for app in built]
    return plan


def plan_text(options):
    return "".join("\t".join(line) + "\n" for line in configure(options))


def embed(options):
    """A device tree source as assembly: the tree at `symbol`, its end at `symbol`_end."""
    result = subprocess.run(
        [options.dtc, "-q", "-I", "dts", "-O", "dtb", options.source],
        stdout=subprocess.PIPE,
        check=False,
    )
    if result.returncode:
        raise BusbarError(f"{options.source}: dtc refused it; its message is above")
    Path(options.output).write_text(assembly({options.symbol: result.stdout}), encoding="utf-8")


def assembly(blobs):
    """Constant bytes at a symbol, for each; their end at `symbol`_end."""
    lines = [LICENCE]
    for name, blob in blobs.items():
        lines.append(f'    .section .rodata.{name},"a"\n')
        lines.append(f"    .globl {name}, {name}_end\n    .balign 8\n{name}:\n")
        for at in range(0, len(blob), 12):
            lines.append("    .byte " + ", ".join(map(str, blob[at : at + 12])) + "\n")
        lines.append(f"{name}_end:\n    .byte 0\n")
    lines.append('    .section .note.GNU-stack,"",%progbits\n')
    return "".join(lines)


def attach(options):
    """A file at `bb_file_<name>` and, for those that may send it so, as gzip at `..._gz`."""
    source = Path(options.source)
    name = "bb_file_" + re.sub(r"\W", "_", source.name)
    blob = source.read_bytes()
    # Always the same bytes: no name and no time in them.
    blobs = {name: blob, name + "_gz": gzip.compress(blob, 9, mtime=0)}
    Path(options.output).write_text(assembly(blobs), encoding="utf-8")


def check_arm64_header(blob, path):
    """The header of the arm64 Image protocol, as booting.rst of Linux has it."""
    if len(blob) < 64 or blob[56:60] != b"ARM\x64":
        raise BusbarError(f"{path}: has no arm64 Image header at its start")
    _, text_offset, size, flags = struct.unpack_from("<8sQQQ", blob)
    if size < len(blob):
        raise BusbarError(f"{path}: its header says {size} bytes and the file has {len(blob)}")
    if text_offset % 4096 or flags & 1 or flags >> 1 & 3 != 1 or flags >> 4:
        raise BusbarError(f"{path}: text offset {text_offset:#x} and flags {flags:#x} do not boot")


def image(options):
    command = [options.objcopy, "-O", "binary", options.elf, options.output]
    if subprocess.run(command, check=False).returncode:
        raise BusbarError(f"{options.elf}: objcopy failed; its message is above")
    try:
        blob = pack(Path(options.elf).read_bytes(), Path(options.output).read_bytes())
        Path(options.output).write_bytes(blob)
        check_arm64_header(blob, options.output)
    except BusbarError:
        Path(options.output).unlink()
        raise


def parser():
    result = argparse.ArgumentParser(prog="generate.py", description=__doc__)
    commands = result.add_subparsers(dest="command", required=True)
    one = commands.add_parser("configure", help="write generated files, print the plan")
    one.add_argument("--platform", required=True)
    one.add_argument("--buildtype", choices=("release", "debug"), required=True)
    one.add_argument("--out", required=True)
    one.add_argument("--tests", action="store_true")
    one.add_argument("--app-path", action="append", default=[])
    one.add_argument("--driver-path", action="append", default=[])
    one.set_defaults(run=lambda options: sys.stdout.write(plan_text(options)))
    one = commands.add_parser("embed", help="device tree source to assembly")
    one.add_argument("dtc")
    one.add_argument("source")
    one.add_argument("output")
    one.add_argument("symbol")
    one.set_defaults(run=embed)
    one = commands.add_parser("attach", help="an application's file to assembly")
    one.add_argument("source")
    one.add_argument("output")
    one.set_defaults(run=attach)
    one = commands.add_parser("image", help="ELF to checked raw image")
    one.add_argument("objcopy")
    one.add_argument("elf")
    one.add_argument("output")
    one.set_defaults(run=image)
    return result


def main(arguments=None):
    options = parser().parse_args(arguments)
    try:
        options.run(options)
    except BusbarError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
