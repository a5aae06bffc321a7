"""Column names: a function of the path, injective except for case, valid in Glue and Athena."""

import itertools
import json
import re
from hashlib import sha256
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.strategies.records import Item, items, names
from transform import columns
from transform.columns import (
    Path,
    column_layouts,
    column_name,
    columns_of_paths,
    disambiguated,
)
from transform.errors import BadRecord
from transform.images import flattened

NAME = re.compile(r"[a-z][a-z0-9_]*")
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*")
PATHS = st.lists(names(), min_size=1, max_size=4).map(tuple)


def lowercased(path: Path) -> Path:
    """Return a path with its plain segments in lower case."""
    return tuple(segment.lower() if PLAIN.fullmatch(segment) else segment for segment in path)


@given(PATHS)
@example(("x" * 255,))
@example(("x" * 256,))
@example(("a" * 100, "b" * 100, "c" * 51))
@example(("a" * 100, "b" * 100, "c" * 52))
@example(("\u017f",))
@example(("\u212a",))
@example(("\ud800",))
def test_name_is_valid_in_glue_and_not_reserved(path: Path) -> None:
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
def test_paths_share_a_name_only_up_to_case(one: Path, other: Path) -> None:
    if lowercased(one) != lowercased(other):
        assert column_name(one) != column_name(other)


def test_short_paths_have_distinct_names() -> None:
    segments = [
        "".join(characters)
        for length in range(4)
        for characters in itertools.product("a1_ ", repeat=length)
    ]
    paths = [(segment,) for segment in segments] + list(itertools.product(segments, repeat=2))
    assert len({column_name(path) for path in paths}) == len(paths)


@given(names().filter(lambda name: not PLAIN.fullmatch(name)))
def test_plain_name_never_equals_a_hashed_name(odd: str) -> None:
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


@given(st.data(), items(), st.integers(1, 4))
def test_each_path_of_an_item_has_its_own_column(
    data: st.DataObject, item: Item, max_members: int
) -> None:
    map_columns = [column_name(path) for path in all_paths(item)]
    json_paths = data.draw(st.sets(st.sampled_from(map_columns))) if map_columns else set()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "MAX_MAP_MEMBERS", max_members)
        values = list(flattened(item, json_paths).values())
    assert sorted(map(repr, values)) == sorted(leaves(item, (), json_paths, max_members))


@given(st.lists(items(), max_size=4))
@example([{"Ab": {"S": "1"}, "aB": {"S": "2"}}, {"ab": {"S": "3"}}])
def test_columns_of_paths_include_those_of_items(several_items: list[Item]) -> None:
    paths = {path for item in several_items for path in all_paths(item)}
    assert columns_of_paths(paths) >= {name for item in several_items for name in flattened(item)}


def all_paths(item: Item, path: Path = ()) -> list[Path]:
    """Return the path of every attribute and of every member of its maps."""
    paths = []
    for name, value in item.items():
        paths += [(*path, name), *all_paths(value.get("M", {}), (*path, name))]
    return paths


def leaves(item: Item, path: Path, json_paths: set[str], max_members: int) -> list[str]:
    """Return the values of an item's columns, by the rule as the documentation states it."""
    values = []
    for name, value in item.items():
        members = value.get("M", {})
        is_data = len(members) > max_members or column_name((*path, name)) in json_paths
        if members and not is_data:
            values += leaves(members, (*path, name), json_paths, max_members)
        else:
            values.append(repr(column_value(value)))
    return values


def column_value(value: Item) -> str | None:
    """Return the text of a column that holds a whole value."""
    is_map = "M" in value
    [text] = flattened({"x": {"L": [value]} if is_map else value}).values()
    return text[1:-1] if is_map and text else text  # In a list, a map is always JSON.


def test_a_map_keyed_by_data_is_one_column() -> None:
    visits = {f"user-{number}": {"N": f"{number}"} for number in range(101)}
    plain = {name: value["N"] for name, value in sorted(visits.items())}
    assert flattened({"seenBy": {"M": visits}}) == {
        "seenby": json.dumps(plain, separators=(",", ":"))
    }
    del visits["user-100"]
    assert len(flattened({"seenBy": {"M": visits}})) == 100
    customer = {"customer": {"M": {"seenBy": {"M": {"a": {"N": "1"}}}, "id": {"S": "C-1"}}}}
    assert flattened(customer, {"customer__seenby"}) == {
        "customer__id": "C-1",
        "customer__seenby": '{"a":"1"}',
    }


@given(items(), st.randoms())
def test_columns_ignore_the_order_of_attributes(item: Item, rng: Random) -> None:
    names = list(item)
    rng.shuffle(names)
    assert flattened({name: item[name] for name in names}) == flattened(item)


def test_lowercase_path_keeps_its_plain_name() -> None:
    columns = flattened({"Ab": {"S": "1"}, "ab": {"S": "2"}, "AB": {"S": "3"}, "C": {"S": "4"}})
    assert columns["ab"] == "2"
    assert columns["c"] == "4"
    assert set(columns.values()) == {"1", "2", "3", "4"}
    assert len(columns) == 4
    assert all(re.fullmatch("ab(_[0-9a-f]{16}_)?|c", name) for name in columns)


def test_unique_uppercase_path_is_lowercased() -> None:
    assert flattened({"AB": {"S": "1"}, "C": {"M": {"D": {"S": "2"}}}}) == {"ab": "1", "c__d": "2"}


def test_mixed_case_paths_all_get_hashes() -> None:
    columns = flattened({"Ab": {"S": "1"}, "aB": {"S": "2"}})
    assert len(columns) == 2
    assert "ab" not in columns


def test_nested_clashes_are_hashed_by_whole_path() -> None:
    nested = {"M": {"x": {"S": "1"}, "y": {"S": "2"}, "e": {"M": {}}}}
    columns = flattened({"A": nested, "a": nested, "B": {"S": "3"}})
    hashes = {name: sha256(json.dumps(["A", name]).encode()).hexdigest()[:16] for name in "xye"}
    lower = {"a__x": "1", "a__y": "2", "a__e": "{}", "b": "3"}
    upper = {f"a_{name}_{hashes[name]}_": lower[f"a__{name}"] for name in "xye"}
    assert columns == lower | upper


def test_column_layout_is_sorted_and_quoted() -> None:
    hashed = column_name(("a", 'x"'))
    assert column_layouts[("a",), ('x"', "B"), frozenset({"a__b"})] == [
        ("B", ("a", "B"), True, ',"a__b":', '"B":'),
        ('x"', ("a", 'x"'), False, f',"{hashed}":', '"x\\"":'),
    ]


def test_indistinguishable_columns_are_rejected() -> None:
    reason = "^expected a column for each attribute, found two that share one$"
    with pytest.raises(BadRecord, match=reason):
        disambiguated(["same", "same"], [("a",), ("a",)])
