"""Comparison rules: the digest store, the kinds of findings, and the first difference."""

from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import transform
from operations.verify.diff import (
    MAX_EXCERPT_LENGTH,
    UNSETTLED,
    Difference,
    Look,
    classify,
    first_column_difference,
    first_difference,
)
from operations.verify.digest_store import DigestStore
from tests.support.verify_fixture import IMAGES, Item


@given(IMAGES, IMAGES)
def test_first_difference_names_an_attribute(table: Item, lake: Item) -> None:
    if transform.canonical(table) == transform.canonical(lake):
        return
    difference = first_difference(transform.canonical(table), transform.canonical(lake))
    assert difference.path.partition(".")[0] in {*table, *lake}
    assert difference.table != difference.lake


def test_long_values_are_excerpted_where_they_differ() -> None:
    table, lake = (f'{{"note":{{"S":"{"x" * 500}{letter}{"y" * 500}"}}}}' for letter in ("a", "b"))
    difference = first_difference(table, lake)
    assert "a" in difference.table
    assert "b" in difference.lake
    assert len(difference.table) < 100


@pytest.mark.parametrize("position", [0, 10, 40, 41, 60, 99, 100, 140, 199])
def test_an_excerpt_shows_where_texts_differ(position: int) -> None:
    table = "".join(chr(0x4E00 + number) for number in range(200))  # No part occurs twice.
    lake = f"{table[:position]}-{table[position + 1 :]}"
    difference = first_difference(table, lake)
    for excerpt, text in ((difference.table, table), (difference.lake, lake)):
        content = excerpt.removeprefix("…").removesuffix("…")
        start = text.index(content)
        assert start <= position < start + len(content)
        assert excerpt.startswith("…") == (start > 0)
        assert excerpt.endswith("…") == (start + len(content) < len(text))
        assert len(content) == MAX_EXCERPT_LENGTH or start + len(content) == len(text)
        assert start == max(0, position - 40)


@pytest.mark.parametrize("lake", ["[1]", '"text"', "1", "null", "true", '{"a":', ""])
def test_an_image_that_is_no_object_is_shown_whole(lake: str) -> None:
    table = '{"a":{"N":"1"}}'
    assert first_difference(table, lake) == Difference("", table, lake)
    assert first_difference(lake, table) == Difference("", lake, table)


def test_equal_images_of_other_text_are_shown_whole() -> None:
    table = '{"a":{"N":"1"}}'
    assert first_difference(table, f"{table} ").path == ""


@pytest.mark.parametrize(
    ("table", "lake", "expected"),
    [
        ({"a": "1"}, {"a": None, "b": None}, "columns: table has attributes, lake has nothing"),
        ({"a": "1"}, {"a": "2", "b": None}, 'column a: table has "1", lake has "2"'),
        ({"b": "1"}, {"a": "2", "b": "1"}, 'column a: table has nothing, lake has "2"'),
        ({"a": "1", "b": "1"}, {"a": "1", "b": None}, 'column b: table has "1", lake has nothing'),
        ({"a": "1"}, {"a": "1"}, None),
        # Only declared columns count.
        ({"c": "1"}, {"a": None, "b": None}, None),
        ({"a": None}, {"a": None}, None),
    ],
)
def test_the_first_column_that_differs_is_named(
    table: dict[str, str | None], lake: dict[str, str | None], expected: str | None
) -> None:
    difference = first_column_difference(table, lake)
    assert (None if difference is None else str(difference)) == expected


def test_lists_of_unequal_length_differ_as_a_whole() -> None:
    table = '{"l":{"L":[{"N":"1"},{"N":"2"}]}}'
    lake = '{"l":{"L":[{"N":"1"}]}}'
    assert first_difference(table, lake).path == "l"
    assert first_difference(table, table.replace("2", "3")).path == "l[1]"


def test_too_deep_images_differ_as_a_whole() -> None:
    table = '{"a":{"N":"1"}}'
    for depth in (300, 900, 5000):
        lake = f'{{"a":{"[" * depth}{"]" * depth}}}'
        difference = first_difference(table, lake)
        assert difference.path in ("", "a")
        assert difference.lake != difference.table
        assert first_difference(lake, f"{lake} ").path == ""


LOOKS = st.builds(
    Look,
    table=st.sampled_from([None, "a", "b"]),
    lake=st.sampled_from([None, "a", "b"]),
    table_image=st.sampled_from(["a", "b"]),
    lake_image=st.sampled_from(["a", "b"]),
    lake_row=st.sampled_from([None, "row 1", "row 2"]),
)


@given(LOOKS, LOOKS)
def test_a_changing_item_is_unsettled(before: Look, now: Look) -> None:
    kind = classify(before, now)
    assert (kind is None) == (now.table == now.lake)
    is_changing = (before.table, before.lake_row) != (now.table, now.lake_row)
    assert (kind == "unsettled") == (now.table != now.lake and is_changing)


MAX_DELAY = 50
CHANGES = st.lists(
    st.tuples(st.integers(50, 250), st.sampled_from([None, "a", "b"]), st.integers(0, MAX_DELAY)),
    min_size=4,
    max_size=20,
).map(lambda changes: sorted(changes, key=lambda change: change[0]))


def look_at(changes: list[tuple[int, str | None, int]], lake_at: int, table_at: int) -> Look:
    """Return what a look sees of changes that have a time, an image and a delay."""
    table = [image for changed_at, image, _ in changes if changed_at <= table_at]
    rows = [
        (f"row {number}", image)
        for number, (changed_at, image, delay) in enumerate(changes)
        if changed_at + delay <= lake_at
    ]
    lake_row, lake = rows[-1] if rows else (None, None)
    return Look(table[-1] if table else None, lake, None, lake, lake_row)


@settings(max_examples=500)
@given(CHANGES, *[st.integers(0, 40)] * 2)
def test_a_change_in_flight_is_never_wrong(
    changes: list[tuple[int, str | None, int]], first_pause: int, second_pause: int
) -> None:
    table_at = 100 + first_pause
    before = look_at(changes, lake_at=100, table_at=table_at)
    lake_at = table_at + MAX_DELAY
    now = look_at(changes, lake_at, table_at=lake_at + second_pause)
    assert classify(before, now) in (None, UNSETTLED)


@given(CHANGES, st.sampled_from(["a", "b"]))
def test_a_lost_change_is_found_once_its_key_rests(
    changes: list[tuple[int, str | None, int]], lost: str
) -> None:
    earlier = [change for change in changes if change[0] < 60]
    history = [*earlier, (60, f"{lost} lost", 10**6)]
    before = look_at(history, lake_at=120, table_at=130)
    now = look_at(history, lake_at=200, table_at=210)
    assert classify(before, now) in ("missing", "different")


@given(
    st.dictionaries(st.text(max_size=3), st.sampled_from("ab")),
    st.dictionaries(st.text(max_size=3), st.sampled_from("ab")),
)
def test_digest_store_keeps_only_mismatches(lake: dict[str, str], table: dict[str, str]) -> None:
    different = {key for key in {*lake, *table} if lake.get(key) != table.get(key)}
    with closing(DigestStore()) as store:
        store.add_lake(lake.items())
        store.match_table(table.items())
        assert store.mark_unmatched() == len(different)
        batches = list(store.mismatches(2))
        assert [mismatch.key for batch in batches for mismatch in batch] == sorted(different)
        assert store.matched_count == len(lake.keys() & table.keys() - different)
