# SPDX-License-Identifier: BSD-2-Clause
"""`busbar test`: runs the cases of suites.py and counts."""
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from . import BusbarError, common, expect, manifest, run, setup, suites
from .suites import Result


class Report:
    """Prints a line for each result as it comes, and keeps the count."""

    WORDS = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}

    def __init__(self):
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self.failed = []
        self._lock = threading.Lock()

    def add(self, results, seconds):
        with self._lock:
            for index, result in enumerate(results):
                self.counts[result.status] += 1
                taken = f"  {seconds:.1f} s" if index == len(results) - 1 else ""
                remark = f": {result.remark}" if result.remark else ""
                print(f"{self.WORDS[result.status]}  {result.name}{remark}{taken}", flush=True)
                if result.status == "failed":
                    self.failed.append(result.name)
                if result.status != "passed":
                    for line in expect.strip_ansi(result.output).rstrip().splitlines():
                        print("      " + line)

    def finish(self):
        for name in self.failed:
            print(f"failed: {name}")
        print("{passed} passed, {failed} failed, {skipped} skipped".format(**self.counts))
        return 1 if self.counts["failed"] else 0


class Images:
    """Builds each image once; a build that failed fails every case that wants it."""

    def __init__(self):
        self._made = {}

    def get(self, machine):
        key = (machine.platform, machine.app, machine.buildtype, machine.compiler)
        if key not in self._made:
            try:
                self._made[key] = run.make(machine)
            except BusbarError as error:
                self._made[key] = error
        if isinstance(self._made[key], BusbarError):
            raise self._made[key]
        return self._made[key]


def guarded(case, *arguments):
    """A case never ends the run: what it raises is its failure."""
    try:
        return case.run(*arguments)
    except BusbarError as error:
        return [Result(case.name, "failed", str(error))]
    except OSError as error:
        return [Result(case.name, "failed", f"{error.filename or 'system'}: {error.strerror}")]


def choose(wanted_suites, wanted_platforms):
    for name in wanted_suites:
        if name not in suites.SUITES:
            raise BusbarError(f"no suite '{name}'{manifest.nearest(name, suites.SUITES)}; "
                              f"there are {', '.join(suites.SUITES)}")
    platforms = {manifest.load_platform(name).name for name in wanted_platforms}
    cases = []
    for name, find in suites.SUITES.items():
        if not wanted_suites or name in wanted_suites:
            cases += find()
    if platforms:
        cases = [case for case in cases if case.platform in platforms]
    return cases


def execute(cases, jobs):
    report, images = Report(), Images()

    def timed(case, *arguments):
        began = time.monotonic()
        results = guarded(case, *arguments)
        report.add(results, time.monotonic() - began)

    pool = ThreadPoolExecutor(jobs)
    try:
        pending = []
        for case in cases:
            if case.alone:
                while pending:
                    pending.pop().result()
                timed(case)
                continue
            if not case.machine:
                pending.append(pool.submit(timed, case))
                continue
            try:
                image = images.get(case.machine)
            except BusbarError as error:
                report.add([Result(case.name, "failed", str(error))], 0)
                continue
            pending.append(pool.submit(timed, case, image))
        while pending:
            pending.pop().result()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        expect.Program.close_all()
        common.end_groups()
        raise
    finally:
        pool.shutdown()
    return report.finish()


def test(wanted_suites, wanted_platforms, only_list, jobs):
    cases = choose(wanted_suites, wanted_platforms)
    if only_list:
        for case in cases:
            print(case.name)
        return 0
    setup.ensure(tests=True, verbose=common.verbose)
    return execute(cases, jobs)
