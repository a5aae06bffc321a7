"""An answer as text: a table for people, CSV and JSON for programs; line by line."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from unicodedata import category, east_asian_width

from analytics.athena import Column, QueryResult, Row

MOST_ROWS = 1000  # in a table, whose widths are known only when all of it is
WIDEST = 60
NUMBERS = {"tinyint", "smallint", "integer", "bigint", "real", "float", "double", "decimal"}
JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def table(answer: QueryResult) -> Iterator[str]:
    """Yield the lines of a table, its numbers aligned to the right."""
    rows = list(islice(answer.rows, MOST_ROWS))
    heads = [column.name for column in answer.columns]
    cells = [heads, *([_printable(text) for text in row] for row in rows)]
    widths = [max(map(_width, column)) for column in zip(*cells, strict=True)]
    right = [column.type in NUMBERS for column in answer.columns]
    for number, line in enumerate(cells):
        padded = map(_padded, line, widths, right)
        yield "  ".join(padded).rstrip()
        if number == 0:
            yield "  ".join("─" * width for width in widths)
    if next(answer.rows, None) is not None:
        yield f"… and more than these {MOST_ROWS} rows: --format csv shows all"


def csv(answer: QueryResult) -> Iterator[str]:
    """Yield the lines of Athena's own CSV: a text is quoted, NULL is nothing at all."""
    yield _record(column.name for column in answer.columns)
    yield from map(_record, answer.rows)


def json_rows(answer: QueryResult) -> Iterator[str]:
    """Yield the lines of a JSON array of objects; numbers keep every digit."""
    opening = "["
    for row in answer.rows:
        members = map(_member, answer.columns, row)
        yield f"{opening}{{{', '.join(members)}}}"
        opening = ","
    yield "]" if opening == "," else "[]"


FORMATS = {"table": table, "csv": csv, "json": json_rows}


def _record(row: Iterator[str] | Row) -> str:
    return ",".join("" if text is None else '"' + text.replace('"', '""') + '"' for text in row)


def _member(column: Column, text: str | None) -> str:
    return f"{json.dumps(column.name)}: {_json(column, text)}"


def _json(column: Column, text: str | None) -> str:
    if text is None:
        return "null"
    if column.type == "boolean" or (column.type in NUMBERS and JSON_NUMBER.fullmatch(text)):
        return text
    return json.dumps(text, ensure_ascii=False)


def _printable(text: str | None) -> str:
    """Return a cell of a table: nothing in it moves the cursor or turns the text around."""
    plain = "".join(_harmless(letter) for letter in text or "")
    return plain if len(plain) <= WIDEST else plain[: WIDEST - 1] + "…"


def _harmless(letter: str) -> str:
    kind = category(letter)  # Control, format and the like; separators of lines and paragraphs.
    is_plain = kind[0] != "C" and kind not in ("Zl", "Zp")
    return letter if is_plain else letter.encode("unicode_escape").decode()


def _width(text: str) -> int:
    return sum(_cells(letter) for letter in text)


def _cells(letter: str) -> int:
    if category(letter) in ("Mn", "Me"):  # A mark stands above or below the letter before it.
        return 0
    return 2 if east_asian_width(letter) in "WF" else 1


def _padded(text: str, width: int, right: bool) -> str:
    padding = " " * (width - _width(text))
    return padding + text if right else text + padding
