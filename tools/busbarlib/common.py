# SPDX-License-Identifier: BSD-2-Clause
"""What every command shares: remarks, tables and child processes."""
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from . import ROOT, BusbarError

verbose = False


def note(text):
    """Progress and remarks go to stderr: stdout is the command's answer."""
    print("busbar: " + text, file=sys.stderr, flush=True)


def show_command(argv):
    if verbose:
        print("+ " + shlex.join(str(word) for word in argv), file=sys.stderr, flush=True)


def run(argv, timeout=120, cwd=ROOT, check=True, typed="", env=None):
    """Run a tool with a time limit, `typed` its input; answer its CompletedProcess with stdout and
    stderr as text."""
    argv = [str(word) for word in argv]
    show_command(argv)
    try:
        done = subprocess.run(argv, cwd=cwd, timeout=timeout, text=True, errors="replace",
                              input=typed, env=env, capture_output=True)
    except FileNotFoundError:
        raise BusbarError(f"{argv[0]} is not installed; see 'tools/busbar doctor'") from None
    except subprocess.TimeoutExpired:
        raise BusbarError(f"{argv[0]} took more than {timeout} s and was ended; "
                      f"run it by hand: {shlex.join(argv)}") from None
    if check and done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        last = lines[-1] if lines else "no message"
        raise BusbarError(f"{argv[0]} failed with status {done.returncode}: {last}")
    return done


_groups = {}  # of run_group(), by process id


def run_group(argv, timeout, cwd=ROOT):
    """Run a program that has children of its own: (status, all output). All of them end in time;
    the status is None when the time limit ended them."""
    argv = [str(word) for word in argv]
    show_command(argv)
    process = subprocess.Popen(argv, cwd=cwd, text=True, errors="replace", start_new_session=True,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    _groups[process.pid] = process
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return None, output + f"\nended after {timeout} s\n"
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
    finally:
        del _groups[process.pid]


def end_groups():
    """End what other threads run by run_group(): no Ctrl-C reaches it."""
    for process in list(_groups.values()):
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def relative(path):
    """A path as a user in the root folder would type it."""
    path = Path(path)
    try:
        return str(path.resolve().relative_to(ROOT))
    except ValueError:
        return str(path)


def table(rows, out=None):
    """Print rows of text with aligned columns; the last column is as wide as it likes."""
    rows = [[str(cell) for cell in row] for row in rows]
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths)]
        print("  ".join(cells).rstrip(), file=out or sys.stdout)
