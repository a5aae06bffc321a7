"""Objects of the copy: their rows, which are in Parquet, as lines of the lake."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from tempfile import NamedTemporaryFile

import duckdb

from operations.object_content import UnreadableObject

# The rows of the lake have neither of the two columns.
ROWS_SQL = """
SELECT to_json(cdc_row)
FROM (
  SELECT COLUMNS(lambda name: name NOT IN ('dt', 'cdc_content'))
  FROM read_parquet(?)
  WHERE cdc_key IN (SELECT unnest(?::varchar[]))
) AS cdc_row"""
# Several objects are read at once.
CONFIG: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "1GB", "threads": 1}
BATCH_SIZE = 1000  # rows in memory


def rows_of_copy(chunks: Iterable[bytes], keys: Collection[str]) -> Iterator[bytes]:
    """Yield the rows of these keys in an object of the copy."""
    with NamedTemporaryFile() as file, duckdb.connect(config=CONFIG) as connection:
        file.writelines(chunks)
        file.flush()
        try:
            result = connection.execute(ROWS_SQL, [file.name, list(keys)])
            while rows := result.fetchmany(BATCH_SIZE):
                yield from (row.encode() for (row,) in rows)
        except duckdb.Error as error:
            raise UnreadableObject(str(error)) from None
