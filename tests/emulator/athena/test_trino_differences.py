"""Differences between DuckDB and Trino: each expression has the value that Trino gives it."""

from collections.abc import Iterator, Sequence

import pytest

from local.services.athena.backend.engine import Engine
from tests.support.athena_engine import (
    RunQuery,
    engine_without_tables,
    error_message,
    evaluate,
    query_runner,
)
from tests.trino.recording import Answer, ask


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine_without_tables(tmp_path_factory.mktemp("athena")) as engine:
        yield engine


@pytest.fixture(scope="module")
def run_query(engine: Engine) -> RunQuery:
    return query_runner(engine)


ROUNDING = [
    ("CAST(1.005e0 AS decimal(18, 2))", "1.01"),
    ("CAST(-1.005e0 AS decimal(18, 2))", "-1.01"),
    ("CAST(CAST(3618 AS double) / 3600 AS decimal(18, 2))", "1.01"),
    ("CAST(1e30 AS decimal(38, 2))", "1000000000000000000000000000000.00"),
    ("CAST(CAST(0.1 AS real) AS decimal(18, 10))", "0.1000000000"),
    ("TRY_CAST(CAST('NaN' AS double) AS decimal(5, 1))", None),
    ("TRY_CAST(1234.5e0 AS decimal(4, 1))", None),
]
TIMESTAMPS = [
    ("date_trunc('hour', TIMESTAMP '2026-11-23 10:15:30.123')", "2026-11-23 10:00:00.000"),
    ("CAST('2026-11-23 10:15:30' AS timestamp(3))", "2026-11-23 10:15:30.000"),
    ("from_unixtime(999999999999)", "+33658-09-27 01:46:39.000 UTC"),
    ("from_unixtime(2251799813685.2)", "+73326-09-11 20:14:45.200 UTC"),
    ("TRY(from_unixtime(TRY_CAST('x' AS bigint)))", None),
]
JSON = [
    ("json_extract_scalar('{\"a\":19.10}', '$.a')", "19.10"),
    (
        "json_extract_scalar('{\"a\":0.12345678901234567890123}', '$.a')",
        "0.12345678901234567890123",
    ),
    ('json_extract_scalar(\'{"a b":"1.5","c":-1.50e+2,"d":""}\', \'$.c\')', "-1.50e+2"),
    ('json_extract_scalar(\'{"a b":"1.5","c":-1.50e+2,"d":""}\', \'$["a b"]\')', "1.5"),
    ('json_extract_scalar(\'{"a b":"1.5","c":-1.50e+2,"d":""}\', \'$.d\')', ""),
    ('json_extract_scalar(\'["x\\"1.5", {"y":1.0}]\', \'$[0]\')', 'x"1.5'),
    ("json_extract_scalar('[1.0, {\"y\":1.0}]', '$[1]')", None),
    ("json_extract_scalar('{\"a\":1.0 x', '$.a')", None),
    ('json_format(json_parse(\'{"a,]":"NaN, inf"}\'))', '{"a,]":"NaN, inf"}'),
    ("TRY(json_parse('[1 , ]'))", None),
    ("TRY(json_parse('{\"a\":1,}'))", None),
    ("TRY(json_parse('-Infinity'))", None),
    ("TRY(json_parse('[nan]'))", None),
    ("TRY(CAST(json_parse('{\"a\":1}') AS varchar))", None),
    ("TRY(CAST(json_parse('[1]') AS varchar))", None),
    ("CAST(json_parse('null') AS varchar)", None),
    ("json_size('{\"a\":1}', '$.b')", None),
    ("json_size('{\"a\":{\"b\":1}}', '$.a')", "1"),
]
VALUES = [
    ("ARRAY[1, NULL]", "[1, null]"),
    ("ARRAY['a, b', 'c''d', '']", "[a, b, c'd, ]"),
    ("ARRAY[ARRAY[1e0, 1e10], NULL]", "[[1.0, 1.0E10], null]"),
    ("ARRAY[TIMESTAMP '2026-01-01 00:00:00']", "[2026-01-01 00:00:00.000]"),
    ("map(ARRAY['a', 'b c'], ARRAY[NULL, ARRAY[1e7]])", "{a=null, b c=[1.0E7]}"),
    ("CAST(ROW(1e7, 'x', NULL) AS ROW(a double, b varchar, c date))", "{a=1.0E7, b=x, c=null}"),
    ("ROW(1, 'x')", "{field0=1, field1=x}"),
    ("CAST(NULL AS ARRAY(integer))", None),
    ("CAST(NULL AS ROW(a integer))", None),
    ("CAST(NULL AS MAP(varchar, integer))", None),
    ("to_utf8('ab')", "61 62"),
    ("CAST(37.7e0 AS varchar)", "3.77E1"),
    ("CAST(-0.05e0 AS varchar)", "-5.0E-2"),
    ("CAST(0e0 AS varchar)", "0E0"),
    ("CAST(1e0 / 0 AS varchar)", "Infinity"),
]
FUNCTIONS = [
    ("array_join(ARRAY[1.5e0, NULL, 1e10], ',')", "1.5E0,1.0E10"),
    ("array_join(ARRAY[TIMESTAMP '2026-01-01 00:00:00'], ',')", "2026-01-01 00:00:00.000"),
    ("array_max(ARRAY[1, NULL, 3])", None),
    ("array_min(ARRAY[2, 1])", "1"),
    ("contains(ARRAY[1, NULL], 2)", None),
    ("contains(ARRAY[1, NULL], 1)", "true"),
    ("contains(ARRAY[1, 3], 2)", "false"),
    ("arrays_overlap(ARRAY[1, NULL], ARRAY[2])", None),
    ("array_distinct(ARRAY[3, 1, NULL, 1, NULL, 3])", "[3, 1, null]"),
    ("array_remove(ARRAY[1, NULL, 2], 1)", "[null, 2]"),
    ("array_intersect(ARRAY[1, 2, NULL, 2], ARRAY[2, NULL])", "[2, null]"),
    ("array_except(ARRAY[1, 2, NULL, 2], ARRAY[1])", "[2, null]"),
    ("array_union(ARRAY[2, 1], ARRAY[3, 2])", "[2, 1, 3]"),
    ("cardinality(map(ARRAY['a'], ARRAY[1]))", "1"),
    ("reverse(ARRAY[1, 2])", "[2, 1]"),
    ("sequence(3, 1)", "[3, 2, 1]"),
    ("sequence(DATE '2026-01-02', DATE '2026-01-01')", "[2026-01-02, 2026-01-01]"),
    ("replace('abc', '', 'x')", "xaxbxcx"),
    ("upper('straße')", "STRAßE"),
    ("sqrt(-1)", "NaN"),
    ("ln(0)", "-Infinity"),
    ("log10(-1)", "NaN"),
    ("log2(8)", "3.0"),
    ("CAST(' 2026-11-23 10:15:30 ' AS timestamp)", "2026-11-23 10:15:30.000"),
    ("CAST(' 2026-01-05 ' AS date)", "2026-01-05"),
    ("TRY_CAST('2026-11-23 24:00:00' AS timestamp)", None),
    ("TRY(element_at(ARRAY[1], 0))", None),
    ("TRY(map(ARRAY['a'], ARRAY[1])['b'])", None),
    ("TRY(slice(ARRAY[1], 0, 1))", None),
    ("TRY(split('abc', ''))", None),
    ("TRY(split_part('a,b', ',', 0))", None),
    ("TRY(sequence(1, 5, 0))", None),
    ("TRY(sequence(5, 1, 1))", None),
    ("TRY(sequence(1, 10001))", None),
]
LINE = "'1.5' || chr(10)"
PATTERNS = [
    (f"regexp_like({LINE}, '^[0-9.]+$')", "true"),
    (f"regexp_like({LINE}, '^[0-9.]+\\z')", "false"),
    (f"regexp_like({LINE} || 'x', '5$')", "false"),
    (f"regexp_like({LINE} || 'x', '(?m)5$')", "true"),
    ("regexp_like('a$', '[]$]$')", "true"),
    ("regexp_like('a$', '\\$$')", "true"),
]
ISO_TEXTS = [
    ("2026", "2026-01-01 00:00:00.000"),
    ("2026-11", "2026-11-01 00:00:00.000"),
    ("2026-1-5T1:2:3Z", "2026-01-05 01:02:03.000"),
    ("2026-327", "2026-11-23 00:00:00.000"),
    ("2024-366", "2024-12-31 00:00:00.000"),
    ("2026-W48", "2026-11-23 00:00:00.000"),
    ("2026-W48-2T10:15", "2026-11-24 10:15:00.000"),
    ("2026-W53-7", "2027-01-03 00:00:00.000"),
    ("T10:15", "1970-01-01 10:15:00.000"),
    ("2026-11-23T", "2026-11-23 00:00:00.000"),
    ("2026-11-23T10", "2026-11-23 10:00:00.000"),
    ("2026-11-23T10.5", "2026-11-23 10:30:00.000"),
    ("2026-11-23T10:15,5Z", "2026-11-23 10:15:30.000"),
    ("2026-11-23T10:15:30.1", "2026-11-23 10:15:30.100"),
    ("2026-11-23T10:15:30.9999Z", "2026-11-23 10:15:30.999"),
    ("1969-12-31T23:59:59.999999999Z", "1969-12-31 23:59:59.999"),
    ("2026-11-23t10:15:30z", "2026-11-23 10:15:30.000"),
    ("2026-11-23T10:15:30+01", "2026-11-23 09:15:30.000"),
    ("2026-11-23T10:15:30+0130", "2026-11-23 08:45:30.000"),
    ("2026-11-23T10:15:30-14:00", "2026-11-24 00:15:30.000"),
]
INVALID_ISO_TEXTS = [
    "",
    "T",
    "x",
    "2026-11-23 10:15:30",
    " 2026-11-23",
    "2026-11-23\n",
    "20261123T101530Z",
    "2026-02-30",
    "2026-13",
    "2026-000",
    "2026-366",
    "2025-W53",
    "2026-W00",
    "2026-W48-0",
    "2026-11-23Z",
    "2026-11-23T24:00:00Z",
    "2026-11-23T10:60Z",
    "2026-11-23T10:15:60Z",
    "2026-11-23T10:15:30+1",
    "2026-11-23T10:15:30+15:00",
    "2026-11-23T10:15:30+01:60",
    "2026-11-23T10:15:30.1234567891Z",
    "2026-11-23T10:15:30 UTC",
]


