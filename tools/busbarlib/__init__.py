# SPDX-License-Identifier: BSD-2-Clause
"""The package behind tools/busbar. It needs Python 3.11 and nothing but its standard library."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"


class BusbarError(Exception):
    """A failure the user can act on: one line that says what is wrong and what to do next."""
