# SPDX-License-Identifier: BSD-2-Clause
"""Bring the third-party source that modules are built on: Debian source packages, which an apt of
our own finds, into the cache of Meson's wraps. The repository names a package and the hash of its
archive, and no place that it comes from."""

import filecmp
import glob
import hashlib
import os
import shutil
from pathlib import Path

from . import ROOT, BusbarError, setup
from .modules import load_library



def ensure(names, verbose=False):
    """Have the source of these libraries unpacked under subprojects/, with our build files."""
    for name in names:
        library = load_library(name)
        with setup.locked():
            if not library.folder.is_dir():
                if not library.archive.is_file():
                    _fetch(library, verbose)
                _check(library)
                setup.run_tool(["meson", "subprojects", "download", name], verbose, cwd=ROOT)
            _lay_over(library)


def _lay_over(library):
    """Meson copies our build files once, when it unpacks; they may have changed since."""
    for path in sorted(library.patch.rglob("*")):
        target = library.folder / path.relative_to(library.patch)
        if path.is_file() and not (target.is_file() and filecmp.cmp(path, target, shallow=False)):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _check(library):
    digest = hashlib.sha256(library.archive.read_bytes()).hexdigest()
    if digest != library.sha256:
        library.archive.unlink()
        raise BusbarError(f"{library.archive.name} is not the archive that {library.wrap.name} "
                          "wants: another sha256; it was removed, run this again")


def _fetch(library, verbose):
    name, archive = library.package, library.archive
    if not shutil.which("apt-get"):
        raise BusbarError(f"no apt-get here to bring the source of {name}: put {archive.name}, of "
                          f"Debian's source package {name}, into {archive.parent}")
    setup.say(f"fetching the source of {name}")
    folder = setup.APT / "sources" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    env = _environment(verbose)
    try:
        setup.run_tool(["apt-get", "source", "-d", "-q", name], verbose, env, folder)
    except BusbarError:
        # The lists may be older than the archive: refresh them once.
        _environment(verbose, fresh=True)
        setup.run_tool(["apt-get", "source", "-d", "-q", name], verbose, env, folder)
    if not (folder / archive.name).is_file():
        there = ", ".join(sorted(path.name for path in folder.glob("*.orig.tar.*")))
        raise BusbarError(f"Debian's source package {name} here brings {there or 'no archive'}; "
                          f"{library.wrap.name} wants {archive.name}: put it into {archive.parent}")
    archive.parent.mkdir(parents=True, exist_ok=True)
    os.replace(folder / archive.name, archive)
    shutil.rmtree(folder)


def _environment(verbose, fresh=False):
    """An apt that looks for source packages where the system's own looks for packages. Its lists are
    in the build folder, so it needs no root and leaves the system's as they are."""
    home = setup.APT / "source-lists"
    parts, lists, config = home / "parts", home / "lists", home / "apt.conf"
    parts.mkdir(parents=True, exist_ok=True)
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    for path in glob.glob("/etc/apt/sources.list.d/*.sources"):
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        text = "\n".join("Types: deb-src" if line.startswith("Types:") else line for line in lines)
        (parts / os.path.basename(path)).write_text(text + "\n", encoding="utf-8")
    old = ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*.list")]
    lines = [line for path in old if os.path.exists(path)
             for line in Path(path).read_text(encoding="utf-8").splitlines()]
    text = "\n".join("deb-src" + line[3:] for line in lines if line.startswith("deb "))
    (home / "sources.list").write_text(text + "\n", encoding="utf-8")
    config.write_text(
        'APT::Sandbox::User "root";\n'
        f'Dir::Etc::sourceparts "{parts}";\n'
        f'Dir::Etc::sourcelist "{home / "sources.list"}";\n'
        f'Dir::State::lists "{lists}";\n'
        'Dir::Cache::pkgcache "";\n'
        'Dir::Cache::srcpkgcache "";\n',
        encoding="utf-8",
    )
    env = dict(os.environ, APT_CONFIG=str(config), LC_ALL="C")
    stamp = home / "updated"
    if fresh or not stamp.exists():
        setup.run_tool(["apt-get", "update", "-q"], verbose, env)
        stamp.touch()
    return env