def cases(*tables: Sequence[tuple[str, str | None]]) -> pytest.MarkDecorator:
    """Return the tables' cases, each named by its expression."""
    pairs = [pair for table in tables for pair in table]
    return pytest.mark.parametrize(("expression", "expected"), pairs, ids=[p[0] for p in pairs])


TABLES = (ROUNDING, TIMESTAMPS, JSON, PATTERNS, VALUES, FUNCTIONS)


@pytest.fixture(scope="module")
def answers(run_query: RunQuery) -> dict[str, Answer]:
    """The answers to all expressions, many of which share a query."""
    expressions = [expression for table in TABLES for expression, _ in table]
    return dict(ask(expressions, lambda sql: [list(row) for row in run_query(sql)]))


@cases(*TABLES)
def test_expression_matches_trino(
    answers: dict[str, Answer], expression: str, expected: str | None
) -> None:
    assert answers[expression] == [[expected]]


@cases(ISO_TEXTS, [(text, None) for text in INVALID_ISO_TEXTS])
def test_iso_8601_is_parsed_as_by_joda(
    run_query: RunQuery, expression: str, expected: str | None
) -> None:
    timestamp = f"TRY(from_iso8601_timestamp('{expression}'))"
    [(time, exists)] = run_query(
        f"SELECT CAST({timestamp} AT TIME ZONE 'UTC' AS timestamp), {timestamp} IS NOT NULL"
    )
    assert time == expected
    assert exists == ("false" if expected is None else "true")


