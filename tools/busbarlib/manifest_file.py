# SPDX-License-Identifier: BSD-2-Clause
"""A TOML file whose mistakes are named by file, line and key."""

import difflib
import re
import tomllib
from pathlib import Path

from . import ROOT, BusbarError


class ManifestError(BusbarError):
    """A manifest that cannot be used; the text is one line for the user."""


def nearest(name, choices):
    """"; did you mean 'X'?", or nothing."""
    found = difflib.get_close_matches(str(name), list(choices), n=1, cutoff=0.5)
    return f"; did you mean '{found[0]}'?" if found else ""


def shown(path):
    """A path as the user would type it."""
    path = Path(path)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


class ManifestFile:
    """A parsed TOML file that knows the line of each of its keys."""

    def __init__(self, path):
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            raise ManifestError(f"{shown(path)}: {reason}") from None
        try:
            self.data = tomllib.loads(self.text)
        except tomllib.TOMLDecodeError as error:
            match = re.search(r"\(at line (\d+), column \d+\)", str(error))
            line = int(match[1]) if match else self.text.count("\n") + 1
            what = re.sub(r" \(at .*\)$", "", str(error))
            raise ManifestError(f"{shown(path)}:{line}: not TOML: {what}") from None

    def fail(self, key, what, value=None):
        raise ManifestError(f"{shown(self.path)}:{self._line(key, value)}: {key}: {what}")

    def _line(self, key, value):
        """The line to name: of the value when it stands there, else of the key or its table."""
        table, _, leaf = key.rpartition(".")
        patterns = [
            rf"""['"]{re.escape(value)}['"]""" if isinstance(value, str) else None,
            rf"""^\s*['"]?{re.escape(key)}['"]?\s*=""",
            rf"""(?:^|[{{,])\s*['"]?{re.escape(leaf)}['"]?\s*=""",
            rf"^\s*\[\s*{re.escape(key)}\b",
            rf"^\s*\[\s*{re.escape(table)}\s*\]" if table else None,
        ]
        lines = self.text.splitlines()
        for pattern in filter(None, patterns):
            for number, line in enumerate(lines, 1):
                if re.search(pattern, line.split(" #")[0]):
                    return number
        return 1

    def only(self, table, allowed, prefix=""):
        for key in table:
            if key not in allowed:
                self.fail(prefix + key, f"no such key{nearest(key, allowed)}")

    def get(self, key, kind, default=None, table=None, prefix=""):
        """The value of a key, checked for its type; `default` when it is absent."""
        table = self.data if table is None else table
        if key not in table:
            return default
        value = table[key]
        # bool is an int to Python and not to TOML.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            names = {str: "a string", int: "a whole number", bool: "true or false"}
            names |= {list: "a list", dict: "a table"}
            self.fail(prefix + key, f"must be {names[kind]}")
        return value

    def strings(self, key, default=(), table=None, prefix=""):
        value = self.get(key, list, None, table, prefix)
        if value is None:
            return tuple(default)
        for item in value:
            if not isinstance(item, str) or not item:
                self.fail(prefix + key, f"must hold strings, not {item!r}")
        for item in value:
            if value.count(item) > 1 and key not in ("arguments",):
                self.fail(prefix + key, f"'{item}' stands there twice", item)
        return tuple(value)

    def size(self, key, default):
        value = self.data.get(key, default)
        if isinstance(value, str):
            match = re.fullmatch(r"(\d+)([KM]?)", value)
            value = int(match[1]) * {"": 1, "K": 1024, "M": 1 << 20}[match[2]] if match else None
        if value is default and key not in self.data:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not 4096 <= value <= 1 << 30:
            self.fail(key, 'must be a number of bytes or "256K", from 4K to 1024M')
        return value
