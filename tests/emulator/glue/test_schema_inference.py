"""What the laptop's crawler reads out of files: documents, their types, their columns."""

import gzip
import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.services.glue.crawl import READ, unzipped
from local.services.glue.schema_inference import Array, columns, documents, hive, joined, type_of
from local.services.glue.service import folded_names

keys = st.text("aBc_", min_size=1, max_size=2)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=4)
types = values.map(type_of)


@given(types, types, types)
@example("int", "boolean", "double")
def test_joining_types_depends_on_no_order(one: Any, two: Any, three: Any) -> None:
    assert joined(one, two) == joined(two, one)
    assert joined(joined(one, two), three) == joined(one, joined(two, three))
    assert joined(one, one) == one == joined(None, one)


@given(st.lists(objects, min_size=1))
def test_the_columns_hold_every_document(found: list[dict[str, Any]]) -> None:
    everything = columns(found)
    for document in found:
        assert joined(everything, type_of(document)) == everything


@given(st.lists(objects), st.integers(0, 200))
def test_text_that_is_cut_off_gives_the_first_documents(
    found: list[dict[str, Any]], end: int
) -> None:
    text = "".join(json.dumps(each) + "\n" for each in found)
    assert list(documents(text)) == found
    some = list(documents(text[:end]))
    assert some == found[: len(some)]


@given(st.text())
@example("[1]")
@example('{"a": 1} {"b": ')
def test_any_text_has_documents_or_none(text: str) -> None:
    assert all(isinstance(each, dict) for each in documents(text))


@pytest.mark.parametrize(
    ("value", "hive_type"),
    [
        (1, "int"),
        (2**31, "bigint"),
        (1.0, "double"),
        (True, "boolean"),
        ("1", "string"),
        (None, "string"),
        ([], "array<string>"),
        ([1, 2.5], "array<double>"),
        ([1, "a"], "array<string>"),
        ({"Sku": "x", "qty": [1]}, "struct<sku:string,qty:array<int>>"),
        ([{"a": 1}, {"b": None}], "array<struct<a:int,b:string>>"),
    ],
)
def test_json_is_typed_as_a_classifier_types_it(value: Any, hive_type: str) -> None:
    assert hive(type_of(value)) == hive_type


def test_equal_elements_make_one_array_type() -> None:
    assert joined(Array("int"), Array(None)) == Array("int")


@given(st.lists(st.binary(min_size=1), min_size=1))
def test_a_file_zipped_in_pieces_is_read_as_one(pieces: list[bytes]) -> None:
    assert unzipped(b"".join(map(gzip.compress, pieces))) == b"".join(pieces)


def test_the_beginning_of_a_large_file_is_read_zipped_or_not() -> None:
    text = random.Random(1).randbytes(3 * READ)
    assert unzipped(text) == text[:READ]
    cut_off = unzipped(gzip.compress(text)[:READ])
    assert len(cut_off) > READ * 0.99
    assert text.startswith(cut_off)
    assert unzipped(gzip.compress(b"x" * 3 * READ)) == b"x" * READ


def test_a_broken_zip_is_no_json() -> None:
    assert list(documents(unzipped(b"\x1f\x8bnonsense").decode(errors="ignore"))) == []


@pytest.mark.parametrize(
    ("operation", "params", "folded"),
    [
        ("GetTable", {"DatabaseName": "D", "Name": "T"}, {"DatabaseName": "d", "Name": "t"}),
        ("CreateDatabase", {"DatabaseInput": {"Name": "D"}}, {"DatabaseInput": {"Name": "d"}}),
        ("GetPartitions", {"TableName": "T"}, {"TableName": "t"}),
        ("BatchDeleteTable", {"TablesToDelete": ["T"]}, {"TablesToDelete": ["t"]}),
        ("CreateTrigger", {"Name": "Keeps"}, {"Name": "Keeps"}),
    ],
)
def test_names_in_the_catalog_are_folded(operation: str, params: Any, folded: Any) -> None:
    assert folded_names(operation, params) == folded