LOCAL_TIMES = [  # As Trino 476 casts them, around the changes of summer time.
    ("2026-03-08 06:59:59", "America/New_York", "2026-03-08 01:59:59.000"),
    ("2026-03-08 07:00:00", "America/New_York", "2026-03-08 03:00:00.000"),
    ("2026-10-25 00:30:00", "Europe/Berlin", "2026-10-25 02:30:00.000"),
    ("2026-10-25 01:30:00", "Europe/Berlin", "2026-10-25 02:30:00.000"),
    ("2026-03-28 23:30:00.123", "Europe/Berlin", "2026-03-29 00:30:00.123"),
    ("2026-07-01 00:00:00", "Asia/Kolkata", "2026-07-01 05:30:00.000"),
    ("1900-01-01 00:00:00", "Europe/Berlin", "1900-01-01 01:00:00.000"),
    ("2026-07-01 00:00:00", "UTC", "2026-07-01 00:00:00.000"),
]


@pytest.mark.parametrize(("time", "zone", "expected"), LOCAL_TIMES)
def test_a_zone_decides_the_local_time(
    run_query: RunQuery, time: str, zone: str, expected: str
) -> None:
    zoned = f"at_timezone(with_timezone(TIMESTAMP '{time}', 'UTC'), '{zone}')"
    assert evaluate(run_query, f"CAST({zoned} AS timestamp)") == expected
    assert evaluate(run_query, f"TRY(CAST({zoned} AS date))") == expected[:10]
    local = f"CAST((TIMESTAMP '{time} UTC' AT TIME ZONE '{zone}') AS timestamp)"
    assert evaluate(run_query, local) == expected


