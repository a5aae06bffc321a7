"""Schema inference of the crawler: documents, their types, their columns."""

import gzip
import json
import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.services.glue.crawl import SAMPLE_BYTES, decompress_sample
from local.services.glue.schema_inference import (
    Array,
    common_type,
    hive_type,
    infer_columns,
    infer_type,
    parse_documents,
)
from local.services.glue.service import fold_names

keys = st.text("aBc_", min_size=1, max_size=2)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=4)
types = values.map(infer_type)


@given(types, types, types)
@example("int", "boolean", "double")
def test_common_type_is_independent_of_order(first: Any, second: Any, third: Any) -> None:
    assert common_type(first, second) == common_type(second, first)
    assert common_type(common_type(first, second), third) == common_type(
        first, common_type(second, third)
    )
    assert common_type(first, first) == first == common_type(None, first)


@given(st.lists(objects, min_size=1))
def test_columns_fit_every_document(documents: list[dict[str, Any]]) -> None:
    columns = infer_columns(documents)
    for document in documents:
        assert common_type(columns, infer_type(document)) == columns


@given(st.lists(objects), st.integers(0, 200))
def test_truncated_text_yields_first_documents(documents: list[dict[str, Any]], end: int) -> None:
    text = "".join(json.dumps(document) + "\n" for document in documents)
    assert list(parse_documents(text)) == documents
    parsed_documents = list(parse_documents(text[:end]))
    assert parsed_documents == documents[: len(parsed_documents)]


@given(st.text())
@example("[1]")
@example('{"a": 1} {"b": ')
def test_any_text_yields_only_objects(text: str) -> None:
    assert all(isinstance(document, dict) for document in parse_documents(text))


@pytest.mark.parametrize(
    ("value", "expected"),
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
def test_json_values_have_hive_types(value: Any, expected: str) -> None:
    assert hive_type(infer_type(value)) == expected


def test_arrays_of_nulls_adopt_element_type() -> None:
    assert common_type(Array("int"), Array(None)) == Array("int")


@given(st.lists(st.binary(min_size=1), min_size=1))
def test_all_gzip_members_are_decompressed(members: list[bytes]) -> None:
    assert decompress_sample(b"".join(map(gzip.compress, members))) == b"".join(members)


def test_large_files_are_truncated() -> None:
    text = random.Random(1).randbytes(3 * SAMPLE_BYTES)
    assert decompress_sample(text) == text[:SAMPLE_BYTES]
    sample = decompress_sample(gzip.compress(text)[:SAMPLE_BYTES])
    assert len(sample) > SAMPLE_BYTES * 0.99
    assert text.startswith(sample)
    assert decompress_sample(gzip.compress(b"x" * 3 * SAMPLE_BYTES)) == b"x" * SAMPLE_BYTES


def test_invalid_gzip_has_no_documents() -> None:
    text = decompress_sample(b"\x1f\x8bnonsense").decode(errors="ignore")
    assert list(parse_documents(text)) == []


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
def test_catalog_names_are_folded(operation: str, params: Any, folded: Any) -> None:
    assert fold_names(operation, params) == folded
