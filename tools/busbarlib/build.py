# SPDX-License-Identifier: BSD-2-Clause
"""Drive Meson and Ninja: one build folder for each platform, build type and compiler.

    image = build("virt-arm64", "hello")    # configures when it must, compiles"""

import argparse
import fcntl
import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from . import BUILD, ROOT, BusbarError, generate, setup, sources
from .manifest import App, Platform, check_machine, load_app, load_platform

BUILD_TYPES = ("release", "debug")
COMPILERS = ("gcc", "clang")


def build_dir(platform, buildtype="release", compiler="gcc"):
    """Where this combination is built. A manifest outside the repository gets its own folder even
    when its name is taken."""
    name = platform.name
    if not platform.in_tree:
        name += "-" + hashlib.sha256(str(platform.path).encode()).hexdigest()[:8]
    return BUILD / f"{name}-{buildtype}-{compiler}"


def build(platform, app="monitor", buildtype="release", compiler="gcc", verbose=False):
    """Build an application for a platform (names, paths or loaded manifests); return the path of
    the raw image, or of the executable where the platform is this machine. The ELF file with the
    symbols is elf_of() that path."""
    platform = platform if isinstance(platform, Platform) else load_platform(platform)
    app = app if isinstance(app, App) else load_app(app)
    if lacking := app.lacks(platform):
        needs = ", ".join(lacking)
        raise BusbarError(f"{app.name} needs {needs}, which {platform.name} does not link")
    check_machine(platform)
    setup.ensure(platform, compiler=compiler, qemu=False, verbose=verbose)
    folder = build_dir(platform, buildtype, compiler)
    with _locked(folder):
        paths = _app_paths(folder, app)
        what = f"{app.name} for {platform.name} ({buildtype}, {compiler})"
        name = platform.name if platform.in_tree else str(platform.path)
        _configure(folder, name, platform.arch, buildtype, compiler, verbose, app_paths=paths)
        target = app.name if platform.arch == "host" else f"{app.name}.img"
        _ninja(folder, [target], what, verbose)
    return folder / target


def elf_of(image):
    """The ELF file that an image was made of."""
    return image.with_suffix(".elf") if image.suffix == ".img" else image


def build_tests(compiler="gcc", verbose=False):
    """Build every unit test with sanitizers; return the build folder, where `meson test` runs."""
    setup.ensure(tests=True, compiler=compiler, verbose=verbose)
    folder = BUILD / f"tests-{compiler}"
    with _locked(folder):
        _configure(folder, "host", "host", "debug", compiler, verbose, tests=True)
        _ninja(folder, [], f"the unit tests ({compiler}, sanitizers)", verbose)
    return folder


def build_fuzz(verbose=False):
    """Build every fuzz target by clang; return the build folder."""
    setup.ensure(tests=True, compiler="clang", verbose=verbose)
    setup.ensure_trees(verbose=verbose)
    folder = BUILD / "fuzz-clang"
    with _locked(folder):
        _configure(folder, "host", "host", "debug", "clang", verbose, tests=True, fuzz=True)
        _ninja(folder, [], "the fuzz targets", verbose)
    return folder


def build_desk(verbose=False, drivers=()):
    """Build the desk binder for this machine; return its path. `drivers` are source files outside
    the repository that it must know too."""
    setup.ensure(verbose=verbose)
    folder = BUILD / "host-release-gcc"
    paths = sorted(str(Path(path).resolve()) for path in drivers)
    if paths:
        folder = BUILD / f"desk-{hashlib.sha256(' '.join(paths).encode()).hexdigest()[:8]}"
    with _locked(folder):
        kept = _app_paths(folder, None)
        extra = {"app_paths": kept, "driver_paths": paths}
        _configure(folder, "host", "host", "release", "gcc", verbose, **extra)
        _ninja(folder, ["desk"], "the desk binder", verbose)
    return folder / "desk"


@contextmanager
def _locked(folder):
    """Two commands may want the same folder at the same time; Ninja does not allow that."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / f".{folder.name}.lock", "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _state(folder):
    try:
        return json.loads((folder / "busbar.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _usable(path):
    """An application of an earlier build may be gone, or broken: that concerns nobody but it."""
    try:
        return load_app(path).path.is_file()
    except BusbarError:
        return False


def _app_paths(folder, app):
    """The applications outside the repository that this folder builds: those it knew
    that are still right, and `app`."""
    known = [path for path in _state(folder).get("app_paths", []) if _usable(path)]
    if app is None or app.path.is_relative_to(ROOT / "apps"):
        return known
    known = [path for path in known if Path(path).parent.name != app.name]
    return sorted([*known, str(app.path.resolve())])


def _configure(
    folder,
    platform,
    arch,
    buildtype,
    compiler,
    verbose,
    *,
    app_paths=(),
    driver_paths=(),
    tests=False,
    fuzz=False,
):
    """Run Meson when the folder is new or when what it would read has changed: Meson itself sees a
    changed manifest, but not a new file."""
    options = [
        f"-Dplatform={platform}",
        f"-Dtests={str(tests).lower()}",
        f"-Dfuzz={str(fuzz).lower()}",
        f"-Dapp_paths={','.join(app_paths)}",
        f"-Ddriver_paths={','.join(driver_paths)}",
    ]
    plan = generate.plan_text(
        argparse.Namespace(
            platform=platform,
            buildtype=buildtype,
            out=str(folder / "generated"),
            tests=tests,
            app_path=list(app_paths),
            driver_path=list(driver_paths),
        )
    )
    lines = [line.split("\t") for line in plan.splitlines()]
    sources.ensure(sorted({line[2] for line in lines if line[0] == "module" and line[2]}), verbose)
    state = {"options": options, "app_paths": list(app_paths), "plan": plan}
    configured = (folder / "build.ninja").is_file()
    if configured and _state(folder) == state:
        return
    command = ["meson", "setup", str(folder), *options]
    if configured:
        command.append("--reconfigure")
    else:
        command += [f"--buildtype={buildtype}"]
        if arch != "host":
            command += ["--cross-file", str(ROOT / f"tools/cross/{arch}-{compiler}.ini")]
    _say(f"configuring {folder.relative_to(ROOT)}")
    # Meson keeps its options even when it fails: what this folder knows counts no more till then.
    (folder / "busbar.json").unlink(missing_ok=True)
    # A folder that Meson left half made would be taken for a configured one by Meson alone.
    if not configured and (folder / "meson-private").is_dir():
        command.append("--wipe")
    _run(command, "Meson could not configure the build", verbose, dict(os.environ, CC=compiler))
    (folder / "busbar.json").write_text(json.dumps(state), encoding="utf-8")
    link = BUILD / "compile_commands.json"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(folder.name) / "compile_commands.json")


def _ninja(folder, targets, what, verbose):
    _say(f"building {what}")
    command = ["ninja", "-C", str(folder), *(["-v"] if verbose else []), *targets]
    _run(command, f"building {what} failed", verbose)


def _say(text):
    print(f"busbar: {text}", file=sys.stderr, flush=True)


def _run(command, failure, verbose, env=None):
    if verbose:
        _say(" ".join(command))
    result = subprocess.run(
        command,
        cwd=ROOT,
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if verbose else subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if result.returncode:
        if not verbose:
            sys.stderr.write(_interesting(result.stdout))
        raise BusbarError(f"{failure}; the reason is above")


def _interesting(output):
    """What the tools said, without the progress of the steps that went well."""
    lines = [line for line in output.splitlines() if not line.startswith(("[", "ninja: Entering"))]
    errors = [line for line in lines if "ERROR:" in line]
    return "\n".join(errors or lines) + "\n"
