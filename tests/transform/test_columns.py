"""Columns' names: a function of the path, injective but for case, fit for Glue and Athena."""

import itertools
import json
import re
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.records import items, names
from transform.columns import column_layout, column_name, disambiguated
from transform.errors import BadRecord
from transform.images import flattened

NAME = re.compile(r"[a-z][a-z0-9_]*")
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
PATHS = st.lists(names(), min_size=1, max_size=4).map(tuple)


def folded(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return a path with its plain segments in lower case."""
    return tuple(part.lower() if PLAIN.fullmatch(part) else part for part in path)


@given(PATHS)
@example(("x" * 255,))
@example(("x" * 256,))
@example(("a" * 100, "b" * 100, "c" * 51))
@example(("a" * 100, "b" * 100, "c" * 52))
@example(("\u017f",))
@example(("\u212a",))
@example(("\ud800",))
def test_every_name_suits_glue_and_is_not_reserved(path: tuple[str, ...]) -> None:
    name = column_name(path)
    assert NAME.fullmatch(name)
    assert len(name) <= 255
    assert not name.startswith("cdc_")
    assert name != "dt"


@given(PATHS, PATHS)
@example(("a", "b"), ("a__b",))
@example(("a_", "b"), ("a", "_b"))
@example(("dt",), ('["dt"]',))
@example(("a b",), ("a_b",))
@example(("a b",), ("a-b",))
@example(("X" * 300,), ("x" * 300,))
@example(("x y", "A"), ("x y", "B"))
def test_paths_have_one_name_only_if_they_differ_in_case_alone(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    if folded(one) != folded(other):
        assert column_name(one) != column_name(other)


def test_short_paths_over_a_hostile_alphabet_have_names_of_their_own() -> None:
    segments = ["".join(some) for n in range(4) for some in itertools.product("a1_ ", repeat=n)]
    paths = [(one,) for one in segments] + list(itertools.product(segments, repeat=2))
    assert len({column_name(path) for path in paths}) == len(paths)


@given(names().filter(lambda name: not PLAIN.fullmatch(name)))
def test_no_plain_attribute_can_take_the_name_of_an_odd_one(odd: str) -> None:
    name = column_name((odd,))
    assert name.endswith("_")
    assert column_name((name,)) != name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (["orderId"], "orderid"),
        (["order_id"], "order_id"),
        (("customer", "address", "postalCode"), "customer__address__postalcode"),
        (["cdc"], "cdc"),
        (["cdcx"], "cdcx"),
        (["a", "cdc_key"], "a__cdc_key"),
        (["total (USD)"], "total_usd_c924b3fbee09dcdc_"),
        (["x" * 255], "x" * 255),
        (["_a"], "a_df3aacd30c5d575e_"),
        (["X y"], "x_y_8d2049eb710b7a56_"),
        (["1st"], "x_1st_5376f47d7224bd0d_"),
        (["dt"], "dt_bcd739e7c098ac48_"),
        (["DT"], "dt_86c2dbaa55d8f678_"),
        (["cdc_key"], "x_cdc_key_542687d384d93acc_"),
        (["cdc", "key"], "x_cdc_key_c0c9737be33c3b27_"),
        (["cdc "], "x_cdc_5386a541126d833f_"),
        ([""], "x_055539df4a0b804c_"),
        (["😀"], "x_167ad31c823aaea3_"),
        (["x" * 256], "x" * 100 + "_37066a10a37d1b6f_"),
        (["a" * 99 + " b" + "c" * 200], "a" * 99 + "_da24029aed55d4d5_"),
    ],
)
def test_names_are_stable(path: list[str], name: str) -> None:
    assert column_name(path) == name


@given(items())
def test_no_two_paths_of_an_item_share_a_column(item: dict) -> None:
    assert len(flattened(item)) == leaves(item)


def leaves(item: dict) -> int:
    """Return how many columns an item has."""
    return sum(leaves(value["M"]) if value.get("M") else 1 for value in item.values())


@given(items(), st.randoms())
def test_columns_do_not_depend_on_the_order_of_attributes(item: dict, chance: object) -> None:
    order = list(item)
    chance.shuffle(order)
    assert flattened({name: item[name] for name in order}) == flattened(item)


def test_what_is_lower_case_keeps_its_name_beside_other_cases() -> None:
    columns = flattened({"Ab": {"S": "1"}, "ab": {"S": "2"}, "AB": {"S": "3"}, "C": {"S": "4"}})
    assert columns["ab"] == "2"
    assert columns["c"] == "4"
    assert sorted(columns.values()) == ["1", "2", "3", "4"]
    assert all(re.fullmatch("ab(_[0-9a-f]{16}_)?|c", name) for name in columns)


def test_an_attribute_in_capitals_alone_has_the_plain_name() -> None:
    assert flattened({"AB": {"S": "1"}, "C": {"M": {"D": {"S": "2"}}}}) == {"ab": "1", "c__d": "2"}


def test_where_no_path_is_lower_case_each_gets_its_hash() -> None:
    columns = flattened({"Ab": {"S": "1"}, "aB": {"S": "2"}})
    assert len(columns) == 2
    assert "ab" not in columns


def test_what_shares_a_name_inside_maps_is_told_apart_by_its_whole_path() -> None:
    inner = {"M": {"x": {"S": "1"}, "y": {"S": "2"}, "e": {"M": {}}}}
    columns = flattened({"A": inner, "a": inner, "B": {"S": "3"}})
    hashes = {name: sha256(json.dumps(["A", name]).encode()).hexdigest()[:16] for name in "xye"}
    lower = {"a__x": "1", "a__y": "2", "a__e": "{}", "b": "3"}
    upper = {f"a_{name}_{hashes[name]}_": lower[f"a__{name}"] for name in "xye"}
    assert columns == lower | upper


def test_places_are_sorted_and_ready_for_json() -> None:
    assert column_layout(("a",), ("B", 'x"')) == [
        ("B", ("a", "B"), ',"a__b":', '"B":'),
        ('x"', ("a", 'x"'), f',"{column_name(("a", chr(120) + chr(34)))}":', '"x\\"":'),
    ]


def test_columns_that_cannot_be_told_apart_are_a_bad_record() -> None:
    with pytest.raises(
        BadRecord, match=r"^expected a column for each attribute, found two that share one$"
    ):
        disambiguated(["same", "same"], [("a",), ("a",)])
