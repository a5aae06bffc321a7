"""Questions and how they are asked: named parameters, three formats, exits that say what to do."""

import csv
import io
import json
import re
import sys
from decimal import Decimal

import pytest
import sqlglot
from hypothesis import example, given
from hypothesis import strategies as st

from analytics import run
from analytics.athena import Column, Progress, QueryFailed, QueryResult, records
from analytics.formatters import MOST_ROWS, json_rows, table
from analytics.formatters import csv as csv_rows
from analytics.progress import Patience
from analytics.question import BadParameter, Question, question, questions

COLUMNS = (Column("name", "varchar"), Column("total", "decimal"), Column("sold", "boolean"))


def answer(*rows: tuple[str | None, ...], columns: tuple[Column, ...] = COLUMNS) -> QueryResult:
    """Return an answer of these rows."""
    return QueryResult(columns, iter(rows), 0)


@pytest.mark.parametrize("asked", questions().values(), ids=lambda asked: asked.name)
def test_every_question_says_what_it_answers_and_has_a_name_for_every_mark(asked: Question) -> None:
    first, second, *_ = asked.sql.splitlines()
    assert re.fullmatch(r"-- [A-Z].{20,96}", first)
    assert second.startswith("-- params: ") == bool(asked.parameters)
    (tree,) = sqlglot.parse(asked.sql, dialect="athena")
    assert len(list(tree.find_all(sqlglot.exp.Placeholder))) == len(asked.parameters)


def test_there_are_the_questions_that_the_demo_asks() -> None:
    assert len(questions()) >= 8
    assert questions().keys() >= {"revenue_by_day", "status_funnel", "top_products"}


def test_a_parameter_takes_the_value_given_or_its_own() -> None:
    asked = question("q", "-- What it is.\n-- params: day=2026-01-01, key\nSELECT ?, ?")
    assert asked.values({"key": "a=b"}) == ["2026-01-01", "a=b"]
    assert asked.values({"key": "", "day": "2026-02-02"}) == ["2026-02-02", ""]
    with pytest.raises(BadParameter, match="q needs --param key="):
        asked.values({})
    with pytest.raises(BadParameter, match="no parameter dya: it has day, key"):
        asked.values({"dya": "2026-01-01", "key": "x"})


@pytest.mark.parametrize("sql", ["", "SELECT 1", "-- Mine.", "-- params: day", "\n\nSELECT 1"])
def test_a_file_of_few_lines_is_a_question_too(sql: str) -> None:
    asked = question("mine", sql)
    assert (asked.sql, asked.values({})) == (sql, [])
    assert "mine" in run.listed({"mine": asked})


def test_numbers_stand_at_the_right_and_wide_letters_count_twice() -> None:
    lines = list(table(answer(("渡辺", "10.50", "true"), (None, "-3", None))))
    assert lines == [
        "name  total  sold",
        "────  ─────  ────",
        "渡辺  10.50  true",
        "         -3",
    ]


def test_an_accent_takes_no_room_of_its_own() -> None:
    _, _, composed, accented = table(answer(("José", "1", None), ("Jose\u0301", "1", None)))
    assert (composed, accented) == ("José      1", "Jose\u0301      1")


@given(st.lists(st.tuples(st.text() | st.none(), st.none(), st.none())))
@example([("\u20280", None, None), ("\u2029", None, None)])
def test_a_table_has_a_line_for_each_row_whatever_its_text(rows: list[tuple]) -> None:
    lines = list(table(answer(*rows)))
    assert len(lines) == 2 + len(rows)
    assert not any(letter in "\x1b\r\n\u202e\u2028\u2029" for line in lines for letter in line)


def test_a_table_too_long_says_so() -> None:
    rows = [(str(number), "1", None) for number in range(MOST_ROWS + 1)]
    *_, last = table(answer(*rows))
    assert "--format csv" in last
    assert len(list(table(answer(*rows[:MOST_ROWS])))) == 2 + MOST_ROWS


@given(st.lists(st.tuples(st.text() | st.none(), st.text() | st.none(), st.none())))
@example([("\0", None, None)])
def test_csv_tells_null_from_an_empty_text(rows: list[tuple]) -> None:
    text = "".join(line + "\n" for line in csv_rows(answer(*rows)))
    assert list(records(io.StringIO(text, newline="\n")))[1:] == rows
    readable = text.replace("\0", "0")  # Python 3.10's own reader refuses NUL
    assert len(list(csv.reader(io.StringIO(readable, newline="")))) == 1 + len(rows)


