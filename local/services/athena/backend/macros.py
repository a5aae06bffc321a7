"""Macros of Trino's functions, from macros.sql: a process of DuckDB creates those that it needs.

DuckDB plans each macro that it creates, so all of them would take a third of the process's start.
"""

import re
from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("macros.sql")
_NAME = re.compile(r"\btrino\.(\w+)", re.IGNORECASE)
_START = re.compile(r"^(?=CREATE MACRO )", re.MULTILINE)


@cache
def macros() -> dict[str, str]:
    """Return the statement that creates each macro; it may use those before it."""
    _, *statements = _START.split(_FILE.read_text(encoding="utf-8"))
    return {_NAME.findall(statement)[0]: statement for statement in statements}


def used_macros(sql: str) -> set[str]:
    """Return the names of the macros that some SQL uses, and of those that these use."""
    names = {name.lower() for name in _NAME.findall(sql)} & macros().keys()
    return names.union(*map(_macros_within, names))


@cache
def _macros_within(name: str) -> set[str]:
    _, *names = _NAME.findall(macros()[name])
    return set(names).union(*map(_macros_within, names))
