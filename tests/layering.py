#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Layers point down: core < subsys < bus < drivers < modules < apps.

Reads every #include of the sources, and every symbol of debug builds of all platforms, and
says what breaks a rule:
  - a file includes headers of its own layer or a lower one, and private ones of its own alone;
  - libfdt is used in core/fdt.c and nowhere else;
  - a driver, headers beside it included, has no conditional compilation but a header's guard, no
    heap and no file-scope mutable state;
  - an object calls its own layer or a lower one, and a driver never another driver;
  - every external symbol begins with bb_, or is the C runtime's, or is what a module's library
    wants of it. The library's own are its authors' matter.

    python3 tests/layering.py
"""
import functools
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
from busbarlib import build, common, manifest  # noqa: E402

LAYERS = ["core", "subsys", "bus", "drivers", "modules", "apps"]
# The layer of each public header; those that are not named are a subsystem's.
CORE_HEADERS = {"app", "arch", "arch_aarch64", "arch_host", "arena", "base", "boot", "device",
                "errno", "hooks", "log", "node", "param", "poll", "store", "time",
                "bind", "config"}
BUS_HEADERS = {"dma", "hotplug", "mmio", "sd", "usb", "usb_hid", "usb_host", "usb_net", "virtio",
               "virtio_ring"}
# A module's public headers bear its name: tcpip.h, file_type.h.
MODULES = {path.parent.name for path in ROOT.glob("modules/*/module.toml")}
RUNTIME = {"_start", "main", "memcpy", "memmove", "memset", "memcmp", "memchr", "memrchr", "strlen",
           "strnlen", "strcmp", "strncmp", "strchr", "strrchr", "strcspn", "strtoul", "__stack_chk_guard",
           "__stack_chk_fail"}
# Core calls these by name, and the application or the build supplies them.
SUPPLIED = {"bb_main", "bb_drivers", "bb_driver_count", "bb_early_console", "bb_platform_nodes"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
# What a header begins with; a variable outside of functions, which begin with `static` as well.
GUARD = re.compile(r"^#ifndef (\w+)\n#define \1\n", re.MULTILINE)
VARIABLE = re.compile(r"^static (?!inline\b|const\b)(?![^;={]*\()(?![^;={]*\bconst\b[^;={]*[;={])"
                      r"[^;={]*[;={]", re.MULTILINE)

faults = []


def fault(where, text):
    faults.append(f"{where}: {text}")


def layer_of(path):
    """The index of the layer of a source file, or None for what stands beside them."""
    first = Path(path).parts[0]
    return LAYERS.index(first) if first in LAYERS else None


def header_layer(name):
    stem = Path(name).stem
    if stem in CORE_HEADERS:
        return LAYERS.index("core")
    if any(stem == module or stem.startswith(module + "_") for module in MODULES):
        return LAYERS.index("modules")
    return LAYERS.index("bus" if stem in BUS_HEADERS else "subsys")


@functools.cache
def sources():
    paths = [path.relative_to(ROOT) for folder in LAYERS + ["include"]
             for path in sorted((ROOT / folder).rglob("*.[chS]"))]
    return [path for path in paths if path.parts[0] != "modules" or "tests" not in path.parts]


def is_internal(path):
    """Whether this application says in app.toml that it includes internal headers."""
    app = ROOT.joinpath(*path.parts[:2]) / "app.toml"
    return app.exists() and manifest.load_app(str(app)).internal


def check_include(path, layer, quoted, name):
    if name.startswith("libfdt") and path != Path("core/fdt.c"):
        fault(path, f"includes {name}; only core/fdt.c knows libfdt")
    elif name.startswith("busbar/"):
        if header_layer(name) > layer:
            fault(path, f"includes {name}, of the layer {LAYERS[header_layer(name)]} above")
    elif quoted or "/" in name:
        target = (ROOT / path.parent / name) if quoted else ROOT / name
        if not target.exists():
            target = ROOT / name
        if not target.exists():
            return
        owner = target.resolve().relative_to(ROOT)
        same = owner.parts[0] == path.parts[0]
        if path.parts[0] in ("drivers", "modules", "apps"):
            same = same and owner.parts[1] == path.parts[1]
        if not same and not (path.parts[0] == "apps" and is_internal(path)):
            fault(path, f"includes {owner}, private to {owner.parts[0]}")


def driver_faults(text):
    """What no driver's file does; the objects show mutable state too, where they are built."""
    said = []
    text = GUARD.sub("", text, 1)
    if re.search(r"^\s*#\s*(if|ifdef|ifndef|elif)\b", text, re.MULTILINE):
        said.append("has conditional compilation")
    if re.search(r"\b(malloc|calloc|realloc|free)\s*\(", text):
        said.append("uses a heap")
    if VARIABLE.search(text):
        said.append("has file-scope mutable state")
    return said


