"""Athena queries: text is returned unchanged, NULL is not "", and a failure has a reason."""

import io
from collections.abc import Iterator

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics.athena import Progress, QueryFailed, Row, literal, parse_csv, run_query
from local.core.server import Cloud
from local.services.athena import Athena
from local.services.athena.api import executions
from setup.names import WORKGROUP
from tests.support.laptop_cloud import laptop

HOSTILE_TEXTS = (
    "",
    "NULL",
    "O'Hara",
    '"',
    "a,b\nc",
    "\r\n\r",
    "\u2028",
    "'; DROP TABLE changes; --",
    "🎉 \u202eabc",
    "%",
)


@pytest.fixture(scope="module")
def athena() -> Iterator[Cloud]:
    """A cloud with a workgroup, which is enough for queries without tables."""
    with laptop(Athena) as cloud:
        boto3.client("s3").create_bucket(Bucket="results")
        boto3.client("athena").create_work_group(
            Name=WORKGROUP,
            Configuration={"ResultConfiguration": {"OutputLocation": "s3://results/queries/"}},
        )
        yield cloud


def athena_csv(rows: list[Row]) -> str:
    """Return rows in Athena's CSV format."""
    lines = (
        ",".join("" if text is None else '"' + text.replace('"', '""') + '"' for text in row)
        for row in rows
    )
    return "".join(line + "\n" for line in lines)


@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(st.tuples(*[st.none() | st.text()] * width), max_size=5)
    )
)
@example([(None, "")])
@example([("",), (None,)])
@example([("a\nb", "\r\n"), ('"', '","')])
@example([("\u2028", "\x85")])
def test_csv_round_trip_keeps_every_row(rows: list[Row]) -> None:
    lines = io.StringIO(athena_csv(rows), newline="\n")
    assert list(parse_csv(lines)) == rows


def test_a_value_with_many_lines_is_read_quickly() -> None:
    text = "\n" * 400_000  # As many as fit an item; quadratic parsing would take minutes.
    lines = io.StringIO(athena_csv([(text, "1"), (None, "2")]), newline="\n")
    assert list(parse_csv(lines)) == [(text, "1"), (None, "2")]


def test_hostile_parameters_stay_values(athena: Cloud) -> None:
    names = [f"c{number}" for number in range(len(HOSTILE_TEXTS))]
    placeholders = ", ".join(f"? AS {name}" for name in names)
    result = run_query(f"SELECT {placeholders}, CAST(NULL AS varchar) AS empty", HOSTILE_TEXTS)
    assert [column.name for column in result.columns] == [*names, "empty"]
    assert list(result.rows) == [(*HOSTILE_TEXTS, None)]


@given(st.text())
def test_text_cannot_end_its_literal(text: str) -> None:
    inner = literal(text)[1:-1]
    assert inner.replace("''", "'") == text
    assert "'" not in inner.replace("''", "")


def test_a_long_result_keeps_its_order(athena: Cloud) -> None:
    result = run_query("SELECT n FROM UNNEST(sequence(1, 3000)) AS t(n) ORDER BY n")
    assert next(result.rows) == ("1",)
    assert [column.type for column in result.columns] == ["bigint"]
    assert list(result.rows) == [(str(n),) for n in range(2, 3001)]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT * FROM nowhere", "sales_cdc"),
        ("SELEC 1", "line 1"),
        ("SELECT CAST('x' AS bigint)", "INVALID_CAST_ARGUMENT"),
        ("SELECT ?", "parameters"),
        ("-- A comment.\n/* b */\nSELECT 1,\n  x FROM (SELECT 1 AS y);", "line 4:3: Column 'x'"),
        ("-- A comment.\nSELECT * FROM\nnowhere", "line 3:1: Schema"),
    ],
)
def test_a_failure_has_athenas_reason(athena: Cloud, sql: str, reason: str) -> None:
    with pytest.raises(QueryFailed, match=reason):
        run_query(sql)


def test_a_running_query_reports_progress(athena: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "POLL_SECONDS", 0)
    reports: list[Progress] = []
    numbers = "UNNEST(sequence(1, 4000))"
    slow_query = f"SELECT sum(n * m) FROM {numbers} AS a(n) CROSS JOIN {numbers} AS b(m)"
    result = run_query(slow_query, on_progress=reports.append)
    assert list(result.rows) == [(str((4000 * 4001 // 2) ** 2),)]
    assert {progress.state for progress in reports} <= {"QUEUED", "RUNNING"}
    assert reports


def test_two_results_can_be_read_in_parallel(athena: Cloud) -> None:
    sql = "SELECT n FROM UNNEST(sequence({}, {})) AS t(n) ORDER BY n"
    results = [run_query(sql.format(first, first + 49)) for first in (1, 101)]
    pairs = list(zip(*(result.rows for result in results), strict=True))
    assert pairs == [((str(n),), (str(n + 100),)) for n in range(1, 51)]
