"""Results: the file that a statement writes, and the pages of rows read from it."""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from local.services.athena.api.workgroups import invalid
from local.services.athena.backend.engine import OutputColumn
from local.services.athena.frontend.types import to_athena

MAX_PAGE_ROWS = 1000
_FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)')

Row = tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a statement: its columns, the bytes it scanned and the rows it wrote.

    `manifest` is the location of the list of the files that it wrote; it has no rows then.
    """

    columns: tuple[OutputColumn, ...]
    scanned_bytes: int = 0
    written_rows: int = 0
    manifest: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a result, and the offset of the next page, None after the last."""

    rows: tuple[Row, ...]
    next_start: int | None


def read_page(file: Path, start: int, max_rows: int) -> Page:
    """Read rows from the byte offset `start`, which must be the start of a line."""
    read_records, parse_fields = _FORMATS.get(file.suffix, _FORMATS[".txt"])
    with file.open("rb") as lines:
        lines.seek(max(0, start - 1))
        if start and lines.read(1) != b"\n":
            raise invalid(f"NextToken {start} is not valid")
        records = islice(read_records(lines), max_rows)
        rows = tuple(parse_fields(record.decode().removesuffix("\n")) for record in records)
        end = lines.tell()
        return Page(rows, end if lines.read(1) else None)


def _lines(lines: Any) -> Iterator[bytes]:
    return iter(lines.readline, b"")


def _records(lines: Any) -> Iterator[bytes]:
    """Yield the records of a CSV; a quoted field may contain line breaks."""
    for first_line in _lines(lines):
        record = first_line
        while record.count(b'"') % 2 and (continuation := lines.readline()):
            record += continuation
        yield record


def _fields(record: str) -> Row:
    fields: list[str | None] = []
    for match in _FIELD.finditer(record):
        quoted, plain = match[1], match[2]
        fields.append(plain or None if quoted is None else quoted.replace('""', '"'))
        if not match[0].endswith(","):
            break
    return tuple(fields)


def _one_field(line: str) -> Row:
    """Return a line of SHOW or DESCRIBE: one value, though it may have more columns."""
    return (line,)


_FORMATS: dict[str, tuple[Callable[[Any], Iterator[bytes]], Callable[[str], Row]]] = {
    ".csv": (_records, _fields),
    ".txt": (_lines, _one_field),
}
"""A result's suffix → the reader of its records and the parser of a record's fields."""


def write_text(file: Path, rows: Iterable[Row]) -> None:
    """Write the rows of a statement other than a query, separated by tabs."""
    with file.open("w", encoding="utf-8") as out:
        out.writelines("\t".join(value or "" for value in row) + "\n" for row in rows)


def result_set(columns: Iterable[OutputColumn], rows: Iterable[Row]) -> dict[str, Any]:
    """Return GetQueryResults' ResultSet; a NULL is a field without a value."""
    return {
        "Rows": [{"Data": [_datum(value) for value in row]} for row in rows],
        "ResultSetMetadata": {"ColumnInfo": [_column_info(column) for column in columns]},
    }


def metadata(columns: Iterable[OutputColumn]) -> bytes:
    """Return the .metadata object of a result: its columns. Athena's own format is not public."""
    return json.dumps([_column_info(column) for column in columns]).encode()


def _datum(value: str | None) -> dict[str, str]:
    return {} if value is None else {"VarCharValue": value}


def _column_info(column: OutputColumn) -> dict[str, Any]:
    athena_type, precision, scale = to_athena(column.type)
    return {
        "CatalogName": "hive",
        "SchemaName": "",
        "TableName": "",
        "Name": column.name,
        "Label": column.name,
        "Type": athena_type,
        "Precision": precision,
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": athena_type in ("varchar", "string"),
    }
