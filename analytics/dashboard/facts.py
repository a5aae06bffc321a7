"""Facts for the dashboard: counts and exact sums by day, region and category, from Athena.

Each file in `facts/shop/` is one query. In it, `:categories` stands for the categories of an
order's lines plus NULL, which means all of them: with a row for each, the page can filter without
counting an order twice. The page grows with the days, regions and categories, hardly with the
orders. `:day(time)` stands for a time's day in the business time zone. The files in `facts/table/`
are about the items of any table; `:with_values` stands for whether the page may contain values,
`:members(value)` for a value itself under the name '' and, if it is a map, its members as '.name'.
Those in `facts/` itself are on every page.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from analytics.athena import Column, Progress, QueryResult, literal, run_query
from setup.names import BUSINESS_TIME_ZONE

DETAILS = {"listed_orders"}  # Facts that name people.
FACT_FOLDER = Path(__file__).with_name("facts")
CATEGORIES = """ARRAY[CAST(NULL AS varchar)] || array_distinct(transform(
  coalesce(TRY(CAST(json_parse(items) AS ARRAY(JSON))), CAST(ARRAY[] AS ARRAY(JSON))),
  line -> coalesce(json_extract_scalar(line, '$.category'), '')
))"""
DAY = re.compile(r":day\((.*?)\)")
MEMBERS = re.compile(r":members\((.*?)\)")
MEMBERS_SQL = r"""map_concat(MAP(ARRAY[''], ARRAY[\1]), transform_keys(
  coalesce(CAST(json_extract(\1, '$.M') AS MAP(VARCHAR, JSON)), CAST(MAP() AS MAP(VARCHAR, JSON))),
  (member_name, member_value) -> '.' || member_name
))"""
INTEGER_TYPES = {"tinyint", "smallint", "integer", "bigint"}


@dataclass(frozen=True, slots=True)
class Facts:
    """The data of the page: each fact's columns by name, and the bytes that each query scanned."""

    columns: dict[str, dict[str, Any]]
    bytes_scanned: tuple[int, ...]


def fact_queries(kind: str = "shop", *, with_details: bool = False) -> dict[str, str]:
    """Return the SQL of each fact of a kind of page."""
    sql_by_name = {
        path.stem: path.read_text("utf-8")
        for path in (
            *sorted(FACT_FOLDER.glob("*.sql")),
            *sorted((FACT_FOLDER / kind).glob("*.sql")),
        )
        if with_details or path.stem not in DETAILS
    }
    with_values = str(with_details).lower()
    return {
        name: with_members(with_days(sql))
        .replace(":categories", CATEGORIES)
        .replace(":with_values", with_values)
        for name, sql in sql_by_name.items()
    }


def with_days(sql: str) -> str:
    """Return a query with the expressions for the days of times."""
    zone = literal(BUSINESS_TIME_ZONE)
    return DAY.sub(rf"CAST(at_timezone(with_timezone(\1, 'UTC'), {zone}) AS date)", sql)


def with_members(sql: str) -> str:
    """Return a query with the expressions for the members of maps."""
    return MEMBERS.sub(MEMBERS_SQL, sql)


def fetch_facts(kind: str = "shop", *, with_details: bool = False) -> Facts:
    """Run the queries of all facts in parallel."""
    queries = fact_queries(kind, with_details=with_details)
    with ThreadPoolExecutor(len(queries)) as executor, stop_all_on_error() as on_progress:
        run = partial(run_query, on_progress=on_progress)
        results = dict(zip(queries, executor.map(run, queries.values()), strict=True))
    columns = {name: encode_columns(result) for name, result in results.items()}
    return Facts(columns, tuple(result.bytes_scanned for result in results.values()))


@contextmanager
def stop_all_on_error() -> Iterator[Callable[[Progress], None]]:
    """Yield an `on_progress` that stops all queries once one fails or the user interrupts."""
    is_stopped = Event()

    def on_progress(progress: Progress) -> None:
        if is_stopped.is_set():
            raise KeyboardInterrupt

    try:
        yield on_progress
    except BaseException:
        is_stopped.set()
        raise


def encode_columns(result: QueryResult) -> dict[str, Any]:
    """Return a result by columns: counts as numbers, amounts as text with all their digits.

    Any other column lists each distinct text once: {"texts": ["EU", "US"], "indexes": [0, 0, 1]}.
    """
    rows = list(result.rows)
    return {
        column.name: _encode_column(column, [row[index] for row in rows])
        for index, column in enumerate(result.columns)
    }


def decode_rows(columns: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of encoded columns."""
    return list(zip(*map(_decode_column, columns.values()), strict=True))


def _decode_column(column: list[Any] | dict[str, Any]) -> list[Any]:
    if isinstance(column, list):
        return column
    return [column["texts"][index] for index in column["indexes"]]


def _encode_column(column: Column, values: Iterable[str | None]) -> list[Any] | dict[str, Any]:
    if column.type in INTEGER_TYPES:
        return [int(value or 0) for value in values]
    if column.type == "decimal":
        return [_strip_trailing_zeros(value or "0") for value in values]
    index_by_text: dict[str | None, int] = {}
    indexes = [index_by_text.setdefault(value, len(index_by_text)) for value in values]
    return {"texts": list(index_by_text), "indexes": indexes}


def _strip_trailing_zeros(digits: str) -> str:
    return digits.rstrip("0").rstrip(".") if "." in digits else digits
