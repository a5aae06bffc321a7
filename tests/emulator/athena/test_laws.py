"""Laws of Athena's SQL on the laptop: arithmetic, casts and order are Trino's for all values."""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.services.athena.backend.engine import Engine
from local.services.athena.backend.quoting import quote_literal
from tests.support.athena_engine import (
    RunQuery,
    engine_without_tables,
    evaluate,
    not_null,
    query_runner,
)
from tests.support.profile import IS_THOROUGH


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine_without_tables(tmp_path_factory.mktemp("athena")) as engine:
        yield engine


@pytest.fixture(scope="module")
def run_query(engine: Engine) -> RunQuery:
    return query_runner(engine)


def half_up(number: Decimal, scale: int) -> Decimal:
    """Return a number rounded as Trino rounds."""
    with localcontext() as context:
        context.prec = 200
        return number.quantize(Decimal(1).scaleb(-scale), rounding=ROUND_HALF_UP)


def read_decimal(cell: str | None) -> Decimal:
    """Return the number in a cell, which must not be NULL."""
    return Decimal(not_null(cell))


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    """Return the values of a decimal type."""
    limit = 10**precision - 1
    return st.integers(-limit, limit).map(lambda digits: Decimal(digits).scaleb(-scale))


# Each of these examples has many values.
FEW = settings(max_examples=1_000 if IS_THOROUGH else 8)


def values(rows: Sequence[Sequence[object]]) -> str:
    """Return rows as an SQL VALUES list of strings."""
    return "VALUES " + ", ".join(
        f"({', '.join(quote_literal(str(cell)) for cell in row)})" for row in rows
    )


def typed_pairs(pairs: Sequence[Sequence[object]], a_type: str, b_type: str) -> str:
    """Return a query of pairs as columns a and b of these types."""
    columns = f"CAST(a AS {a_type}) AS a, CAST(b AS {b_type}) AS b"
    return f"SELECT {columns} FROM ({values(pairs)}) AS t(a, b)"


@FEW
@given(st.lists(decimals(18, 4), min_size=1, max_size=50))
@example([Decimal("0.0001"), Decimal("0.0002")])
@example([Decimal("-0.0001"), Decimal("-0.0002")])
def test_decimal_average_rounds_half_up(run_query: RunQuery, numbers: list[Decimal]) -> None:
    table = values([[number] for number in numbers])
    typed_table = f"SELECT CAST(x AS decimal(18,4)) AS x FROM ({table}) AS t(x)"
    average, total = map(read_decimal, run_query(f"SELECT avg(x), sum(x) FROM ({typed_table})")[0])
    with localcontext() as context:
        context.prec = 60
        expected_total = sum(numbers, Decimal(0))
        assert total == expected_total
        assert average == half_up(expected_total / len(numbers), 4)


@FEW
@given(st.lists(st.tuples(decimals(12, 3), decimals(9, 4).filter(bool)), min_size=1, max_size=50))
@example([(Decimal("1.500"), Decimal("-0.7000"))])
def test_decimals_divide_as_in_trino(
    run_query: RunQuery, pairs: list[tuple[Decimal, Decimal]]
) -> None:
    typed_table = typed_pairs(pairs, "decimal(12,3)", "decimal(9,4)")
    rows = run_query(f"SELECT a / b, typeof(a / b) FROM ({typed_table})")
    with localcontext() as context:
        context.prec = 100
        assert [read_decimal(row[0]) for row in rows] == [half_up(a / b, 4) for a, b in pairs]
    assert rows[0][1] == "decimal(17,4)"


@FEW
@given(st.lists(st.tuples(decimals(18, 4), decimals(18, 4)), min_size=1, max_size=50))
@example([(Decimal("99999999999999.9999"), Decimal("-99999999999999.9999"))])
def test_decimal_sums_and_products_are_exact(
    run_query: RunQuery, pairs: list[tuple[Decimal, Decimal]]
) -> None:
    typed_table = typed_pairs(pairs, "decimal(18,4)", "decimal(18,4)")
    rows = run_query(f"SELECT a + b, a - b, a * b FROM ({typed_table})")
    with localcontext() as context:
        context.prec = 60
        expected = [(a + b, a - b, a * b) for a, b in pairs]
    assert [tuple(map(read_decimal, row)) for row in rows] == expected


@FEW
@given(
    st.lists(
        st.tuples(st.integers(-(2**31) + 1, 2**31 - 1), st.integers(-1000, 1000).filter(bool)),
        min_size=1,
        max_size=50,
    )
)
@example([(-7, 2)])
def test_integer_division_truncates(run_query: RunQuery, pairs: list[tuple[int, int]]) -> None:
    typed_table = typed_pairs(pairs, "integer", "integer")
    expected = [truncated_division(a, b) for a, b in pairs]
    assert run_query(f"SELECT a / b, a % b FROM ({typed_table})") == expected


