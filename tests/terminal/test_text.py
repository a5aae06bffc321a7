"""Text for people: nouns agree with their numbers, tables with their widest cell."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from setup.lib.backoff import backoff
from terminal.text import count, format_table

CELLS = st.text("abc123", min_size=1, max_size=9)


def test_nouns_agree_with_their_number() -> None:
    assert [count(number, "key") for number in (0, 1, 2)] == ["0 keys", "1 key", "2 keys"]
    assert count(2, "query", "queries") == "2 queries"


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[CELLS] * width), min_size=1)))
def test_every_cell_ends_in_the_same_column(rows: list[tuple[str, ...]]) -> None:
    lines = format_table(rows).split("\n")
    assert [line.split() for line in lines] == [list(row) for row in rows]
    if len(rows[0]) > 1:
        assert len({len(line) for line in lines}) == 1


@given(st.floats(0.01, 1), st.floats(1, 60), st.integers(0, 20))
def test_pauses_grow_to_the_longest(first: float, longest: float, attempts: int) -> None:
    pauses = list(backoff(first, longest, attempts=attempts))
    assert len(pauses) == attempts
    assert pauses == sorted(pauses)
    assert all(first <= pause <= longest for pause in pauses)


def test_pauses_never_end_nor_overflow() -> None:
    assert next(islice(backoff(0.1, 5.0), 5_000, None)) == 5.0
