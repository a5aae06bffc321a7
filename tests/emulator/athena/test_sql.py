"""Athena's SQL on the laptop: expressions, queries and errors are those of Trino."""

import re
from collections.abc import Iterator

import pytest

from local.core.request import AwsError
from local.services.athena.api.parameters import with_parameters
from local.services.athena.api.results import Row, read_page
from local.services.athena.api.statements import parse_statement
from local.services.athena.backend.duckdb_process import DuckDbError
from local.services.athena.backend.engine import Engine
from local.services.athena.backend.macros import macros, used_macros
from local.services.athena.errors import QueryFailed
from local.services.athena.frontend.functions import FUNCTIONS
from local.services.athena.frontend.query import parse_query
from tests.support.athena_engine import (
    NOW,
    RunQuery,
    engine_folder,
    engine_without_tables,
    error_message,
    evaluate,
    query_runner,
)

CASES = [
    ("7 / 2", "3"),
    ("typeof(sum(1))", "bigint"),
    ("typeof(1.5 * 2.25)", "decimal(5,3)"),
    ("typeof(avg(CAST(1 AS decimal(18,4))))", "decimal(18,4)"),
    ("avg(3)", "3.0"),
    ("DECIMAL '1.50' / DECIMAL '0.7'", "2.14"),
    ("DECIMAL '-12' - DECIMAL '-.5'", "-11.5"),
    ("typeof(DECIMAL '-1.50')", "decimal(3,2)"),
    ("CAST('1.5' AS decimal)", "2"),
    ("TRY_CAST('1.5 ' AS decimal)", None),
    ("typeof(CAST(1 AS decimal))", "decimal(38,0)"),
    ("CAST(1.5 AS decimal(10))", "2"),
    ("extract(year_of_week FROM DATE '2027-01-01')", "2026"),
    ("extract(dow FROM DATE '2026-11-22')", "7"),
    ("round(1.255, 2)", "1.260"),
    ("CAST(2.5e0 AS integer)", "3"),
    ("CAST('abc' AS varchar(2))", "ab"),
    ("1e0 / 0", "Infinity"),
    ("true", "true"),
    ("CAST(1.5 AS decimal(10,4))", "1.5000"),
    ("TRY_CAST(' 1 ' AS integer)", "1"),
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
    ("from_iso8601_timestamp('2026-11-23T10:15:30+00:00')", "2026-11-23 10:15:30.000 UTC"),
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
    ("current_date - INTERVAL '7' DAY", "2026-11-16"),
    ("CAST(2 * INTERVAL '1' DAY + current_date AS varchar)", "2026-11-25"),
    ("DATE '2026-01-31' + INTERVAL '1' MONTH", "2026-02-28"),
    ("TRY(current_date + INTERVAL '1' HOUR)", None),
    ("TIMESTAMP '2026-01-01 00:00:00' + INTERVAL '90' MINUTE", "2026-01-01 01:30:00.000"),
    ("DATE '2026-01-01' - DATE '2026-01-03'", "-2 00:00:00.000"),
    ("TIMESTAMP '2026-01-03 01:02:03.004' - DATE '2026-01-01'", "2 01:02:03.004"),
    ("CAST(INTERVAL '36' HOUR AS varchar)", "1 12:00:00.000"),
    ("-INTERVAL '14' MONTH", "-1-2"),
    ("typeof(sequence(1, 2))", "array(bigint)"),
    ("sequence(DATE '2026-02-28', DATE '2026-03-01')", "[2026-02-28, 2026-03-01]"),
    ("element_at(sequence(DATE '2026-01-01', now(), INTERVAL '7' DAY), 2)", "2026-01-08"),
    ("current_date - current_date < INTERVAL '1' DAY", "true"),
    (
        "date_diff('day', TIMESTAMP '2026-01-01 12:00:00', TIMESTAMP '2026-01-02 11:00:00')",
        "0",
    ),
    ("date_diff('hour', DATE '2026-01-01', TIMESTAMP '2026-01-02 00:00:00')", "24"),
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


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine_without_tables(tmp_path_factory.mktemp("athena")) as engine:
        yield engine


@pytest.fixture(scope="module")
def run_query(engine: Engine) -> RunQuery:
    return query_runner(engine)


@pytest.mark.parametrize(("expression", "expected"), CASES, ids=[case[0] for case in CASES])
def test_expression_matches_trino(
    run_query: RunQuery, expression: str, expected: str | None
) -> None:
    assert evaluate(run_query, expression) == expected


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
def test_query_matches_trino(run_query: RunQuery, sql: str, expected: str) -> None:
    cells = [cell for row in run_query(sql) for cell in row]
    assert "".join("-" if cell is None else cell for cell in cells) == expected


FAILURES = [
    ("SELECT CAST('1 0' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast '1 0' to integer"),
    ("SELECT 1 / x FROM (VALUES 0) AS t(x)", "DIVISION_BY_ZERO: Division by zero"),
    ("SELECT 1.5 / x FROM (VALUES 0) AS t(x)", "DIVISION_BY_ZERO: Division by zero"),
    ("SELECT x[3] FROM (VALUES ARRAY[1]) AS t(x)", "INVALID_FUNCTION_ARGUMENT: Array subscript"),
    ("SELECT nope FROM (SELECT 1 AS x)", "COLUMN_NOT_FOUND: line 1:8: Column 'nope'"),
    ("SELECT x FROM (SELECT 1 AS x), (SELECT 1 AS x)", "AMBIGUOUS_NAME: line 1:8: Column 'x'"),
    ("SELECT '1' + 1", "TYPE_MISMATCH: line 1:8: Cannot apply operator: varchar + integer"),
    ("SELECT 1 FROM (SELECT '1' AS x) WHERE x > 5", "TYPE_MISMATCH: line 1:39: Cannot apply"),
    (
        "SELECT x - 7 FROM (SELECT current_date AS x)",
        "TYPE_MISMATCH: line 1:8: Cannot apply operator: date - integer",
    ),
    ("SELECT x + x FROM (SELECT now() AS x)", "TYPE_MISMATCH: line 1:8: Cannot apply operator: t"),
    (
        "SELECT INTERVAL '1' DAY - now()",
        "TYPE_MISMATCH: line 1:17: Cannot apply operator",
    ),
    ("SELECT CAST(1 AS string)", "TYPE_NOT_FOUND: line 1:13: Unknown type: string"),
    ("SELECT CAST(x AS array(hugeint)) FROM (SELECT 1 AS x)", "TYPE_NOT_FOUND: line 1:"),
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
def test_query_fails_with_trinos_error(run_query: RunQuery, sql: str, reason: str) -> None:
    assert error_message(run_query, sql).startswith(reason)


REJECTED_STATEMENTS = [
    ("selec 1", "line 1:1: mismatched input 'selec'"),
    ("SELECT 1 FROM", "line 1:"),
    ("SELECT DECIMAL '1 FROM duckdb_settings()'", "line 1:16: mismatched input"),
    ("SELECT x FROM t QUALIFY row_number() OVER () = 1", "line 1:25: mismatched input"),
    ("SELECT * EXCEPT (x) FROM t", "mismatched input '* EXCEPT'"),
    ("SELECT * REPLACE (1 AS x) FROM t", "mismatched input '* REPLACE'"),
    ("SELECT DISTINCT ON (x) x FROM t", "mismatched input 'DISTINCT ON'"),
    ("SELECT x FROM t GROUP BY ALL", "mismatched input 'GROUP BY ALL'"),
    ("SELECT 1 FROM t LEFT SEMI JOIN u ON t.x = u.x", "mismatched input 'SEMI JOIN'"),
    ("SELECT 1 FROM t ASOF JOIN u ON t.x >= u.x", "mismatched input 'ASOF JOIN'"),
    ("SELECT x::date FROM t", "line 1:"),
    ("SELECT 1 WHERE 1 == 1", "line 1:"),
    ("SELECT 1 <=> 2", "line 1:"),
    ("SELECT 1; SELECT 2", "Only one sql statement is allowed"),
    ("COPY t TO '/tmp/x'", "line 1:1: mismatched input 'COPY'"),
    ("ATTACH '/tmp/x'", "line 1:1: mismatched input 'ATTACH'"),
    ("INSERT OVERWRITE t VALUES (1)", "Queries of this type are not supported"),
    ("CREATE TABLE t (x int)", "Queries of this type are not supported"),
    ("CREATE TABLE t WITH (format = 'ORC') AS SELECT 1 AS x", "The property format = 'ORC' is not"),
    ("CREATE TABLE t WITH (table_type = 'ICEBERG') AS SELECT 1 AS x", "The property table_type"),
    ("CREATE EXTERNAL TABLE t (x int) STORED AS ORC LOCATION 's3://b/t/'", "STORED AS ORC is not"),
    ("CREATE EXTERNAL TABLE t (x int NOT NULL) LOCATION 's3://b/t/'", "mismatched input 'x'"),
    ("CREATE EXTERNAL TABLE t (x int)", "LOCATION is missing"),
    ("UNLOAD (SELECT 1) TO 's3://b/x/'", "Queries of this type are not supported"),
    ("EXPLAIN ANALYZE SELECT 1", "Queries of this type are not supported"),
    ("EXPLAIN (TYPE IO) SELECT 1", "EXPLAIN (TYPEIO) is not modelled by the laptop cloud"),
    ("ALTER TABLE t RENAME TO u", "ALTER is not modelled by the laptop cloud"),
    ("SET memory_limit = '1TB'", "line 1:1: mismatched input 'SET'"),
    ("PRAGMA version", "line 1:1: mismatched input 'PRAGMA'"),
]


@pytest.mark.parametrize(
    ("sql", "message"), REJECTED_STATEMENTS, ids=[case[0] for case in REJECTED_STATEMENTS]
)
def test_non_queries_are_rejected(sql: str, message: str) -> None:
    with pytest.raises(AwsError) as raised:
        parse_statement(sql, ())
    assert raised.value.code == "InvalidRequestException"
    assert raised.value.message.startswith(message)


def test_duckdb_only_functions_are_rejected(engine: Engine) -> None:
    rows = engine._duckdb.execute("SELECT DISTINCT function_name FROM duckdb_functions()")
    for name in {name for (name,) in rows} | macros().keys():
        if re.fullmatch(r"[a-z]\w*", name) and name not in FUNCTIONS | SYNTAX:
            with pytest.raises(
                (QueryFailed, AwsError), match=r"not registered|mismatched input|not modelled"
            ):
                engine.plan(parse_query(f"SELECT {name}('/etc/passwd')"), "default", NOW)


def test_macros_are_created_with_those_they_use(engine: Engine) -> None:
    engine._duckdb.execute(f"SELECT '{' '.join(f'trino.{name}' for name in macros())}'")
    rows = engine._duckdb.execute(
        "SELECT function_name FROM duckdb_functions() WHERE schema_name = 'trino'"
    )
    assert {name for (name,) in rows} == macros().keys()
    assert used_macros("SELECT TRINO.IS_FLOAT(x)") == {"is_float", "is_number"}


SYNTAX = dict.fromkeys(("cast", "try_cast", "extract", "position", "trim", "row", "any", "case"))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM TABLE(duckdb_settings())",
        "SELECT trino.fail('x', 1)",
        "SELECT EXTRACT(md5 FROM 'x')",
        "SELECT EXTRACT('1) FROM duckdb_settings() --' FROM now())",
        "SELECT CAST('1 AS x, (SELECT count(*) FROM duckdb_settings()) AS y, 1' AS decimal)",
    ],
)
def test_only_catalog_tables_can_be_read(run_query: RunQuery, sql: str) -> None:
    messages = "not registered|mismatched input|not modelled|Invalid EXTRACT field|Cannot cast"
    assert re.search(messages, error_message(run_query, sql))


