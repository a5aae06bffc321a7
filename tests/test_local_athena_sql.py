"""Athena's SQL on the laptop means what Trino means by it."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timezone
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.athena.engine import Engine
from local.athena.errors import QueryFailed
from local.athena.functions import FUNCTIONS
from local.athena.results import page
from local.athena.statements import statement
from local.athena.syntax import parsed
from local.call import AwsError

NOW = datetime(2026, 11, 23, 10, 15, 30, 123_000, tzinfo=timezone.utc)
Answer = Callable[[str], list[tuple[str | None, ...]]]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine without tables: what a query computes by itself needs none."""
    engine = Engine(None, None, tmp_path_factory.mktemp("athena").resolve())
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def answer(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Answer:
    """Return a function that runs a query and returns its rows, without the header."""
    file = engine_folder(engine) / "answer.csv"

    def rows(sql: str) -> list[tuple[str | None, ...]]:
        engine.write(engine.plan(parsed(sql), "default", NOW), file)
        return list(page(file, 0, 1_000_000).rows)[1:]

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


def half_up(number: Decimal, scale: int) -> Decimal:
    """Return a number rounded as Trino rounds."""
    with localcontext() as context:
        context.prec = 200
        return number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Return the values of a decimal type."""
    most = 10**precision - 1
    return st.integers(-most, most).map(lambda digits: Decimal(digits).scaleb(-scale))


FEW = settings(max_examples=25)  # Each of these examples holds many values.


def values(rows: Sequence[Sequence[object]]) -> str:
    """Return rows of texts as a table of SQL."""
    return "VALUES " + ", ".join(f"({', '.join(text(str(cell)) for cell in row)})" for row in rows)


def typed_pairs(pairs: Sequence[Sequence[object]], one: str, other: str) -> str:
    """Return a query of pairs as columns a and b of these types."""
    columns = f"CAST(a AS {one}) AS a, CAST(b AS {other}) AS b"
    return f"SELECT {columns} FROM ({values(pairs)}) AS t(a, b)"


@FEW
@given(st.lists(decimals(18, 4), min_size=1, max_size=50))
@example([Decimal("0.0001"), Decimal("0.0002")])
@example([Decimal("-0.0001"), Decimal("-0.0002")])
def test_an_average_of_decimals_is_exact_and_rounded_half_up(
    answer: Answer, numbers: list[Decimal]
) -> None:
    table = values([[number] for number in numbers])
    typed = f"SELECT CAST(x AS decimal(18,4)) AS x FROM ({table}) AS t(x)"
    found = answer(f"SELECT avg(x), sum(x) FROM ({typed})")[0]
    with localcontext() as context:
        context.prec = 60
        assert Decimal(found[1]) == sum(numbers)
        assert Decimal(found[0]) == half_up(sum(numbers) / len(numbers), 4)


@FEW
@given(st.lists(st.tuples(decimals(12, 3), decimals(9, 4).filter(bool)), min_size=1, max_size=50))
@example([(Decimal("1.500"), Decimal("-0.7000"))])
def test_decimals_divide_as_in_trino(answer: Answer, pairs: list[tuple[Decimal, Decimal]]) -> None:
    typed = typed_pairs(pairs, "decimal(12,3)", "decimal(9,4)")
    found = answer(f"SELECT a / b, typeof(a / b) FROM ({typed})")
    with localcontext() as context:
        context.prec = 100
        assert [Decimal(row[0]) for row in found] == [half_up(a / b, 4) for a, b in pairs]
    assert found[0][1] == "decimal(17, 4)"


@FEW
@given(st.lists(st.tuples(decimals(18, 4), decimals(18, 4)), min_size=1, max_size=50))
@example([(Decimal("99999999999999.9999"), Decimal("-99999999999999.9999"))])
def test_sums_and_products_of_decimals_lose_nothing(
    answer: Answer, pairs: list[tuple[Decimal, Decimal]]
) -> None:
    typed = typed_pairs(pairs, "decimal(18,4)", "decimal(18,4)")
    found = answer(f"SELECT a + b, a - b, a * b FROM ({typed})")
    with localcontext() as context:
        context.prec = 60
        wanted = [(a + b, a - b, a * b) for a, b in pairs]
    assert [tuple(map(Decimal, row)) for row in found] == wanted


@FEW
@given(
    st.lists(
        st.tuples(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(-1000, 1000).filter(bool)),
        min_size=1,
        max_size=50,
    )
)
@example([(-7, 2)])
def test_whole_numbers_divide_towards_zero(answer: Answer, pairs: list[tuple[int, int]]) -> None:
    typed = typed_pairs(pairs, "integer", "integer")
    assert answer(f"SELECT a / b, a % b FROM ({typed})") == [quotient(a, b) for a, b in pairs]


def quotient(one: int, other: int) -> tuple[str, str]:
    """Return the quotient and the remainder of a division that truncates."""
    found = abs(one) // abs(other) * (1 if (one < 0) == (other < 0) else -1)
    return str(found), str(one - found * other)


ANY_TEXT = st.text(max_size=10).filter(lambda word: "\x00" not in word)
NUMBERS = st.from_regex(r"[+-]?([0-9]{1,16}\.?[0-9]{0,8}|\.[0-9]{1,8})", fullmatch=True)
JUNK = st.one_of(NUMBERS.map(lambda number: f" {number}"), st.sampled_from(["", "1_0", "0x1", "-"]))


@FEW
@given(st.lists(NUMBERS | JUNK | ANY_TEXT, min_size=1, max_size=50))
@example(["1.00005", "-1.00005", "99999999999999.99995", "\u0661", "1e3", "1e-3", "+.5", "5."])
def test_text_becomes_a_decimal_only_where_trino_reads_one(
    answer: Answer, words: list[str]
) -> None:
    table = values([[word] for word in words])
    found = answer(f"SELECT TRY_CAST(x AS decimal(18,4)) FROM ({table}) AS t(x)")
    numbers = [None if row[0] is None else Decimal(row[0]) for row in found]
    assert numbers == [read_by_trino(word) for word in words]


def read_by_trino(word: str) -> Decimal | None:
    """Return the decimal(18,4) that Trino makes of a text, or None."""
    try:
        number = half_up(Decimal(word), 4)
    except InvalidOperation:
        return None
    plain = re.fullmatch(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", word, re.IGNORECASE | re.ASCII)
    return number if plain and abs(number) < 10**14 else None


@FEW
@given(st.lists(decimals(18, 4), min_size=1, max_size=50), st.integers(0, 4))
@example([Decimal("2.5000"), Decimal("-2.5000")], 0)
def test_a_decimal_is_cast_to_fewer_places_half_up(
    answer: Answer, numbers: list[Decimal], scale: int
) -> None:
    table = values([[number] for number in numbers])
    casted = f"CAST(CAST(x AS decimal(18,4)) AS decimal(20,{scale}))"
    found = answer(f"SELECT {casted} FROM ({table}) AS t(x)")
    assert [Decimal(row[0]) for row in found] == [half_up(number, scale) for number in numbers]


@FEW
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
@example([1e7, 0.001, 12345678.9, 1e-5, -0.0])
def test_a_double_is_written_as_java_writes_it(answer: Answer, numbers: list[float]) -> None:
    table = values([[repr(number)] for number in numbers])
    found = answer(f"SELECT CAST(x AS double) FROM ({table}) AS t(x)")
    for number, (written,) in zip(numbers, found, strict=True):
        assert float(written) == number
        plain = number == 0 or 0.001 <= abs(number) < 10_000_000
        assert re.fullmatch(r"-?\d+\.\d+" if plain else r"-?\d\.\d+E-?\d+", written)


@FEW
@given(st.lists(ANY_TEXT, min_size=1, max_size=20))
@example(["\uffff", "\U00010000", "Z", "a", "\u00e9", ""])
def test_text_is_ordered_by_code_point(answer: Answer, words: list[str]) -> None:
    table = values([[word] for word in words])
    found = answer(f"SELECT x FROM ({table}) AS t(x) ORDER BY x")
    assert [row[0] for row in found] == sorted(words)


@FEW
@given(st.lists(st.tuples(st.none() | ANY_TEXT, st.none() | ANY_TEXT), min_size=1, max_size=20))
@example([(None, ""), ('a"b', "c,d"), ("e\nf", '"'), ("\r", "\r\n")])
def test_what_a_query_selects_is_what_its_result_holds(
    answer: Answer, rows: list[tuple[str | None, str | None]]
) -> None:
    spelled = ["NULL" if cell is None else text(cell) for row in rows for cell in row]
    pairs = zip(spelled[::2], spelled[1::2], strict=True)
    table = ", ".join(f"({n}, {one}, {two})" for n, (one, two) in enumerate(pairs))
    assert answer(f"SELECT a, b FROM (VALUES {table}) AS t(n, a, b) ORDER BY n") == rows


@settings(max_examples=40)
@given(ANY_TEXT)
@example('"\\')
def test_json_gives_back_the_text_that_it_holds(answer: Answer, word: str) -> None:
    document = text(json.dumps({"a b": {"c": [word]}}))
    path = "'$[\"a b\"].c[0]'"
    assert value(answer, f"json_extract_scalar({document}, {path})") == word
    assert value(answer, f"CAST(json_extract({document}, {path}) AS varchar)") == word


CASES = [
    ("7 / 2", "3"),
    ("typeof(sum(1))", "bigint"),
    ("typeof(1.5 * 2.25)", "decimal(5, 3)"),
    ("typeof(avg(CAST(1 AS decimal(18,4))))", "decimal(18, 4)"),
    ("avg(3)", "3.0"),
    ("DECIMAL '1.50' / DECIMAL '0.7'", "2.14"),
    ("round(1.255, 2)", "1.260"),
    ("CAST(2.5e0 AS integer)", "3"),
    ("CAST('abc' AS varchar(2))", "ab"),
    ("1e0 / 0", "Infinity"),
    ("true", "true"),
    ("CAST(1.5 AS decimal(10,4))", "1.5000"),
    ("TRY_CAST(' 1 ' AS integer)", None),
    ("TRY_CAST('1_000' AS bigint)", None),
    ("TRY_CAST('2.5' AS integer)", None),
    ("TRY(1 / 0)", None),
    ("coalesce(TRY(CAST('x' AS bigint)), -1)", "-1"),
    ("greatest(1, NULL)", None),
    ("concat('a', NULL)", None),
    ("split_part('a,b', ',', 3)", None),
    ("regexp_extract('abc', 'x')", None),
    ("regexp_extract('a1', '([a-z])([0-9])', 2)", "1"),
    ("regexp_replace('a1b2', '([0-9])', '<$1>')", "a<1>b<2>"),
    ("substr('abc', -2)", "bc"),
    ("TIMESTAMP '2026-11-23 10:15:30'", "2026-11-23 10:15:30.000"),
    ("CAST('2026-11-23 10:15:30.1239' AS timestamp)", "2026-11-23 10:15:30.124"),
    ("from_iso8601_timestamp('2026-11-23T11:15:30+01:00')", "2026-11-23 10:15:30.000 UTC"),
    (
        "CAST(from_iso8601_timestamp('2026-11-23T10:15:30Z') AS timestamp)",
        "2026-11-23 10:15:30.000",
    ),
    ("TRY_CAST('2026-11-23T10:15:30Z' AS timestamp)", None),
    ("current_timestamp", "2026-11-23 10:15:30.123 UTC"),
    ("CAST(now() AS date)", "2026-11-23"),
    ("to_iso8601(current_timestamp)", "2026-11-23T10:15:30.123Z"),
    ("date_parse('23.11.2026 10:15', '%d.%m.%Y %H:%i')", "2026-11-23 10:15:00.000"),
    ("date_format(current_timestamp, '%Y-%m-%d %T')", "2026-11-23 10:15:30"),
    ("date_add('month', 1, DATE '2026-01-31')", "2026-02-28"),
    ("date_trunc('month', DATE '2026-11-23')", "2026-11-01"),
    (
        "date_diff('day', TIMESTAMP '2026-01-01 12:00:00', TIMESTAMP '2026-01-02 11:00:00')",
        "0",
    ),
    ("date_diff('hour', DATE '2026-01-01', DATE '2026-01-02')", "24"),
    ("at_timezone(current_timestamp, 'UTC')", "2026-11-23 10:15:30.123 UTC"),
    ("day_of_week(DATE '2026-11-22')", "7"),
    ("json_extract_scalar('{\"a\":{}}', '$.a')", None),
    ("json_extract_scalar('{bad', '$.a')", None),
    ("json_format(json_parse('{\"a\": [1, 2]}'))", '{"a":[1,2]}'),
    ("json_array_length('[1,2]')", "2"),
    ("element_at(ARRAY[1], 2)", None),
    ("ARRAY[5,6][2]", "6"),
    ("transform(ARRAY[1,2], x -> x * 2)", "[2, 4]"),
    ("filter(ARRAY[1,2,3], x -> x > 1)", "[2, 3]"),
    ("reduce(ARRAY[1,2,3], 0, (s, x) -> s + x, s -> s * 10)", "60"),
    ("any_match(ARRAY[1,2], x -> x > 1)", "true"),
    ("element_at(map(ARRAY['a'], ARRAY[1]), 'a')", "1"),
    ("array_join(ARRAY['a', 'b'], '-')", "a-b"),
    ("cardinality(ARRAY['a'])", "1"),
    ("if(1 = 2, 'a')", None),
    ("count_if(true)", "1"),
    ("approx_percentile(5, 0.5)", "5"),
    ("max_by('a', 1)", "a"),
    ("lower('\u00c4') || 'x'", "\u00e4x"),
]


@pytest.mark.parametrize(("expression", "expected"), CASES, ids=[case[0] for case in CASES])
def test_an_expression_means_what_trino_means(
    answer: Answer, expression: str, expected: str | None
) -> None:
    assert value(answer, expression) == expected


QUERIES = [
    ("SELECT x, n FROM UNNEST(ARRAY['a','b']) WITH ORDINALITY AS t(x, n) ORDER BY n DESC", "b2a1"),
    ("SELECT a, b FROM UNNEST(ARRAY[1,2], ARRAY['x']) AS t(a, b) ORDER BY a", "1x2-"),
    (
        'SELECT a, b FROM UNNEST(CAST(json_parse(\'[{"b":"2","a":1,"c":3},{"a":4}]\') '
        "AS ARRAY(ROW(a bigint, b varchar)))) AS t(a, b) ORDER BY a",
        "124-",
    ),
    (
        "SELECT date_diff('day', a, b), s || 'x' FROM UNNEST(ARRAY[1], ARRAY[DATE '2026-01-01'], "
        "ARRAY[DATE '2026-01-03'], ARRAY['s']) WITH ORDINALITY AS t(n, a, b, s, o)",
        "2sx",
    ),
    (
        "SELECT k || 'x', v + 1 FROM UNNEST(map(ARRAY['a'], ARRAY[1])) AS t(k, v)",
        "ax2",
    ),
    (
        "SELECT item FROM (SELECT 'bad' AS j) CROSS JOIN "
        "UNNEST(TRY(CAST(json_parse(j) AS ARRAY(JSON)))) AS t(item)",
        "",
    ),
    ("SELECT x FROM (VALUES 2, NULL, 1) AS t(x) ORDER BY x DESC", "21-"),
    ("SELECT x % 2, count(*) FROM (VALUES 1, 2, 3) AS t(x) GROUP BY 1 ORDER BY 2", "0112"),
    ("SELECT sum(x) OVER (ORDER BY x) FROM (VALUES 1, 2) AS t(x) ORDER BY 1", "13"),
    (
        "SELECT avg(x) FILTER (WHERE x > 1) FROM (VALUES CAST(1 AS decimal(3,1)), 2.5) AS t(x)",
        "2.5",
    ),
    ("WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT y FROM b, a", "2"),
    ("SELECT 1 WHERE 2 IN (SELECT 2) AND EXISTS (SELECT 1)", "1"),
    ("SELECT 'a' UNION SELECT 'a' UNION ALL SELECT 'b' ORDER BY 1", "ab"),
    ("SELECT listagg(x, '') WITHIN GROUP (ORDER BY x DESC) FROM (VALUES 'a', 'b') AS t(x)", "ba"),
]


@pytest.mark.parametrize(("sql", "expected"), QUERIES, ids=[query[0] for query in QUERIES])
def test_a_query_means_what_trino_means(answer: Answer, sql: str, expected: str) -> None:
    assert "".join("-" if cell is None else cell for row in answer(sql) for cell in row) == expected


FAILURES = [
    ("SELECT CAST(' 1 ' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast ' 1 ' to integer"),
    ("SELECT 1 / x FROM (VALUES 0) AS t(x)", "DIVISION_BY_ZERO: Division by zero"),
    ("SELECT 1.5 / x FROM (VALUES 0) AS t(x)", "DIVISION_BY_ZERO: Division by zero"),
    ("SELECT x[3] FROM (VALUES ARRAY[1]) AS t(x)", "INVALID_FUNCTION_ARGUMENT: Array subscript"),
    ("SELECT nope FROM (SELECT 1 AS x)", "COLUMN_NOT_FOUND: line 1:8: Column 'nope'"),
    ("SELECT x FROM (SELECT 1 AS x), (SELECT 1 AS x)", "AMBIGUOUS_NAME: line 1:8: Column 'x'"),
    ("SELECT '1' + 1", "TYPE_MISMATCH: line 1:8: Cannot apply operator: varchar + integer"),
    ("SELECT 1 FROM (SELECT '1' AS x) WHERE x > 5", "TYPE_MISMATCH: line 1:39: Cannot apply"),
    ("SELECT sum('1')", "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters (varchar)"),
    ("SELECT 'a' || 1", "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters (varchar, integer)"),
    ("SELECT 1 WHERE count(*) > 0", "EXPRESSION_NOT_SCALAR: line 1:16: WHERE clause cannot"),
    ("SELECT x, count(*) FROM (SELECT 1 AS x)", "EXPRESSION_NOT_AGGREGATE: 'x' must be"),
    ("SELECT at_timezone(now(), 'Europe/Berlin')", "NOT_SUPPORTED: time zones other than UTC"),
    ("SELECT date_trunc('nope', now())", "INVALID_FUNCTION_ARGUMENT: 'nope' is not a valid"),
    ("SELECT 1 FROM (SELECT 1 AS x) TABLESAMPLE BERNOULLI (10)", "NOT_SUPPORTED: line 1:"),
    ("SELECT 9223372036854775807 + 1", "NUMERIC_VALUE_OUT_OF_RANGE: "),
]


@pytest.mark.parametrize(("sql", "reason"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_query_fails_for_trinos_reason(answer: Answer, sql: str, reason: str) -> None:
    assert failure(answer, sql).startswith(reason)


REFUSALS = [
    ("selec 1", "line 1:1: mismatched input 'selec'"),
    ("SELECT 1 FROM", "line 1:"),
    ("SELECT x FROM t QUALIFY row_number() OVER () = 1", "line 1:25: mismatched input"),
    ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
    ("COPY t TO '/tmp/x'", "line 1:1: mismatched input 'COPY'"),
    ("ATTACH '/tmp/x'", "line 1:1: mismatched input 'ATTACH'"),
    ("INSERT INTO t VALUES (1)", "INSERT is not modelled by the laptop's Athena"),
    ("CREATE TABLE t AS SELECT 1 AS x", "CREATE is not modelled by the laptop's Athena"),
    ("UNLOAD (SELECT 1) TO 's3://b/x/'", "UNLOAD is not modelled by the laptop's Athena"),
    ("MERGE INTO t USING s ON t.a = s.a", "MERGE is not modelled by the laptop's Athena"),
    ("SET memory_limit = '1TB'", "line 1:1: mismatched input 'SET'"),
    ("PRAGMA version", "line 1:1: mismatched input 'PRAGMA'"),
]


@pytest.mark.parametrize(("sql", "reason"), REFUSALS, ids=[case[0] for case in REFUSALS])
def test_what_is_no_query_is_not_started(sql: str, reason: str) -> None:
    with pytest.raises(AwsError) as raised:
        statement(sql, ())
    assert raised.value.code == "InvalidRequestException"
    assert raised.value.message.startswith(reason)


def test_no_function_that_only_duckdb_has_is_run(engine: Engine) -> None:
    names = duckdb.sql("SELECT DISTINCT function_name FROM duckdb_functions()").fetchall()
    for (name,) in names:
        if re.fullmatch(r"[a-z]\w*", name) and name not in FUNCTIONS | SYNTAX:
            with pytest.raises((QueryFailed, AwsError), match=r"not registered|mismatched input"):
                engine.plan(parsed(f"SELECT {name}('/etc/passwd')"), "default", NOW)


SYNTAX = dict.fromkeys(("cast", "try_cast", "extract", "position", "trim", "row", "any", "case"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM TABLE(duckdb_settings())",
        "SELECT trino.failed('x', 1)",
    ],
)
def test_nothing_but_the_catalog_can_be_read(answer: Answer, sql: str) -> None:
    assert re.search("not registered|mismatched input|not modelled", failure(answer, sql))


def test_duckdb_itself_is_locked_in(engine: Engine) -> None:
    for sql in ("FROM read_text('/etc/passwd')", "COPY (SELECT 1) TO '/tmp/outside.csv'"):
        with pytest.raises(duckdb.PermissionException):
            engine._duckdb.execute(sql)
    with pytest.raises(duckdb.InvalidInputException):
        engine._duckdb.execute("SET enable_external_access = true")


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SELECT ? || ?, ?", ["'b'", "'a'", "1"], ("ba", "1")),
        ("SELECT x FROM (SELECT ? AS x) WHERE x = ?", ["'it''s'", "'it''s'"], ("it's",)),
        ("SELECT ?", ["'1; DROP TABLE x --'"], ("1; DROP TABLE x --",)),
        ("SELECT ?, ?", ["NULL", "-5"], (None, "-5")),
        ("SELECT ?", ["DATE '2026-01-01'"], ("2026-01-01",)),
    ],
)
def test_a_parameter_is_a_value(
    engine: Engine, sql: str, parameters: list[str], expected: Sequence[Any]
) -> None:
    tree = statement(sql, parameters).run.args[0]
    file = engine_folder(engine) / "parameters.csv"
    engine.write(engine.plan(tree.copy(), "default", NOW), file)
    assert page(file, 0, 10).rows[1] == expected


@pytest.mark.parametrize(
    ("sql", "parameters"),
    [
        ("SELECT ?", []),
        ("SELECT 1", ["1"]),
        ("SELECT ?", ["(SELECT 1)"]),
        ("SELECT ?", ["1, 2"]),
        ("SELECT ?", ["1 FROM x"]),
        ("SELECT ?", ["x"]),
        ("SELECT ?", ["uuid()"]),
        ("SELECT ?", ["1; DROP VIEW x"]),
    ],
)
def test_a_parameter_is_nothing_but_a_value(sql: str, parameters: list[str]) -> None:
    with pytest.raises(AwsError, match="InvalidRequestException"):
        statement(sql, parameters)
