"""Laws of Athena's SQL on the laptop: arithmetic, casts and order are Trino's for all values."""

import json
import re
from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local.services.athena.backend.engine import Engine
from tests.support.athena_engine import Answer, an_engine, answer_of, text, value


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with an_engine(tmp_path_factory.mktemp("athena")) as engine:
        yield engine


@pytest.fixture(scope="module")
def answer(engine: Engine) -> Answer:
    return answer_of(engine)


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
def test_decimal_average_rounds_half_up(answer: Answer, numbers: list[Decimal]) -> None:
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
def test_decimal_sums_and_products_are_exact(
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
def test_integer_division_truncates(answer: Answer, pairs: list[tuple[int, int]]) -> None:
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
def test_string_is_cast_to_decimal_as_in_trino(answer: Answer, words: list[str]) -> None:
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
def test_decimal_cast_rounds_half_up(answer: Answer, numbers: list[Decimal], scale: int) -> None:
    table = values([[number] for number in numbers])
    casted = f"CAST(CAST(x AS decimal(18,4)) AS decimal(20,{scale}))"
    found = answer(f"SELECT {casted} FROM ({table}) AS t(x)")
    assert [Decimal(row[0]) for row in found] == [half_up(number, scale) for number in numbers]


@FEW
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
@example([1e7, 0.001, 12345678.9, 1e-5, -0.0])
def test_double_is_formatted_as_in_java(answer: Answer, numbers: list[float]) -> None:
    table = values([[repr(number)] for number in numbers])
    found = answer(f"SELECT CAST(x AS double) FROM ({table}) AS t(x)")
    for number, (written,) in zip(numbers, found, strict=True):
        assert float(written) == number
        plain = number == 0 or 0.001 <= abs(number) < 10_000_000
        assert re.fullmatch(r"-?\d+\.\d+" if plain else r"-?\d\.\d+E-?\d+", written)


@FEW
@given(st.lists(ANY_TEXT, min_size=1, max_size=20))
@example(["\uffff", "\U00010000", "Z", "a", "\u00e9", ""])
def test_strings_are_ordered_by_code_point(answer: Answer, words: list[str]) -> None:
    table = values([[word] for word in words])
    found = answer(f"SELECT x FROM ({table}) AS t(x) ORDER BY x")
    assert [row[0] for row in found] == sorted(words)


@FEW
@given(st.lists(st.tuples(st.none() | ANY_TEXT, st.none() | ANY_TEXT), min_size=1, max_size=20))
@example([(None, ""), ('a"b', "c,d"), ("e\nf", '"'), ("\r", "\r\n")])
def test_result_holds_the_selected_values(
    answer: Answer, rows: list[tuple[str | None, str | None]]
) -> None:
    spelled = ["NULL" if cell is None else text(cell) for row in rows for cell in row]
    pairs = zip(spelled[::2], spelled[1::2], strict=True)
    table = ", ".join(f"({n}, {one}, {two})" for n, (one, two) in enumerate(pairs))
    assert answer(f"SELECT a, b FROM (VALUES {table}) AS t(n, a, b) ORDER BY n") == rows


@settings(max_examples=40)
@given(ANY_TEXT)
@example('"\\')
def test_json_round_trip(answer: Answer, word: str) -> None:
    document = text(json.dumps({"a b": {"c": [word]}}))
    path = "'$[\"a b\"].c[0]'"
    assert value(answer, f"json_extract_scalar({document}, {path})") == word
    assert value(answer, f"CAST(json_extract({document}, {path}) AS varchar)") == word
