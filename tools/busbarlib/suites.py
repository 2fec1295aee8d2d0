# SPDX-License-Identifier: BSD-2-Clause
"""The test suites: each finds its cases; a case runs and answers with results."""
import argparse
import json
import re
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Callable

from . import ROOT, BusbarError, build, common, fuzz, manifest, run, setup, symbols, usb
from .expect import Dialogue, Program

SKIP_STATUS = 77  # a script's exit status that says 'not on this machine'
SCRIPT_TIMEOUT = 1800
UNIT_PATIENCE = 4  # times Meson's own limits, for a machine that does other things too
UNIT_TIMEOUT = 900 * UNIT_PATIENCE
RUN_TIMEOUT = 60


@dataclass
class Result:
    name: str
    status: str  # "passed", "failed" or "skipped"
    output: str = ""
    remark: str = ""  # shown behind the name


@dataclass
class Case:
    """`run` answers a list of Results; when `machine` is set its image is built before and given to
    it. One that is `alone` measures time or uses every core."""

    name: str
    run: Callable
    platform: str | None = None
    machine: run.Machine | None = None
    alone: bool = True


@dataclass
class Boot:
    """One entry of a tests/boot/*.toml file."""

    name: str
    machine: run.Machine
    steps: list
    timeout: float = RUN_TIMEOUT
    exit_status: int | None = None
    never: list = field(default_factory=list)
    disks: list = field(default_factory=list)  # bytes of each: zeros, made for the run
    usb: list = field(default_factory=list)  # of (kind, bytes of a stick)


def script(name, path, platform=None, alone=True):
    def go():
        status, output = common.run_group([sys.executable, path], SCRIPT_TIMEOUT)
        word = {0: "passed", SKIP_STATUS: "skipped"}.get(status, "failed")
        return [Result(name, word, output)]
    return Case(name, go, platform, alone=alone)


def tools_cases():
    def unittest_case(path):
        name = f"tools/{path.stem}"

        def go():
            status, output = common.run_group([sys.executable, "-m", "unittest", path],
                                              SCRIPT_TIMEOUT)
            return [Result(name, "passed" if status == 0 else "failed", output)]
        return Case(name, go, alone=False)
    return [unittest_case(path) for path in sorted(ROOT.glob("tests/tools/test_*.py"))]


def meson_results(name, folder, output):
    """A Result for each test that Meson ran."""
    log = folder / "meson-logs" / "testlog.json"
    words = {"OK": "passed", "EXPECTEDFAIL": "passed", "SKIP": "skipped"}
    results = []
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
        test = json.loads(line)
        output = test.get("stdout", "") + test.get("stderr", "")
        test_name = f"{name}/{test['name'].split(' / ')[-1]}"
        results.append(Result(test_name, words.get(test["result"], "failed"), output))
        # The program as a whole passes in cmocka's eyes when one of its tests was skipped.
        skipped = re.findall(r"^\[ +SKIPPED +\] ([A-Za-z_]\w*)", output, re.MULTILINE)
        for case in dict.fromkeys(skipped):
            results.append(Result(f"{test_name}/{case}", "skipped", ""))
    return results or [Result(name, "failed", output)]


def unit_cases():
    def unit_case(compiler):
        name = f"unit/{compiler}"

        def go():
            setup.ensure_trees(verbose=common.verbose)
            folder = build.build_tests(compiler, common.verbose)
            log = folder / "meson-logs" / "testlog.json"
            log.unlink(missing_ok=True)
            status, output = common.run_group(
                ["meson", "test", "-C", folder, "--no-rebuild", "--print-errorlogs",
                 "--timeout-multiplier", str(UNIT_PATIENCE)], UNIT_TIMEOUT)
            results = meson_results(name, folder, output)
            if status != 0 and all(result.status != "failed" for result in results):
                results.append(Result(name, "failed", output))
            return results
        return Case(name, go, "host")
    return [unit_case(compiler) for compiler in ("gcc", "clang")]


def format_cases():
    def go():
        listed = common.run(["git", "ls-files", "*.c", "*.h"], check=False)
        files = listed.stdout.split()
        if listed.returncode != 0:  # an unpacked archive has no git
            files = [str(path.relative_to(ROOT)) for pattern in ("*.c", "*.h")
                     for path in ROOT.rglob(pattern) if not path.is_relative_to(ROOT / "build")]
        files = [path for path in files if (ROOT / path).exists()]
        if not files:
            return [Result("format", "skipped", "no C files")]
        status, output = common.run_group(["clang-format", "--dry-run", "-Werror", *files], 300)
        wrong = sorted({line.split(":")[0] for line in output.splitlines() if ": error:" in line})
        text = "run: clang-format -i " + " ".join(wrong) + "\n" if wrong else output
        return [Result("format", "passed" if status == 0 else "failed", text)]
    return [Case("format", go)]


