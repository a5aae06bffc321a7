"""How verify compares: the ledger of two sides, the kinds of fault, the first difference."""

from hypothesis import given
from hypothesis import strategies as st

import transform
from operations.verify.diff import first_difference, kind
from operations.verify.digest_store import Ledger
from tests.support.verify_fixture import IMAGES, Item


@given(IMAGES, IMAGES)
def test_a_first_difference_names_what_stands_on_either_side(table: Item, lake: Item) -> None:
    if transform.canonical(table) == transform.canonical(lake):
        return
    difference = first_difference(transform.canonical(table), transform.canonical(lake))
    assert difference.path.partition(".")[0] in {*table, *lake}
    assert difference.table != difference.lake


def test_a_long_value_is_shown_where_it_parts() -> None:
    table, lake = (f'{{"note":{{"S":"{"x" * 500}{end}{"y" * 500}"}}}}' for end in "ab")
    difference = first_difference(table, lake)
    assert "a" in difference.table
    assert "b" in difference.lake
    assert len(difference.table) < 100


def test_a_list_that_is_longer_differs_as_a_whole() -> None:
    table, lake = '{"l":{"L":[{"N":"1"},{"N":"2"}]}}', '{"l":{"L":[{"N":"1"}]}}'
    assert first_difference(table, lake).path == "l"
    assert first_difference(table, table.replace("2", "3")).path == "l[1]"


def test_images_nested_too_deeply_to_be_read_differ_as_a_whole() -> None:
    table = '{"a":{"N":"1"}}'
    for depth in (300, 900, 5000):
        lake = f'{{"a":{"[" * depth}{"]" * depth}}}'
        difference = first_difference(table, lake)
        assert difference.path in ("", "a")
        assert difference.lake != difference.table
        assert first_difference(lake, f"{lake} ").path == ""


@given(*[st.sampled_from([None, "a", "b"])] * 3)
def test_a_fault_needs_an_item_at_rest(
    before: str | None, now: str | None, lake: str | None
) -> None:
    fault = kind(before, now, lake)
    assert (fault is None) == (now == lake)
    assert (fault == "unsettled") == (now != lake and before != now)


@given(
    st.dictionaries(st.text(max_size=3), st.sampled_from("ab")),
    st.dictionaries(st.text(max_size=3), st.sampled_from("ab")),
)
def test_the_ledger_keeps_what_only_one_side_says(
    lake: dict[str, str], table: dict[str, str]
) -> None:
    ledger = Ledger()
    ledger.enter(lake.items())
    ledger.strike(table.items())
    unlike = {key for key in {*lake, *table} if lake.get(key) != table.get(key)}
    assert ledger.doubt_the_rest() == len(unlike)
    assert {doubt.key: doubt.before for doubt in ledger.doubts()} == {
        key: table.get(key) for key in unlike
    }
    assert ledger.agreed == len(lake.keys() & table.keys() - unlike)
    ledger.close()