ERRORS_OUTSIDE_TRY = [
    (
        "TRY(from_unixtime(TRY_CAST('1764115200000000' AS bigint)))",
        "GENERIC_INTERNAL_ERROR: Millis overflow: 1764115200000000000",
    ),
    ("from_unixtime(-2251799813685.3)", "GENERIC_INTERNAL_ERROR: Millis overflow"),
    ("from_iso8601_timestamp('2026-11-23T10:15:30+01:00')", "NOT_SUPPORTED: time zones other than"),
    ("TRY(date(from_iso8601_timestamp('2026-11-23T10+01')))", "NOT_SUPPORTED: time zones other"),
    ("TRY(at_timezone(now(), 'Europe/Berlin'))", "NOT_SUPPORTED: time zones other than UTC"),
    (
        "CAST(now() AT TIME ZONE 'Nowhere/City' AS date)",
        "INVALID_FUNCTION_ARGUMENT: 'Nowhere/City'",
    ),
    ("TRY(CAST(at_timezone(now(), '+02:00') AS date))", "NOT_SUPPORTED: time zones without a name"),
    ("CAST(at_timezone(now(), 'europe/berlin') AS date)", "NOT_SUPPORTED: time zones without a"),
    ("CAST('2026-11-23 10:15:30' AS timestamp(6))", "NOT_SUPPORTED: line 1:"),
    ("TIMESTAMP '2026-11-23 10:15:30.123456'", "NOT_SUPPORTED: line 1:"),
]


@pytest.mark.parametrize(
    ("expression", "reason"), ERRORS_OUTSIDE_TRY, ids=[case[0] for case in ERRORS_OUTSIDE_TRY]
)
def test_error_outside_try_fails_the_query(
    run_query: RunQuery, expression: str, reason: str
) -> None:
    assert error_message(run_query, f"SELECT {expression}").startswith(reason)


SERIES = "(VALUES (1, 1), (2, NULL), (3, 3)) AS t(n, x)"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("lag(x) IGNORE NULLS", [None, "1", "1"]),
        ("lag(x, 1, 7) IGNORE NULLS", ["7", "1", "1"]),
        ("last_value(x) IGNORE NULLS", ["1", "1", "3"]),
        ("last_value(x) RESPECT NULLS", ["1", None, "3"]),
    ],
)
def test_ignore_nulls_is_respected(
    run_query: RunQuery, call: str, expected: list[str | None]
) -> None:
    rows = run_query(f"SELECT {call} OVER (ORDER BY n) FROM {SERIES} ORDER BY n")
    assert [row[0] for row in rows] == expected


