"""The dashboard's facts: on a lake in disorder and of hostile texts, what a model says."""

import logging
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from analytics.athena import Column, QueryResult
from analytics.dashboard.facts import FACT_FOLDER, Facts, encode_columns, fact_queries, fetch_facts
from analytics.named_queries import QUERY_FOLDER
from sales.order_lifecycle import OrderChange, Plan, generate_changes
from tests.support.dashboard_model import COLUMNS, Rows, Told, encode_facts, lasts, modelled
from tests.support.hostile_orders import hostile, placed
from tests.support.lake_fixture import BEGIN, STEP, delivered, lake_of_views, stored

PLAN = Plan(60, 4, Fraction(1, 10), date(2026, 11, 23))
VIEWS = FACT_FOLDER.parent.parent / "views"


@pytest.fixture(scope="module")
def history() -> Iterator[list[OrderChange]]:
    """The changes that the lake holds, in their order."""
    made = generate_changes(PLAN)
    made += placed(hostile(made[0].after), made[-1])
    with lake_of_views():
        stored(delivered(made))
        yield made


@pytest.fixture(scope="module")
def model(history: list[OrderChange]) -> dict[str, Rows]:
    """The rows of every fact as the model has them."""
    told = (
        Told(BEGIN + number * STEP, c.operation, c.after or c.before)
        for number, c in enumerate(history)
    )
    return modelled(lasts(history).values(), told)


@pytest.fixture(scope="module")
def found(history: list[OrderChange]) -> Facts:
    """What Athena answers."""
    return fetch_facts()


@pytest.mark.parametrize("name", COLUMNS)
def test_athena_and_a_model_give_the_same_facts(
    name: str, found: Facts, model: dict[str, Rows]
) -> None:
    assert Counter(read(found.columns[name])) == Counter(read(encode_facts(model)[name]))
    assert list(found.columns[name]) == [one.partition(":")[0] for one in COLUMNS[name].split()]
    assert model[name]


def test_every_query_is_paid_for(found: Facts) -> None:
    assert len(found.bytes_scanned) == len(COLUMNS)
    assert min(found.bytes_scanned) > 0


def read(columns: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a fact as the page reads them."""
    return list(zip(*map(_values, columns.values()), strict=True))


def _values(column: Any) -> list[Any]:
    if isinstance(column, list):
        return column
    return [column["texts"][place] for place in column["at"]]


TEXTS = st.none() | st.text()


@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(), st.decimals(-(10**9), 10**9, places=7))))
def test_columns_keep_every_row_in_its_order(rows: list[tuple]) -> None:
    columns = [Column(name, name) for name in ("varchar", "date", "bigint", "decimal")]
    texts = [(one, other, str(count), f"{amount:f}") for one, other, count, amount in rows]
    encoded = encode_columns(QueryResult(tuple(columns), iter(texts), 0))
    back = [(one, other, count, Decimal(amount)) for one, other, count, amount in read(encoded)]
    assert back == rows


@pytest.mark.parametrize(
    "path",
    [
        *sorted(VIEWS.glob("*.sql")),
        *sorted(QUERY_FOLDER.glob("*.sql")),
        *sorted(FACT_FOLDER.glob("*.sql")),
    ],
    ids=lambda path: path.stem,
)
def test_every_statement_is_athenas_sql(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sql = fact_queries()[path.stem] if path.parent == FACT_FOLDER else path.read_text("utf-8")
    with caplog.at_level(logging.WARNING, "sqlglot"):
        (tree,) = sqlglot.parse(sql, dialect="athena", error_level=sqlglot.ErrorLevel.RAISE)
    assert not caplog.records
    assert not isinstance(tree, sqlglot.exp.Command)
