"""Objects of the copy: whether their rows, which are in Parquet, hold what is to be erased."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from tempfile import NamedTemporaryFile
from typing import Any

import duckdb

from operations.erase.erasing import Limits, has_content
from operations.object_content import UnreadableObject

ROWS_SQL = "SELECT * FROM read_parquet(?) WHERE cdc_key IN (SELECT unnest(?::varchar[]))"
# Several objects are read at once.
CONFIG: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "1GB", "threads": 1}
BATCH_SIZE = 1000  # rows in memory
COPY_COLUMNS = {"dt", "cdc_content"}  # The rows of the lake do not have them.


def holds_content(chunks: Iterable[bytes], limits: Limits) -> bool:
    """Return whether an object of the copy holds content of the keys."""
    with NamedTemporaryFile() as file:
        file.writelines(chunks)
        file.flush()
        try:
            return any(has_content(row, limits) for row in _rows(file.name, limits.keys()))
        except duckdb.Error as error:
            raise UnreadableObject(str(error)) from None


def _rows(path: str, keys: Collection[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of these keys, as they are in the lake."""
    with duckdb.connect(config=CONFIG) as connection:
        result = connection.execute(ROWS_SQL, [path, list(keys)])
        columns = [column for column, *_ in result.description]
        while rows := result.fetchmany(BATCH_SIZE):
            for row in rows:
                yield {
                    name: value
                    for name, value in zip(columns, row, strict=True)
                    if value is not None and name not in COPY_COLUMNS
                }
