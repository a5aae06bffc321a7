"""Translation of format_datetime and parse_datetime: a pattern of Joda's letters in a literal.

A time is formatted field by field, and parsed by a regular expression with a group for each
field. The letters that are not modelled are rejected by name.
"""

import re
from collections.abc import Iterator

from sqlglot import exp

from local.services.athena.backend.ast_builders import call, cast, literal, string_constant
from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend import types
from local.services.athena.frontend.types import DType, dtype_of

_TOKEN = re.compile(r"'((?:[^']|'')*)(?:'|$)|(([A-Za-z])\3*)|([^A-Za-z']+)")
_LETTERS = "GCYxweEyDMdaKhHkmsSzZ"
"""The letters that Joda knows."""
_TIME = exp.to_identifier("cdc_time")
_NUMBERS = {
    "y": "year",
    "Y": "year",
    "x": "isoyear",
    "M": "month",
    "w": "week",
    "d": "day",
    "D": "dayofyear",
    "e": "isodow",
    "H": "hour",
    "h": "trino.clock_hour",
    "m": "minute",
    "s": "second",
}
"""A letter of a number → DuckDB's function of the field."""
_ZONES = {"Z": "+0000", "ZZ": "+00:00", "ZZZ": "UTC", "z": "UTC"}
_FIELDS = {
    "M": ("month", "([0-9]{1,2})"),
    "MMM": (
        "month_name",
        "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
        "|sep(?:tember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)",
    ),
    "d": ("day", "([0-9]{1,2})"),
    "H": ("hour", "([01]?[0-9]|2[0-3])"),
    "h": ("clock_hour", "(0?[1-9]|1[0-2])"),
    "m": ("minute", "([0-5]?[0-9])"),
    "s": ("second", "([0-5]?[0-9])"),
    "a": ("half", "(am|pm)"),
}
"""Letters → their field and the regular expression of its text."""
_FIELD_NAMES = ("year", "fraction", *(name for name, _ in _FIELDS.values()))


def translate_format_datetime(node: exp.Anonymous) -> exp.Expr:
    """Translate format_datetime: the concatenation of a time's fields."""
    time, pattern = node.expressions
    dtype = dtype_of(time)
    texts = [
        literal(text) if not letters else _formatted(letters, has_zone=dtype == DType.TIMESTAMPTZ)
        for letters, text in _tokens(pattern)
    ]
    result = texts[0]
    for text in texts[1:]:
        result = exp.DPipe(this=result, expression=text)
    body = exp.Lambda(this=result, expressions=[_TIME.copy()])
    if dtype != DType.TIMESTAMPTZ:
        time = cast(time, types.TIMESTAMP)
    results = call("list_transform", call("list_value", time), body)
    return call("list_extract", results, literal(1))


def _tokens(pattern: exp.Expr) -> Iterator[tuple[str, str]]:
    """Yield each run of a letter, or "" and the text that stands for itself."""
    text = string_constant(pattern)
    if text is None:
        raise not_modelled("a date format that is not a literal")
    if text == "":
        raise QueryFailed("INVALID_FUNCTION_ARGUMENT", "Invalid pattern specification: it is empty")
    for match in _TOKEN.finditer(text):
        quoted, letters, letter, other = match.groups()
        if letters and letter not in _LETTERS:
            raise QueryFailed("INVALID_FUNCTION_ARGUMENT", f"Illegal pattern component: {letters}")
        yield letters or "", other or ("'" if quoted == "" else (quoted or "").replace("''", "'"))


def _formatted(letters: str, *, has_zone: bool) -> exp.Expr:
    """Return the text of a time's field."""
    letter, width = letters[0], len(letters)
    if letters in _ZONES:
        if not has_zone:
            message = f"format_datetime of a timestamp without a zone has no {letters}"
            raise QueryFailed("INVALID_FUNCTION_ARGUMENT", message)
        return literal(_ZONES[letters])
    if letter in "yYx" and width == 2:
        return call("right", _number(letter, 4), literal(2))
    if letter in "ME" and (width > 2 or letter == "E"):
        name = call("monthname" if letter == "M" else "dayname", _TIME.copy())
        return name if width > 3 else call("left", name, literal(3))
    if letter == "a":
        return call("strftime", _TIME.copy(), literal("%p"))
    if letter == "S":
        milliseconds = call("strftime", _TIME.copy(), literal("%g"))
        return call("rpad", milliseconds, literal(width), literal("0"))
    if letter not in _NUMBERS:
        raise not_modelled(f"the letter {letter} of a date format")
    return _number(letter, width)


def _number(letter: str, width: int) -> exp.Expr:
    digits = cast(call(_NUMBERS[letter], _TIME.copy()), types.VARCHAR)
    return call("trino.pad_left", digits, literal(width), literal("0"))


def translate_parse_datetime(node: exp.Anonymous) -> exp.Expr:
    """Translate parse_datetime: the fields that a regular expression finds make a time."""
    text, pattern = node.expressions
    tokens = list(_tokens(pattern))
    next_letters = [letters for letters, _ in tokens[1:]] + [""]
    fields = [
        _parsed(letters, before=following) if letters else ("", re.escape(other))
        for (letters, other), following in zip(tokens, next_letters, strict=True)
    ]
    names = [name for name, _ in fields if name]
    if "year" not in names or len(names) > len(set(names)):
        raise not_modelled(f"a date format without a year, or with a field twice ({pattern.name})")
    missing = [name for name in _FIELD_NAMES if name not in names]
    expression = "".join(part for _, part in fields)
    groups = literal(f"(?is)^{expression}$" + "()" * len(missing))
    group_names = call("list_value", *map(literal, [*names, *missing]))
    return call("trino.parse_datetime", text, groups, group_names)


def _parsed(letters: str, before: str) -> tuple[str, str]:
    """Return the field that letters stand for before others, and the expression of its text."""
    letter, width = letters[0], len(letters)
    if letter in "yY" and width != 2:
        is_before_number = before[:1] in {*_NUMBERS, "S"} and not before.startswith("MMM")
        return "year", f"([0-9]{{1,{width if is_before_number else 5}}})"
    if letter == "S":
        return "fraction", f"([0-9]{{1,{width}}})"
    key = "MMM" if letter == "M" and width > 2 else letter
    if key not in _FIELDS:
        raise not_modelled(f"the letters {letters} of a date format that is parsed")
    return _FIELDS[key]
