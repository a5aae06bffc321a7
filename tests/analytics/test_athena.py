"""Answers: every text comes back as it is in the lake, NULL is no text, and a failure says why."""

import io
from collections.abc import Iterator

import boto3
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics.athena import Progress, QueryFailed, literal, records, run_query
from local.core.server import Cloud
from local.services.athena import Athena
from setup.names import WORKGROUP
from tests.support.laptop_cloud import laptop

Rows = list[tuple[str | None, ...]]


@pytest.fixture(scope="module")
def athena() -> Iterator[Cloud]:
    """A cloud with a workgroup, which is all that a query without tables needs."""
    with laptop(Athena) as cloud:
        boto3.client("s3").create_bucket(Bucket="results")
        output = {"ResultConfiguration": {"OutputLocation": "s3://results/queries/"}}
        boto3.client("athena").create_work_group(Name=WORKGROUP, Configuration=output)
        yield cloud


def written(rows: Rows) -> str:
    """Return rows as Athena writes them."""
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
def test_reading_athenas_csv_gives_back_what_was_written(rows: Rows) -> None:
    lines = io.StringIO(written(rows), newline="\n")
    assert list(records(lines)) == rows


def test_a_text_may_have_as_many_lines_as_an_item_has_room_for() -> None:
    text = "\n" * 400_000  # Minutes, where each line looks at all those before it again.
    lines = io.StringIO(written([(text, "1"), (None, "2")]), newline="\n")
    assert list(records(lines)) == [(text, "1"), (None, "2")]


HOSTILE = (
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


def test_a_parameter_is_a_value_whatever_its_text(athena: Cloud) -> None:
    names = [f"c{number}" for number in range(len(HOSTILE))]
    marks = ", ".join(f"? AS {name}" for name in names)
    answer = run_query(f"SELECT {marks}, CAST(NULL AS varchar) AS nothing", HOSTILE)
    assert [column.name for column in answer.columns] == [*names, "nothing"]
    assert list(answer.rows) == [(*HOSTILE, None)]


@given(st.text())
def test_a_literal_ends_where_its_text_ends(text: str) -> None:
    inner = literal(text)[1:-1]
    assert inner.replace("''", "'") == text
    assert "'" not in inner.replace("''", "")


def test_a_long_answer_comes_in_order_and_only_as_it_is_taken(athena: Cloud) -> None:
    answer = run_query("SELECT n FROM UNNEST(sequence(1, 3000)) AS t(n) ORDER BY n")
    assert next(answer.rows) == ("1",)
    assert [column.type for column in answer.columns] == ["bigint"]
    assert list(answer.rows) == [(str(n),) for n in range(2, 3001)]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT * FROM nowhere", "sales_cdc"),
        ("SELEC 1", "line 1"),
        ("SELECT CAST('x' AS bigint)", "INVALID_CAST_ARGUMENT"),
        ("SELECT ?", "parameters"),
    ],
)
def test_a_failed_query_gives_athenas_reason(athena: Cloud, sql: str, reason: str) -> None:
    with pytest.raises(QueryFailed, match=reason):
        run_query(sql)


def test_a_query_tells_how_far_it_is(athena: Cloud) -> None:
    told: list[Progress] = []
    numbers = "UNNEST(sequence(1, 4000))"
    slow = f"SELECT sum(n * m) FROM {numbers} AS a(n) CROSS JOIN {numbers} AS b(m)"
    assert list(run_query(slow, watch=told.append).rows) == [(str((4000 * 4001 // 2) ** 2),)]
    assert {each.state for each in told} <= {"QUEUED", "RUNNING"}
    assert told


def test_answers_may_be_read_side_by_side(athena: Cloud) -> None:
    sql = "SELECT n FROM UNNEST(sequence({}, {})) AS t(n) ORDER BY n"
    answers = [run_query(sql.format(first, first + 49)) for first in (1, 101)]
    found = list(zip(*(answer.rows for answer in answers), strict=True))
    assert found == [((str(n),), (str(n + 100),)) for n in range(1, 51)]