def truncated_division(dividend: int, divisor: int) -> tuple[str, str]:
    """Return the quotient and the remainder of a division that truncates."""
    sign = 1 if (dividend < 0) == (divisor < 0) else -1
    quotient = sign * (abs(dividend) // abs(divisor))
    return str(quotient), str(dividend - quotient * divisor)


ANY_TEXT = st.text(max_size=10).filter(lambda word: "\x00" not in word)
NUMBERS = st.from_regex(r"[+-]?([0-9]{1,16}\.?[0-9]{0,8}|\.[0-9]{1,8})", fullmatch=True)
JUNK = st.one_of(NUMBERS.map(lambda number: f" {number}"), st.sampled_from(["", "1_0", "0x1", "-"]))


@FEW
@given(st.lists(NUMBERS | JUNK | ANY_TEXT, min_size=1, max_size=50))
@example(["1.00005", "-1.00005", "99999999999999.99995", "\u0661", "1e3", "1e-3", "+.5", "5."])
def test_string_is_cast_to_decimal_as_in_trino(run_query: RunQuery, words: list[str]) -> None:
    table = values([[word] for word in words])
    rows = run_query(f"SELECT TRY_CAST(x AS decimal(18,4)) FROM ({table}) AS t(x)")
    numbers = [None if row[0] is None else Decimal(row[0]) for row in rows]
    assert numbers == [cast_by_trino(word) for word in words]


def cast_by_trino(word: str) -> Decimal | None:
    """Return the decimal(18,4) to which Trino casts a string, or None."""
    try:
        number = half_up(Decimal(word), 4)
    except InvalidOperation:
        return None
    is_number = re.fullmatch(r"[+-]?[0-9.]+(e[+-]?[0-9]+)?", word, re.IGNORECASE | re.ASCII)
    return number if is_number and abs(number) < 10**14 else None


@FEW
@given(st.lists(decimals(18, 4), min_size=1, max_size=50), st.integers(0, 4))
@example([Decimal("2.5000"), Decimal("-2.5000")], 0)
def test_decimal_cast_rounds_half_up(
    run_query: RunQuery, numbers: list[Decimal], scale: int
) -> None:
    table = values([[number] for number in numbers])
    cast = f"CAST(CAST(x AS decimal(18,4)) AS decimal(20,{scale}))"
    rows = run_query(f"SELECT {cast} FROM ({table}) AS t(x)")
    assert [read_decimal(row[0]) for row in rows] == [half_up(n, scale) for n in numbers]


@FEW
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
@example([1e7, 0.001, 12345678.9, 1e-5, -0.0])
def test_double_is_formatted_as_in_java(run_query: RunQuery, numbers: list[float]) -> None:
    table = values([[repr(number)] for number in numbers])
    rows = run_query(f"SELECT CAST(x AS double) FROM ({table}) AS t(x)")
    for number, row in zip(numbers, rows, strict=True):
        digits = not_null(row[0])
        assert float(digits) == number
        is_plain = number == 0 or 0.001 <= abs(number) < 10_000_000
        assert re.fullmatch(r"-?\d+\.\d+" if is_plain else r"-?\d\.\d+E-?\d+", digits)


@FEW
@given(st.lists(ANY_TEXT, min_size=1, max_size=20))
@example(["\uffff", "\U00010000", "Z", "a", "\u00e9", ""])
def test_strings_are_ordered_by_code_point(run_query: RunQuery, words: list[str]) -> None:
    table = values([[word] for word in words])
    rows = run_query(f"SELECT x FROM ({table}) AS t(x) ORDER BY x")
    assert [row[0] for row in rows] == sorted(words)


@FEW
@given(st.lists(st.tuples(st.none() | ANY_TEXT, st.none() | ANY_TEXT), min_size=1, max_size=20))
@example([(None, ""), ('a"b', "c,d"), ("e\nf", '"'), ("\r", "\r\n")])
def test_result_has_the_selected_values(
    run_query: RunQuery, rows: list[tuple[str | None, str | None]]
) -> None:
    table = ", ".join(f"({n}, {literal(a)}, {literal(b)})" for n, (a, b) in enumerate(rows))
    assert run_query(f"SELECT a, b FROM (VALUES {table}) AS t(n, a, b) ORDER BY n") == rows


def literal(cell: str | None) -> str:
    """Return a cell as an SQL literal."""
    return "NULL" if cell is None else quote_literal(cell)


@settings(max_examples=1_000 if IS_THOROUGH else 10)
@given(ANY_TEXT)
@example('"\\')
def test_json_round_trip(run_query: RunQuery, word: str) -> None:
    document = quote_literal(json.dumps({"a b": {"c": [word]}}))
    path = "'$[\"a b\"].c[0]'"
    assert evaluate(run_query, f"json_extract_scalar({document}, {path})") == word
    assert evaluate(run_query, f"CAST(json_extract({document}, {path}) AS varchar)") == word