def test_duckdb_cannot_open_other_files(engine: Engine) -> None:
    for sql in ("FROM read_text('/etc/passwd')", "COPY (SELECT 1) TO '/tmp/outside.csv'"):
        with pytest.raises(DuckDbError, match="disabled by configuration"):
            engine._duckdb.execute(sql)
    with pytest.raises(DuckDbError, match="configuration has been locked"):
        engine._duckdb.execute("SET enable_external_access = true")


@pytest.mark.parametrize(
    ("sql", "parameters", "expected"),
    [
        ("SELECT ? || ?, ?", ["'b'", "'a'", "1"], ("ba", "1")),
        ("SELECT x FROM (SELECT ? AS x) WHERE x = ?", ["'it''s'", "'it''s'"], ("it's",)),
        ("SELECT ?", ["'1; DROP TABLE x --'"], ("1; DROP TABLE x --",)),
        ("SELECT ?, ?", ["NULL", "-5"], (None, "-5")),
        ("SELECT ?, ?", ["DECIMAL '1.50'", "DECIMAL '-1'"], ("1.50", "-1")),
        ("SELECT ?", ["DATE '2026-01-01'"], ("2026-01-01",)),
    ],
)
def test_parameter_is_substituted_as_value(
    engine: Engine, sql: str, parameters: list[str], expected: Row
) -> None:
    query = with_parameters(parse_query(sql), parameters)
    file = engine_folder(engine) / "parameters.csv"
    engine.write(engine.plan(query, "default", NOW), file)
    assert read_page(file, 0, 10).rows[1] == expected


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
def test_non_literal_parameter_is_rejected(sql: str, parameters: list[str]) -> None:
    with pytest.raises(AwsError, match="InvalidRequestException"):
        parse_statement(sql, parameters)
