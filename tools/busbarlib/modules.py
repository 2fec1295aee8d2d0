# SPDX-License-Identifier: BSD-2-Clause
"""Modules: code that an application asks for by name, such as a protocol stack or a file system,
in modules/<name>/ with its manifest module.toml, and the third-party library below it, whose source
comes as a Debian source package by way of a Meson wrap."""

import configparser
from dataclasses import dataclass
from pathlib import Path

from . import ROOT
from .manifest_file import ManifestError, ManifestFile, nearest, shown

_KEYS = ("about", "sources", "library", "arena", "requires", "needs")


@dataclass(frozen=True)
class Module:
    name: str
    path: Path  # of module.toml
    about: str
    sources: tuple[Path, ...]
    library: str | None  # a Meson subproject
    arena: int  # bytes that it adds to the application's arena
    requires: tuple[str, ...]  # other modules
    needs: tuple[str, ...]  # faces: without a driver of each, the platform gets no such module

    @property
    def define(self):
        """The macro that tells an application whether it has the module: 1 or 0."""
        return "BB_MODULE_" + self.name.upper()

    @property
    def folder(self):
        return self.path.parent


def module_names():
    return sorted(path.parent.name for path in ROOT.glob("modules/*/module.toml"))


def find_modules(file, key):
    """The modules that a manifest names, checked: they are there and are right."""
    names = file.strings(key)
    for name in names:
        if name not in module_names():
            file.fail(key, f"no module '{name}'{nearest(name, module_names())}", name)
    for name in names:
        load_module(name)
    return names


def load_module(name):
    """A module by its name; whatever is wrong with its manifest raises ManifestError."""
    return _load_module(ROOT, name, ())


def _load_module(root, name, chain):
    path = root / "modules" / name / "module.toml"
    file = ManifestFile(path)
    file.only(file.data, _KEYS)
    sources = []
    for pattern in file.strings("sources", ("*.c",)):
        found = sorted(path.parent.glob(pattern))
        if not found:
            there = [str(other.relative_to(path.parent)) for other in path.parent.rglob("*.c")]
            file.fail("sources", f"no file '{pattern}'{nearest(pattern, there)}", pattern)
        sources += found
    library = file.get("library", str)
    if library is not None:
        known = sorted(wrap.stem for wrap in root.glob("subprojects/*.wrap"))
        if library not in known:
            what = f"no subprojects/{library}.wrap{nearest(library, known)}"
            file.fail("library", what, library)
    requires = file.strings("requires")
    for other in requires:
        if other not in module_names():
            file.fail("requires", f"no module '{other}'{nearest(other, module_names())}", other)
        if other in (*chain, name):
            circle = " -> ".join((*chain, name, other))
            file.fail("requires", f"goes in a circle: {circle}", other)
        _load_module(root, other, (*chain, name))
    return Module(
        name=name,
        path=path,
        about=file.get("about", str, ""),
        sources=tuple(dict.fromkeys(sources)),
        library=library,
        arena=file.size("arena", 0),
        requires=requires,
        needs=file.strings("needs"),
    )


def all_modules():
    """Every module of the repository, sorted by name."""
    return [load_module(name) for name in module_names()]


def unmet(faces, platform):
    """Which of these faces no driver of the platform has."""
    there = {face for driver in platform.drivers for face in driver.faces}
    return [face for face in faces if face not in there]


def _with_required(module):
    """A module and all that it requires; what is required comes last, as a linker likes it."""
    found = [module]
    for name in module.requires:
        found += _with_required(load_module(name))
    return found


def link_order(names, platform=None):
    """These modules and those that they require, each before what it requires. With a platform: only
    those that it has the drivers for."""
    found = []
    for name in names:
        group = _with_required(load_module(name))
        if platform is None or not any(unmet(module.needs, platform) for module in group):
            found += group
    return list(dict.fromkeys(reversed(found)))[::-1]


def port_folders(module, bare):
    """Folders of headers that the library and the applications see besides the library's own."""
    folders = [module.folder / "port"] + ([module.folder / "port/freestanding"] if bare else [])
    return [folder for folder in folders if folder.is_dir()]


@dataclass(frozen=True)
class Library:
    """What a wrap says of a library: where its source is unpacked, and the archive it comes in."""

    name: str
    wrap: Path
    folder: Path  # of the source, unpacked
    archive: Path  # in the cache
    sha256: str
    package: str  # Debian's source package
    patch: Path  # the build files that are laid over the source


def load_library(name):
    wrap = ROOT / "subprojects" / f"{name}.wrap"
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(wrap, encoding="utf-8")
        section = parser["wrap-file"]
        place, _, package = section["source_url"].partition(":")
        if place != "apt-source":
            raise KeyError("source_url")
        return Library(
            name=name,
            wrap=wrap,
            folder=ROOT / "subprojects" / section["directory"],
            archive=ROOT / "subprojects/packagecache" / section["source_filename"],
            sha256=section["source_hash"],
            package=package,
            patch=ROOT / "subprojects/packagefiles" / section["patch_directory"],
        )
    except (configparser.Error, KeyError) as error:
        raise ManifestError(f"{shown(wrap)}: is no wrap of a source package: {error}") from None
