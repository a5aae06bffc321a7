"""The facts that the page shows: counts and exact sums by day, region and category, from Athena.

Each file in `facts/` is one query. In it `:categories` stands for the categories of an order's
lines, and NULL, which is all of them: a row for each lets the page filter without counting an
order twice. The page grows with days, regions and categories, hardly with orders.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from analytics.athena import Column, Progress, QueryResult, run_query

FOLDER = Path(__file__).with_name("facts")
CATEGORIES = """ARRAY[CAST(NULL AS varchar)] || array_distinct(transform(
  coalesce(TRY(CAST(json_parse(items) AS ARRAY(JSON))), CAST(ARRAY[] AS ARRAY(JSON))),
  line -> coalesce(json_extract_scalar(line, '$.category'), '')
))"""
COUNTS = {"tinyint", "smallint", "integer", "bigint"}
DECIMAL = "decimal"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the page is made of: each fact's columns by name, and the bytes that each query read."""

    columns: dict[str, dict[str, Any]]
    scanned: tuple[int, ...]


def statements() -> dict[str, str]:
    """Return the query of each fact."""
    return {
        path.stem: path.read_text("utf-8").replace(":categories", CATEGORIES)
        for path in sorted(FOLDER.glob("*.sql"))
    }


def facts() -> Facts:
    """Return what Athena answers to all of the queries, asked side by side."""
    asked = statements()
    with ThreadPoolExecutor(len(asked)) as asking, stopping() as watch:
        answered = asking.map(lambda sql: run_query(sql, watch=watch), asked.values())
        answers = dict(zip(asked, answered, strict=True))
    columns = {name: columns_of(answer) for name, answer in answers.items()}
    return Facts(columns, tuple(answer.scanned for answer in answers.values()))


@contextmanager
def stopping() -> Iterator[Callable[[Progress], None]]:
    """Yield what watches queries and, when one fails or the user interrupts, stops the rest."""
    stop = Event()

    def watch(progress: Progress) -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    try:
        yield watch
    except BaseException:
        stop.set()
        raise


def columns_of(answer: QueryResult) -> dict[str, Any]:
    """Return an answer by columns: counts as numbers, amounts as texts of all their digits.

    Of any other column each text stands there once: {"texts": ["EU", "US"], "at": [0, 0, 1]}.
    """
    rows = list(answer.rows)
    columns = zip(*rows, strict=True) if rows else ((),) * len(answer.columns)
    return {
        column.name: _encoded(column, values)
        for column, values in zip(answer.columns, columns, strict=True)
    }


def _encoded(column: Column, values: Iterable[str | None]) -> Any:
    if column.type in COUNTS:
        return [int(value or 0) for value in values]
    if column.type == DECIMAL:
        return [_trimmed(value or "0") for value in values]
    places: dict[str | None, int] = {}
    at = [places.setdefault(value, len(places)) for value in values]
    return {"texts": list(places), "at": at}


def _trimmed(digits: str) -> str:
    """Return a decimal without the zeros at its end, which the page does not need."""
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
