"""Comparison rules: the digest store, the kinds of findings, and the first difference."""

from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

import transform
from operations.verify.diff import classify, first_difference
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


@given(*[st.sampled_from([None, "a", "b"])] * 3)
def test_a_changing_item_is_unsettled(
    first_table: str | None, second_table: str | None, lake: str | None
) -> None:
    kind = classify(first_table, second_table, lake)
    assert (kind is None) == (second_table == lake)
    is_changing = second_table != lake and first_table != second_table
    assert (kind == "unsettled") == is_changing


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
        assert {mismatch.key: mismatch.table_digest for mismatch in store.mismatches()} == {
            key: table.get(key) for key in different
        }
        assert store.matched_count == len(lake.keys() & table.keys() - different)
