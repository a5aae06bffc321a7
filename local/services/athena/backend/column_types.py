"""Column types of queries that read no file."""

from local.services.athena.backend.duckdb_process import DuckDbProcess

Columns = tuple[tuple[str, str], ...]
"""Each column's name and its DuckDB type."""
_MAX_QUERIES = 1_000


class ColumnTypes:
    """The columns of queries that read no file, which depend on nothing but the query's text.

    DuckDB is asked once for each query: to find its types costs as much as to plan it.
    """

    def __init__(self) -> None:
        self._columns: dict[str, Columns] = {}

    def describe(self, duckdb: DuckDbProcess, sql: str) -> Columns:
        """Return the columns of a query."""
        columns = self._columns.get(sql)
        if columns is None:
            columns = tuple((name, kind) for name, kind, *_ in duckdb.execute(f"DESCRIBE {sql}"))
            if len(self._columns) >= _MAX_QUERIES:
                self._columns.clear()
            self._columns[sql] = columns
        return columns