TWICE = "(SELECT 1 AS a, 2 AS a)"
REJECTED_SQL = [
    ("SELECT 1 LIMIT 1 OFFSET 1", "InvalidRequestException: line 1:18: mismatched input 'OFFSET'"),
    ("SELECT 1 LIMIT 1, 2", "InvalidRequestException: line 1:17: mismatched input ','"),
    ("SELECT 1_000", "InvalidRequestException: line 1:9: mismatched input '_000'"),
    ("SELECT true IS TRUE", "InvalidRequestException: mismatched input 'IS TRUE'"),
    (f"SELECT 1 FROM {TWICE} NATURAL JOIN {TWICE}", "InvalidRequestException: mismatched input"),
    ("SELECT 1 UNION ALL SELECT 'a'", "TYPE_MISMATCH: line 1:8: column 1 in UNION query has"),
    ("SELECT 1 WHERE 1 IN (SELECT 'a')", "TYPE_MISMATCH: line 1:16: IN value and list items"),
    ("SELECT CASE WHEN 1 THEN 2 END", "TYPE_MISMATCH: line 1:18: CASE WHEN clause must evaluate"),
    ("SELECT NOT 1", "TYPE_MISMATCH: line 1:12: Value of logical NOT expression must evaluate"),
    ("SELECT true AND 'a'", "TYPE_MISMATCH: line 1:17: Value of logical AND expression must"),
    ("SELECT coalesce(1, 'a')", "TYPE_MISMATCH: line 1:8: All COALESCE operands must be the same"),
    ("SELECT nullif(1, 'a')", "TYPE_MISMATCH: line 1:8: All NULLIF operands must be the same type"),
    ("SELECT if(true, 1, 'a')", "TYPE_MISMATCH: line 1:8: All IF results must be the same type"),
    (f"SELECT a FROM {TWICE}", "AMBIGUOUS_NAME: line 1:8: Column 'a' is ambiguous"),
    (f"WITH t AS {TWICE} SELECT a FROM t", "AMBIGUOUS_NAME: line 1:42: Column 'a' is ambiguous"),
    ("SELECT date_trunc('hour', current_date)", "INVALID_FUNCTION_ARGUMENT: 'hour' is not a valid"),
    ("SELECT date_add('hour', 1, current_date)", "INVALID_FUNCTION_ARGUMENT: 'hour' is not a"),
    ("SELECT hour(current_date)", "FUNCTION_NOT_FOUND: line 1:"),
    ("SELECT date_parse('10:15', '%H:%i')", "NOT_SUPPORTED: a date format without a year"),
    ("SELECT concat_ws(',', ARRAY['a'])", "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters"),
    (
        "SELECT TRY_CAST('2026-11-23 10:15:30 +01:00' AS timestamp with time zone)",
        "NOT_SUPPORTED: time zones other than UTC",
    ),
    ("SELECT CAST('a' AS char(3))", "NOT_SUPPORTED: line 1:13: the type char"),
    (
        "SELECT DISTINCT x FROM (VALUES (1, 2)) AS t(x, y) ORDER BY y",
        "EXPRESSION_NOT_IN_DISTINCT: line 1:",
    ),
]


@pytest.mark.parametrize(("sql", "reason"), REJECTED_SQL, ids=[case[0] for case in REJECTED_SQL])
def test_sql_that_trino_rejects_is_rejected(run_query: RunQuery, sql: str, reason: str) -> None:
    assert error_message(run_query, sql).startswith(reason)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS limit OFFSET 0 LIMIT 1",
        "SELECT coalesce(NULL, 1, 2.5), if(true, NULL, 'a'), nullif(1, 2.5)",
        "SELECT CASE WHEN NULL THEN 1 END, NOT NULL, true AND NULL",
        "SELECT NULL UNION ALL SELECT 'a' UNION ALL SELECT 'b'",
        "SELECT DISTINCT x AS y FROM (VALUES 1) AS t(x) ORDER BY y",
        "SELECT DISTINCT x FROM (VALUES 1) AS t(x) ORDER BY t.x, 1",
        "SELECT DISTINCT x + 1 FROM (VALUES 1) AS t(x) ORDER BY x + 1",
        "SELECT 1 WHERE 1 IN (SELECT 2.5) OR 1 IS NULL",
        f"SELECT count(*) FROM {TWICE}",
    ],
)
def test_sql_that_trino_accepts_is_accepted(run_query: RunQuery, sql: str) -> None:
    assert run_query(sql) is not None