def check_includes():
    for path in sources():
        text = (ROOT / path).read_text(encoding="utf-8")
        if path.parts[0] == "include":
            layer = header_layer(path.name)
        else:
            layer = layer_of(path)
        for bracket, name in INCLUDE.findall(text):
            check_include(path, layer, bracket == '"', name)
        if path.parts[0] == "drivers" and path.suffix in (".c", ".h"):
            for said in driver_faults(text):
                fault(path, said)


def symbols(obj):
    """[(name, kind)] of an object file; kind as nm prints it, but constants that only the loader
    writes, as a process has them, count as constants."""
    out = subprocess.run(["nm", "--format=sysv", str(obj)], capture_output=True, text=True,
                         check=True).stdout
    table = []
    for words in (line.split("|") for line in out.splitlines() if line.count("|") == 6):
        name, kind, section = words[0].strip(), words[2].strip(), words[6].strip()
        if kind in "dD" and section.startswith(".data.rel.ro"):
            kind = "r" if kind == "d" else "R"
        if len(kind) == 1:
            table.append((name, kind))
    return table


def source_of(obj, folder):
    """The source of an object, by the name that Meson gives it, or None for generated ones."""
    name = re.sub(r"^(\.\._)+", "", obj.name[: -len(".o")])
    for path in sources():
        if name == "_".join(path.parts) or name.endswith("_" + "_".join(path.parts)):
            return path
    return None


def check_symbols(platform):
    """Objects of a debug build: no link-time optimisation has mixed them yet."""
    build.build(platform, "monitor", "debug", "gcc")
    folder = build.build_dir(manifest.load_platform(platform), "debug", "gcc")
    objects, owner = {}, {}
    for obj in sorted(folder.rglob("*.o")):
        path = source_of(obj, folder)
        if path is None or path.parts[0] == "apps" and path.parts[1] != "monitor":
            continue
        objects[path] = symbols(obj)
        for name, kind in objects[path]:
            if kind in "TDRBVWC":
                owner.setdefault(name, path)
    if not objects:
        fault(platform, f"no objects found in {common.relative(folder)}: nothing was checked")
    wanted = {name for obj in folder.rglob("*subprojects_*.o")
              for name, kind in symbols(obj) if kind == "U"}
    for path, table in objects.items():
        given = RUNTIME | (wanted if path.parts[0] == "modules" else set())
        for name, kind in table:
            if kind in "TDRBVWC" and path.parts[0] != "apps" and \
                    not name.startswith("bb_") and name not in given:
                fault(path, f"the external symbol {name} does not begin with bb_")
            if path.parts[0] == "drivers" and kind in "dDbBC":
                fault(path, f"has file-scope mutable state: {name}")
            if kind == "U" and name in owner and name not in SUPPLIED:
                check_call(path, name, owner[name])
    return len(objects)


def check_call(path, name, provider):
    here, there = layer_of(path), layer_of(provider)
    if there > here:
        fault(path, f"uses {name} of {provider}, in the layer {LAYERS[there]} above")
    elif path.parts[0] == "drivers" == provider.parts[0] and path != provider:
        fault(path, f"uses {name} of another driver, {provider}")


def main():
    check_includes()
    counts = [check_symbols(platform) for platform in ("virt-arm64", "raspi3b", "host")]
    for text in faults:
        print(text)
    print(f"{len(sources())} files and {sum(counts)} objects read, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
