"""Running named queries: parameters, three output formats, and errors that state the fix."""

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
from analytics.athena import Column, Progress, QueryFailed, QueryResult, Row, parse_csv
from analytics.check import EXPECTATION_FOLDER
from analytics.formatters import MAX_TABLE_ROWS, csv_lines, json_lines, table_lines
from analytics.named_queries import (
    InvalidParameter,
    NamedQuery,
    load_named_queries,
    parse_named_query,
)
from analytics.progress import ProgressLine

COLUMNS = (Column("name", "varchar"), Column("total", "decimal"), Column("sold", "boolean"))


def result_of(*rows: Row) -> QueryResult:
    """Return a query result with these rows."""
    return QueryResult(COLUMNS, iter(rows), 0)


QUERIES = [*load_named_queries().values(), *load_named_queries(EXPECTATION_FOLDER).values()]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_every_query_names_its_parameters(query: NamedQuery) -> None:
    first, second, *_ = query.sql.splitlines()
    assert re.fullmatch(r"-- [A-Z].{20,96}", first)
    assert second.startswith("-- params: ") == bool(query.parameters)
    (tree,) = sqlglot.parse(query.sql, dialect="athena")
    assert tree is not None
    assert len(list(tree.find_all(sqlglot.exp.Placeholder))) == len(query.parameters)


def test_the_demos_queries_exist() -> None:
    assert len(load_named_queries()) >= 8
    assert load_named_queries().keys() >= {"revenue_by_day", "status_funnel", "top_products"}


def test_a_parameter_may_have_few_values() -> None:
    query = parse_named_query("q", "-- A query.\n-- params: period=month|day\nSELECT ?")
    assert query.parameter_values({}) == ["month"]
    assert query.parameter_values({"period": "day"}) == ["day"]
    with pytest.raises(InvalidParameter, match="q --param period: expected month, day, found ''"):
        query.parameter_values({"period": ""})


def test_given_parameters_replace_the_defaults() -> None:
    query = parse_named_query("q", "-- A query.\n-- params: day=2026-01-01, key\nSELECT ?, ?")
    assert query.parameter_values({"key": "a=b"}) == ["2026-01-01", "a=b"]
    assert query.parameter_values({"key": "", "day": "2026-02-02"}) == ["2026-02-02", ""]
    with pytest.raises(InvalidParameter, match="q requires --param key=VALUE"):
        query.parameter_values({})
    with pytest.raises(InvalidParameter, match=r"no parameter dya\. Available .*: day, key"):
        query.parameter_values({"dya": "2026-01-01", "key": "x"})


@pytest.mark.parametrize("sql", ["", "SELECT 1", "-- Mine.", "-- params: day", "\n\nSELECT 1"])
def test_a_query_file_may_have_few_lines(sql: str) -> None:
    query = parse_named_query("mine", sql)
    assert (query.sql, query.parameter_values({})) == (sql, [])
    assert "mine" in run.list_queries({"mine": query})


def test_a_table_aligns_numbers_and_wide_letters() -> None:
    lines = list(table_lines(result_of(("渡辺", "10.50", "true"), (None, "-3", None))))
    assert lines == [
        "name  total  sold",
        "────  ─────  ────",
        "渡辺  10.50  true",
        "         -3",
    ]


def test_a_combining_accent_has_no_width() -> None:
    result = result_of(("José", "1", None), ("Jose\u0301", "1", None))
    _, _, composed, combining = table_lines(result)
    assert (composed, combining) == ("José      1", "Jose\u0301      1")


@given(st.lists(st.tuples(st.text() | st.none(), st.none(), st.none())))
@example([("\u20280", None, None), ("\u2029", None, None)])
def test_a_table_has_one_line_per_row(rows: list[Row]) -> None:
    lines = list(table_lines(result_of(*rows)))
    assert len(lines) == 2 + len(rows)
    assert not any(letter in "\x1b\r\n\u202e\u2028\u2029" for line in lines for letter in line)


def test_a_long_table_says_that_it_is_truncated() -> None:
    rows: list[Row] = [(str(number), "1", None) for number in range(MAX_TABLE_ROWS + 1)]
    *_, last_line = table_lines(result_of(*rows))
    assert last_line == "… truncated at 1000 rows; use --format csv for all rows"
    assert len(list(table_lines(result_of(*rows[:MAX_TABLE_ROWS])))) == 2 + MAX_TABLE_ROWS


@given(st.lists(st.tuples(st.text() | st.none(), st.text() | st.none(), st.none())))
@example([("\0", None, None)])
def test_csv_distinguishes_null_from_empty_text(rows: list[Row]) -> None:
    text = "".join(line + "\n" for line in csv_lines(result_of(*rows)))
    assert list(parse_csv(io.StringIO(text, newline="\n")))[1:] == rows
    assert len(list(csv.reader(io.StringIO(text, newline="")))) == 1 + len(rows)