def layering_cases():
    path = ROOT / "tests/layering.py"
    return [script("layering", path)] if path.exists() else []


BOOT_KEYS = {"name": str, "platform": str, "app": str, "compiler": str, "build": str, "smp": int,
             "memory": str, "machine": list, "dtb": str, "append": str, "qemu": list,
             "timeout": (int, float), "steps": list, "exit": int, "never": list,
             "reboot": bool, "disks": list, "net": bool, "usb": list}
SIZE = re.compile(r"(\d+)([KM])")


def read_step(fail, step):
    if not isinstance(step, dict) or len(step) != 1 or \
            not isinstance(next(iter(step.values())), str):
        fail(f"a step is {{ send = \"text\" }} or {{ expect = \"regex\" }}, not {step}")
    kind, text = next(iter(step.items()))
    if kind not in ("send", "expect"):
        fail(f"a step cannot '{kind}'{manifest.nearest(kind, ['send', 'expect'])}")
    return kind, text


def read_size(fail, text):
    match = SIZE.fullmatch(text) if isinstance(text, str) else None
    if not match:
        fail(f'a disk is a size like "8M", not {text!r}')
    return int(match[1]) << {"K": 10, "M": 20}[match[2]]


def read_usb(fail, text):
    """("keyboard", 0) or ("storage", bytes)."""
    try:
        plug = usb.plug(text)
    except (argparse.ArgumentTypeError, AttributeError) as error:
        fail(f"usb: {error}")
    return plug.kind, read_size(fail, plug.file) if plug.kind == "storage" else 0


