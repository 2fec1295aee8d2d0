# SPDX-License-Identifier: BSD-2-Clause
"""Fuzz targets: tests/fuzz/fuzz_*.c and modules/<name>/tests/fuzz_*.c, by libFuzzer with sanitizers.

The small corpus of a target is tests/fuzz/corpus/<name>/; what a run finds besides stays in the
build folder and is where the next one begins. A target's first comment says `-max_len=N` where
4096 bytes are not right."""
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from . import ROOT, BusbarError, build, common, manifest, setup

SECONDS = 20
# Corpora that other commands bring.
MORE = {"tree": [setup.DTBS]}


@dataclass
class Outcome:
    name: str
    status: int | None
    output: str
    executions: int = 0
    covered: int = 0
    edges: int = 0

    @property
    def remark(self):
        return f"{self.executions} executions, {self.covered} of {self.edges} edges"


def targets():
    """{name: source}: fuzz_ring.c is `ring`."""
    paths = [*ROOT.glob("tests/fuzz/fuzz_*.c"), *ROOT.glob("modules/*/tests/fuzz_*.c")]
    return {path.stem.removeprefix("fuzz_"): path for path in sorted(paths)}


def choose(names):
    known = targets()
    for name in names:
        if name not in known:
            raise BusbarError(f"no fuzz target '{name}'{manifest.nearest(name, known)}; "
                              f"there are {', '.join(known)}")
    return names or list(known)


def command(folder, name, seconds):
    source = targets()[name]
    length = re.search(r"-max_len=(\d+)", source.read_text(encoding="utf-8"))
    found = folder / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    small = ROOT / "tests/fuzz/corpus" / name
    words = ROOT / "tests/fuzz/corpus" / f"{name}.dict"
    argv = [folder / f"fuzz_{name}", f"-max_total_time={seconds}", "-print_final_stats=1",
            "-timeout=20", "-rss_limit_mb=2048", f"-max_len={length[1] if length else 4096}",
            f"-artifact_prefix={folder}/{name}-"]
    argv += [f"-dict={words}"] if words.is_file() else []
    return [*argv, found, *(path for path in (small, *MORE.get(name, [])) if path.is_dir())]


def judge(name, status, output):
    """What libFuzzer's output says of a run."""
    def number(pattern):
        numbers = re.findall(pattern, output)
        return int(numbers[-1]) if numbers else 0
    executions = number(r"stat::number_of_executed_units:\s*(\d+)")
    edges = number(r"\((\d+) inline 8-bit counters\)")
    return Outcome(name, status, output, executions, number(r"\bcov: (\d+)"), edges)


def failure(outcome):
    """One line about what went wrong, or None."""
    if outcome.status == 0 and outcome.executions:
        return None
    crash = re.search(r"Test unit written to (\S+)", outcome.output)
    if crash:
        program = build.BUILD / "fuzz-clang" / f"fuzz_{outcome.name}"
        again = f"{common.relative(program)} {common.relative(crash[1])}"
        return f"{outcome.name}: found an input that fails; again: {again}"
    return f"{outcome.name}: ended with status {outcome.status} after {outcome.remark}"


def run(names, seconds=SECONDS, jobs=None):
    """Build the targets and run them, several beside each other; yields an Outcome for each."""
    folder = build.build_fuzz(common.verbose)

    def go(name):
        argv = command(folder, name, seconds)
        status, output = common.run_group(argv, seconds + 120)
        return judge(name, status, output)
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        yield from pool.map(go, names)


def fuzz(names, seconds, only_list):
    """The command."""
    if only_list:
        common.table([(name, common.relative(path)) for name, path in targets().items()])
        return 0
    wrong = 0
    for outcome in run(choose(names), seconds):
        said = failure(outcome)
        print(f"{outcome.name}: {outcome.remark} in {seconds} s", flush=True)
        if said:
            print("".join(f"      {line}\n" for line in outcome.output.splitlines()[-60:]), end="")
            common.note(said)
            wrong += 1
    return 1 if wrong else 0