@given(
    st.lists(st.tuples(st.text() | st.none(), st.decimals(allow_nan=False, allow_infinity=False)))
)
def test_json_keeps_every_text_and_every_digit(rows: list[tuple[str | None, Decimal]]) -> None:
    texts = [(name, format(total, "f"), "false") for name, total in rows]
    read = json.loads("\n".join(json_rows(answer(*texts))), parse_float=Decimal, parse_int=Decimal)
    assert read == [{"name": name, "total": total, "sold": False} for name, total in rows]


def test_json_gives_what_is_no_number_as_text() -> None:
    (row,) = json.loads("\n".join(json_rows(answer((None, "NaN", None)))))
    assert row == {"name": None, "total": "NaN", "sold": None}


def test_a_query_costs_at_least_ten_megabytes() -> None:
    assert run.cost(0) == "0 bytes scanned, about $0.00005"
    assert run.cost(2 * 10**12) == "2,000,000,000,000 bytes scanned, about $10.00000"
    assert run.cost(1, 2, 3) == "6 bytes scanned, about $0.00015"


def test_what_is_missing_names_the_script_that_makes_it() -> None:
    advice = "run python setup/11_athena.py"
    assert advice in run.reason(QueryFailed("WorkGroup sales-cdc is not found."))
    assert advice in run.reason(
        QueryFailed("TABLE_NOT_FOUND: line 4:6: Table orders does not exist")
    )
    assert run.reason(QueryFailed("INVALID_CAST_ARGUMENT: x")) == "INVALID_CAST_ARGUMENT: x"


@pytest.mark.parametrize(
    "told",
    [
        "INVALID_CAST_ARGUMENT: Value cannot be cast to date: 01.11.2026",
        "INVALID_CAST_ARGUMENT: Cannot cast 'soon' to timestamp",
        'INVALID_CAST_ARGUMENT: date field value out of range: "2026-11-31"',
    ],
)
def test_what_is_no_day_or_moment_is_told_how_to_write_one(told: str) -> None:
    advice = "write a day as 2026-11-23, a moment as 2026-11-23 10:00:00 (UTC)"
    assert run.reason(QueryFailed(told)) == f"{told}: {advice}"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], 0, "revenue_by_day"),
        (["revenue"], 2, "no question is called revenue"),
        (["order_history"], 2, "needs --param order_id="),
        (["revenue_by_day", "--param", "day=1"], 2, "no parameter day"),
    ],
)
def test_asking_wrongly_says_what_there_is(
    arguments: list[str],
    status: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert run.main() == status
    captured = capsys.readouterr()
    assert told in (captured.err if status else captured.out)


@pytest.mark.parametrize("shape", ["csv", "json"])
def test_what_is_for_programs_is_utf_8_whatever_the_terminal_can(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "🎉 \\u渡辺"
    written = io.BytesIO()
    monkeypatch.setattr(run, "run_query", lambda *_: answer((text, None, None)))
    monkeypatch.setattr(sys, "argv", ["run", "status_funnel", "--format", shape])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    assert run.main() == 0
    found = written.getvalue().decode()
    read = {
        "csv": lambda: list(records(io.StringIO(found, newline="\n")))[1][0],
        "json": lambda: json.loads(found)[0]["name"],
    }
    assert read[shape]() == text


def test_a_failed_query_shows_the_line_that_athena_means() -> None:
    failed = QueryFailed("SYNTAX_ERROR: line 2:8: Column 'y' cannot be resolved")
    assert run.reason(failed, "-- What?\nSELECT y").splitlines() == [
        "SYNTAX_ERROR: line 2:8: Column 'y' cannot be resolved",
        "  2 | SELECT y",
        "    |        ^",
    ]
    assert run.reason(QueryFailed("line 9:1: beyond"), "SELECT 1") == "line 9:1: beyond"


def test_progress_is_told_to_a_terminal_and_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for is_terminal in (True, False):
        terminal = io.StringIO()
        terminal.isatty = lambda is_terminal=is_terminal: is_terminal
        monkeypatch.setattr(sys, "stderr", terminal)
        patience = Patience()
        patience(Progress("RUNNING", 1_234_567))
        patience.end()
        told = terminal.getvalue()
        assert ("running 0 s, 1,234,567 bytes scanned" in told) == is_terminal
        assert told.endswith("\r\x1b[K") == is_terminal