def read_boot(path):
    """The runs of a boot test file; a wrong file is refused with its name and the key."""
    where = common.relative(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BusbarError(f"{where}: {error}") from None
    entries = data.get("run")
    if set(data) != {"run"} or not isinstance(entries, list):
        raise BusbarError(f"{where}: holds [[run]] tables and nothing else")
    boots = []
    for entry in entries:
        name = entry.get("name", f"run {len(boots) + 1}")

        def fail(text, name=name):
            raise BusbarError(f"{where}: {name}: {text}")
        for key, value in entry.items():
            if key not in BOOT_KEYS:
                fail(f"no key '{key}'{manifest.nearest(key, BOOT_KEYS)}")
            if not isinstance(value, BOOT_KEYS[key]):
                fail(f"{key} has a wrong type: {value!r}")
        for key in ("name", "platform", "steps"):
            if key not in entry:
                fail(f"{key} is missing")
        steps = [read_step(fail, step) for step in entry["steps"]]
        never = entry.get("never", [])
        for pattern in [text for kind, text in steps if kind == "expect"] + never:
            try:
                re.compile(pattern)
            except (re.error, TypeError) as error:
                fail(f"{pattern!r} is no regular expression: {error}")
        if name in (boot.name for boot in boots):
            fail("this name stands there twice")
        machine = run.Machine(entry["platform"], entry.get("app", "monitor"),
                              entry.get("build", "release"), entry.get("compiler", "gcc"),
                              entry.get("dtb"), entry.get("append", ""), entry.get("smp"),
                              entry.get("memory"), entry.get("machine", []),
                              entry.get("qemu", []), net=entry.get("net", False),
                              reboot=entry.get("reboot", False))
        disks = [read_size(fail, text) for text in entry.get("disks", [])]
        sticks = [read_usb(fail, text) for text in entry.get("usb", [])]
        boots.append(Boot(name, machine, steps, entry.get("timeout", RUN_TIMEOUT),
                          entry.get("exit"), never, disks, sticks))
    return boots


def play(boot, image):
    """(failure or None, everything that was seen) of one run."""
    with tempfile.TemporaryDirectory() as folder:
        def zeros(name, size):
            path = Path(folder) / name
            with open(path, "wb") as handle:
                handle.truncate(size)
            return str(path)
        disks = [zeros(f"disk{index}", size) for index, size in enumerate(boot.disks)]
        plugs = [usb.Plug(kind, zeros(f"stick{index}", size) if kind == "storage" else "")
                 for index, (kind, size) in enumerate(boot.usb)]
        machine = replace(boot.machine, disks=[*boot.machine.disks, *disks],
                          usb=[*boot.machine.usb, *plugs])
        return converse(boot, run.prepare(machine, image, True))


def converse(boot, prepared):
    annotator = symbols.Annotator(prepared.elf)
    seen = bytearray()
    with Program(prepared.argv, prepared.on_pty) as program:
        dialogue = Dialogue(program, boot.timeout,
                            output=lambda data: seen.extend(annotator.feed(data)))
        outcome = dialogue.play(boot.steps, boot.exit_status)
    failure = outcome.failure
    for pattern in boot.never:
        if not failure and re.search(pattern, dialogue.transcript.raw, re.MULTILINE):
            failure = f"never {pattern!r}: it appeared"
    return failure, seen.decode("utf-8", "replace").replace("\r\n", "\n")


def boot_case(suite, boot):
    name = f"{suite}/{boot.name}"

    def go(image):
        failure, seen = play(boot, image)
        if failure:
            return [Result(name, "failed", f"{seen}\n{failure}\n")]
        return [Result(name, "passed", seen)]
    return Case(name, go, boot.machine.platform, boot.machine, alone=False)


MEASURED = ("idle",)  # scripts that say how long something took
# They take a minute and more: what starts first is not waited for in the end.
LONGEST = ("webpage", "hotplug", "lossy", "usb", "sd", "uboot", "usb_net")


def boot_cases():
    cases = []
    for path in sorted(ROOT.glob("tests/boot/*.toml")):
        cases += [boot_case(f"boot/{path.stem}", boot) for boot in read_boot(path)]
    scripts = {path.stem: path for path in sorted(ROOT.glob("tests/boot/*.py"))}
    order = [name for name in LONGEST if name in scripts]
    order += [name for name in scripts if name not in LONGEST]
    cases += [script(f"boot/{name}", scripts[name], alone=name in MEASURED) for name in order]
    return cases


SCRATCH = 16 << 20  # bytes of the disks that it may write to
CONFORMANCE_USB = [("keyboard", 0), ("mouse", 0), ("tablet", 0), ("serial", 0),
                   ("storage", SCRATCH)]
VERDICT = r"^(\d+) passed, (\d+) failed"
CHECKED = r"\b(\w+ of \w+/\w+): [1-9]\d* passed"


def conformance_failure(text, required):
    """What is wrong with an output of the application `conformance`, or None. Each of `required`
    ("rtc of rtc/pl031") must have been checked."""
    verdict = re.search(VERDICT, text, re.MULTILINE)
    if not verdict or int(verdict[2]) or not int(verdict[1]):
        return "the verdict is not 0 failed"
    checked = set(re.findall(CHECKED, text))
    missing = [line for line in required if line not in checked]
    return f"not checked: {', '.join(missing)}" if missing else None


def conformance_cases():
    """The application `conformance` on each platform; its last line is the verdict."""
    try:
        app = manifest.load_app("conformance").name
    except manifest.ManifestError:
        return []
    devices = tomllib.loads((ROOT / "tests/conformance/devices.toml").read_text(encoding="utf-8"))

    def conformance_case(platform):
        linked = {driver.name for driver in platform.drivers}
        disk = platform.qemu.disk if platform.qemu else "block/host_file" in linked
        net = bool(platform.qemu and platform.qemu.network)
        sticks = CONFORMANCE_USB if platform.qemu and platform.qemu.usb_ports else []
        scratch = [f"conformance.scratch=disk{i}" for i in range(bool(disk) + bool(sticks))]
        machine = run.Machine(platform.name, app, net=net, append=" ".join(scratch))
        boot = Boot(platform.name, machine, [("expect", VERDICT)], timeout=180, exit_status=0,
                    disks=[SCRATCH] if disk else [], usb=sticks)
        case = boot_case("conformance", boot)
        play_case = case.run

        def go(image):
            results = play_case(image)
            for result in results:
                text = result.output.replace("\r", "")
                failure = conformance_failure(text, devices.get(platform.name, ()))
                if platform.name not in devices:
                    failure = f"tests/conformance/devices.toml has no list for {platform.name}"
                if result.status == "passed" and failure:
                    result.status, result.output = "failed", f"{text}\n{failure}\n"
            return results
        case.run = go
        return case
    return [conformance_case(platform) for platform in manifest.all_platforms()
            if platform.qemu or platform.arch == "host"]


def bench_cases():
    return [script(f"bench/{path.stem}", path) for path in sorted(ROOT.glob("tests/bench/*.py"))]


def fuzz_cases():
    def go():
        results = []
        for outcome in fuzz.run(fuzz.choose([])):
            said = fuzz.failure(outcome)
            text = f"{outcome.output}\n{said}\n" if said else ""
            results.append(Result(f"fuzz/{outcome.name}", "failed" if said else "passed", text,
                                  outcome.remark))
        return results
    return [Case("fuzz", go, "host")]


SUITES = {
    "tools": tools_cases,
    "format": format_cases,
    "layering": layering_cases,
    "unit": unit_cases,
    "boot": boot_cases,
    "conformance": conformance_cases,
    "fuzz": fuzz_cases,
    "bench": bench_cases,
}
