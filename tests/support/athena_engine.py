"""The engine of the laptop's Athena, and what it answers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path

import pytest

from local.core.request import AwsError
from local.services.athena.api.results import read_page
from local.services.athena.backend.engine import Engine
from local.services.athena.errors import QueryFailed
from local.services.athena.frontend.parser import parse

NOW = datetime(2026, 11, 23, 10, 15, 30, 123_000, tzinfo=timezone.utc)
Answer = Callable[[str], list[tuple[str | None, ...]]]


@contextmanager
def an_engine(folder: Path) -> Iterator[Engine]:
    """Yield an engine without tables: what a query computes by itself needs none."""
    engine = Engine(None, None, folder.resolve())
    yield engine
    engine.close()


def answer_of(engine: Engine) -> Answer:
    """Return a function that runs a query and returns its rows, without the header."""
    file = engine_folder(engine) / "answer.csv"

    def rows(sql: str) -> list[tuple[str | None, ...]]:
        engine.write(engine.plan(parse(sql), "default", NOW), file)
        return list(read_page(file, 0, 1_000_000).rows)[1:]

    return rows


def engine_folder(engine: Engine) -> Path:
    """Return the one folder that the engine may write to."""
    allowed = engine._duckdb.execute("SELECT current_setting('allowed_directories')").fetchall()
    return Path(allowed[0][0][0])


def value(answer: Answer, expression: str) -> str | None:
    """Return what one expression gives."""
    return answer(f"SELECT {expression}")[0][0]


def failure(answer: Answer, sql: str) -> str:
    """Return why a query fails."""
    with pytest.raises((QueryFailed, AwsError)) as raised:
        answer(sql)
    return str(raised.value)


def text(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"
