"""Query results as text, line by line: a table for people, CSV and JSON for programs."""

import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from unicodedata import category, east_asian_width

from analytics.athena import Column, QueryResult

MAX_TABLE_ROWS = 1000  # Column widths need all rows of a table in memory.
MAX_CELL_WIDTH = 60
NUMBER_TYPES = {"tinyint", "smallint", "integer", "bigint", "real", "float", "double", "decimal"}
JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def table_lines(result: QueryResult) -> Iterator[str]:
    """Yield the lines of a table, with numbers aligned to the right."""
    rows = list(islice(result.rows, MAX_TABLE_ROWS))
    header = [column.name for column in result.columns]
    lines = [header, *([_format_cell(text) for text in row] for row in rows)]
    widths = [max(map(_display_width, column)) for column in zip(*lines, strict=True)]
    is_right_aligned = [column.type in NUMBER_TYPES for column in result.columns]
    first, *others = ["  ".join(map(_pad, cells, widths, is_right_aligned)) for cells in lines]
    yield first.rstrip()
    yield "  ".join("─" * width for width in widths)
    yield from map(str.rstrip, others)
    if next(result.rows, None) is not None:
        yield f"… truncated at {MAX_TABLE_ROWS} rows; use --format csv for all rows"


def csv_lines(result: QueryResult) -> Iterator[str]:
    """Yield the lines of Athena's own CSV, which quotes every value and leaves NULL empty."""
    yield _csv_line(column.name for column in result.columns)
    yield from map(_csv_line, result.rows)


def json_lines(result: QueryResult) -> Iterator[str]:
    """Yield the lines of a JSON array of objects; numbers keep every digit."""
    separator = "["
    for row in result.rows:
        members = map(_json_member, result.columns, row)
        yield f"{separator}{{{', '.join(members)}}}"
        separator = ","
    yield "]" if separator == "," else "[]"


FORMATS = {"table": table_lines, "csv": csv_lines, "json": json_lines}


def _csv_line(row: Iterable[str | None]) -> str:
    return ",".join("" if text is None else '"' + text.replace('"', '""') + '"' for text in row)


def _json_member(column: Column, text: str | None) -> str:
    return f"{json.dumps(column.name)}: {_json_value(column, text)}"


def _json_value(column: Column, text: str | None) -> str:
    if text is None:
        return "null"
    if column.type == "boolean" or (column.type in NUMBER_TYPES and JSON_NUMBER.fullmatch(text)):
        return text
    return json.dumps(text, ensure_ascii=False)


def _format_cell(text: str | None) -> str:
    """Return a table cell without characters that move the cursor or reverse the text."""
    printable = "".join(map(_escape_control, text or ""))
    if len(printable) <= MAX_CELL_WIDTH:
        return printable
    return printable[: MAX_CELL_WIDTH - 1] + "…"


def _escape_control(character: str) -> str:
    # The categories C* are control, format and unassigned; Zl and Zp separate lines.
    kind = category(character)
    is_printable = kind[0] != "C" and kind not in ("Zl", "Zp")
    return character if is_printable else character.encode("unicode_escape").decode()


def _display_width(text: str) -> int:
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if category(character) in ("Mn", "Me"):  # A combining mark is drawn on the letter before it.
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _pad(text: str, width: int, is_right_aligned: bool) -> str:
    padding = " " * (width - _display_width(text))
    return padding + text if is_right_aligned else text + padding
