"""DuckDB engine of the laptop's Athena without a catalog, for queries that read no table."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.core.request import AwsError
from local.services.athena.api.results import Row, read_page
from local.services.athena.backend.duckdb_process import DuckDbProcess
from local.services.athena.backend.engine import Engine
from local.services.athena.errors import QueryFailed
from local.services.athena.frontend.query import parse_query
from local.services.athena.storage.glue_catalog import Catalog
from local.services.athena.storage.object_cache import ObjectCache

NOW = datetime(2026, 11, 23, 10, 15, 30, 123_000, tzinfo=UTC)
RunQuery = Callable[[str], list[Row]]


@contextmanager
def engine_without_tables(folder: Path) -> Iterator[Engine]:
    """Yield an engine whose catalog and object cache have no client."""
    with closing(DuckDbProcess(folder.resolve())) as process:
        yield Engine(Catalog(None), ObjectCache(lambda: None, folder), process)


def query_runner(engine: Engine) -> RunQuery:
    """Return a function that runs a query and returns its rows, without the header."""
    file = engine_folder(engine) / "result.csv"

    def run_query(sql: str) -> list[Row]:
        engine.write(engine.plan(parse_query(sql), "default", NOW), file)
        return list(read_page(file, 0, 1_000_000).rows)[1:]

    return run_query


def engine_folder(engine: Engine) -> Path:
    """Return the one folder that the engine may write to."""
    allowed = engine._duckdb.execute("SELECT current_setting('allowed_directories')")
    return Path(allowed[0][0][0])


def evaluate(run_query: RunQuery, expression: str) -> str | None:
    """Return the value of an SQL expression."""
    return run_query(f"SELECT {expression}")[0][0]


def error_message(run_query: RunQuery, sql: str) -> str:
    """Return the message of the error that a query must raise."""
    with pytest.raises((QueryFailed, AwsError)) as raised:
        run_query(sql)
    return str(raised.value)


def not_null(cell: str | None) -> str:
    """Return a cell that must not be NULL."""
    assert cell is not None
    return cell