@given(
    st.lists(st.tuples(st.text() | st.none(), st.decimals(allow_nan=False, allow_infinity=False)))
)
def test_json_keeps_every_text_and_digit(rows: list[tuple[str | None, Decimal]]) -> None:
    result = result_of(*[(name, format(total, "f"), "false") for name, total in rows])
    parsed = json.loads("\n".join(json_lines(result)), parse_float=Decimal, parse_int=Decimal)
    assert parsed == [{"name": name, "total": total, "sold": False} for name, total in rows]


def test_json_quotes_numbers_that_json_cannot_hold() -> None:
    (row,) = json.loads("\n".join(json_lines(result_of((None, "NaN", None)))))
    assert row == {"name": None, "total": "NaN", "sold": None}


def test_a_query_is_billed_at_least_ten_megabytes() -> None:
    assert run.format_cost(0) == "0 bytes scanned, about $0.00005"
    assert run.format_cost(2 * 10**12) == "2,000,000,000,000 bytes scanned, about $10.00000"
    assert run.format_cost(1, 2, 3) == "6 bytes scanned, about $0.00015"


@pytest.mark.parametrize(
    "message",
    [
        "WorkGroup sales-cdc is not found.",
        "TABLE_NOT_FOUND: line 4:6: Table orders does not exist",
    ],
)
def test_a_missing_resource_names_its_setup_script(message: str) -> None:
    assert "run python setup/11_athena.py" in run.explain_error(QueryFailed(message))


def test_other_failures_have_only_athenas_reason() -> None:
    message = "INVALID_CAST_ARGUMENT: x"
    assert run.explain_error(QueryFailed(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        "INVALID_CAST_ARGUMENT: Value cannot be cast to date: 01.11.2026",
        "INVALID_CAST_ARGUMENT: Cannot cast 'soon' to timestamp",
        'INVALID_CAST_ARGUMENT: date field value out of range: "2026-11-31"',
    ],
)
def test_an_invalid_date_shows_the_expected_format(message: str) -> None:
    fix = "write a date as 2026-11-23, a time as 2026-11-23 10:00:00 (UTC)"
    assert run.explain_error(QueryFailed(message)) == f"{message}: {fix}"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 0, "revenue_by_day"),
        (["revenue"], 2, "unknown query 'revenue'. Available queries:\n"),
        (["order_history"], 2, "requires --param order_id="),
        (["revenue_by_day", "--param", "day=1"], 2, "no parameter day"),
    ],
)
def test_invalid_arguments_list_the_alternatives(
    arguments: list[str],
    status: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert run.main() == status
    captured = capsys.readouterr()
    assert message in (captured.err if status else captured.out)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sql", "DROP VIEW orders"], "expected a SELECT statement, found 'DROP VIEW orders'"),
        (["--sql", "SELECT 1", "top_products"], "--sql cannot be combined with a query or --param"),
        (["--sql", "SELECT 1", "--param", "a=b"], "--sql cannot be combined with a query"),
    ],
)
def test_an_invalid_sql_option_is_rejected(
    arguments: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", *arguments])
    with pytest.raises(SystemExit, match=r"^2$"):
        run.main()
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("output_format", ["csv", "json"])
def test_csv_and_json_are_utf_8_on_any_terminal(
    output_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "🎉 \\u渡辺"
    output = io.BytesIO()
    monkeypatch.setattr(run, "run_query", lambda *_: result_of((text, None, None)))
    monkeypatch.setattr(sys, "argv", ["run", "status_funnel", "--format", output_format])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(output, "ascii"))
    assert run.main() == 0
    decoded = output.getvalue().decode()
    if output_format == "csv":
        assert list(parse_csv(io.StringIO(decoded, newline="\n")))[1][0] == text
    else:
        assert json.loads(decoded)[0]["name"] == text


def test_a_failed_query_shows_the_line_of_the_error() -> None:
    error = QueryFailed("SYNTAX_ERROR: line 2:8: Column 'y' cannot be resolved")
    assert run.explain_error(error, "-- What?\nSELECT y").splitlines() == [
        "SYNTAX_ERROR: line 2:8: Column 'y' cannot be resolved",
        "  2 | SELECT y",
        "    |        ^",
    ]
    assert run.explain_error(QueryFailed("line 9:1: beyond"), "SELECT 1") == "line 9:1: beyond"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_only_on_a_terminal(
    is_terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr(stderr, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stderr", stderr)
    progress_line = ProgressLine()
    progress_line(Progress("RUNNING", 1_234_567))
    progress_line.clear()
    text = stderr.getvalue()
    assert ("running 0 s, 1,234,567 bytes scanned" in text) == is_terminal
    assert text.endswith("\r\x1b[K") == is_terminal
