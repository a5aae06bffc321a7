"""What the laptop's Firehose makes of the function's answer, record by record."""

import json
import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.core.server import Cloud
from local.services.aws_lambda.service import Lambda
from local.services.firehose.kinesis_source import SourceRecord
from local.services.firehose.lambda_transform import Failure, Row, verdicts
from local.services.firehose.service import Firehose
from local.services.iam.service import Iam
from tests.support.firehose_fixture import (
    FUNCTION,
    create,
    documents,
    furnished,
    hops,
    objects,
    ok,
    order,
    put,
)
from tests.support.laptop_cloud import laptop

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=4,
)
answers = st.fixed_dictionaries(
    {},
    optional={
        "recordId": st.sampled_from(["1000000", "2000000", "x"]) | json_values,
        "result": st.sampled_from(["Ok", "Dropped", "ProcessingFailed"]) | json_values,
        "data": st.sampled_from(["cm93Cg==", "", "?"]) | json_values,
        "metadata": st.just({"partitionKeys": {"dt": "a"}}) | json_values,
    },
)


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    """A laptop cloud with nothing in it."""
    with laptop(Iam, Firehose, Lambda) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Iterator[Cloud]:
    """The cloud with a source, a lake, and a function that answers as its records say."""
    with furnished(running):
        yield running


def source_records(count: int) -> list[SourceRecord]:
    return [
        SourceRecord(f"raw{n}".encode(), 1.0 * n, "shardId-000000000000", str(n), "k")
        for n in range(1, count + 1)
    ]


@given(json_values | st.fixed_dictionaries({"records": st.lists(answers | json_values)}))
@example({"records": [ok(recordId="1000000"), ok(recordId="2000000", dt=[])]})
@example({"records": [ok(recordId="1000000") | {"data": []}, ok(recordId="2000000")]})
def test_any_answer_gives_each_record_one_verdict_in_order(answer: Any) -> None:
    records = source_records(2)
    found = list(verdicts(("dt",), records, json.dumps(answer).encode()))
    assert len(found) == len(records)
    for record, verdict in zip(records, found, strict=True):
        assert verdict is None or verdict.arrived == record.arrived
        if isinstance(verdict, Failure) and verdict.code.startswith("Lambda."):
            assert verdict.raw == record.data


@given(st.permutations(range(5)), st.lists(st.binary(), min_size=5, max_size=5))
def test_answers_may_come_in_any_order_with_any_bytes(places: list[int], rows: list[bytes]) -> None:
    records = source_records(5)
    entries = [ok(row, recordId=each.record_id) for row, each in zip(rows, records, strict=True)]
    answer = json.dumps({"records": [entries[place] for place in places]}).encode()
    found = list(verdicts(("dt",), records, answer))
    assert [row.data for row in found if isinstance(row, Row)] == rows


@pytest.mark.parametrize("value", ["", None, 7, [], ["a"], {"a": "b"}])
def test_a_partition_is_a_text_that_is_not_empty(value: Any) -> None:
    answer = json.dumps({"records": [ok(recordId="1000000", dt=value)]}).encode()
    (found,) = verdicts(("dt",), source_records(1), answer)
    assert isinstance(found, Failure)
    assert found.code == "DynamicPartitioning.MetadataExtractionFailed"


def test_each_kind_of_answer_ends_where_aws_puts_it(cloud: Cloud) -> None:
    cases = {
        "Lambda.ProcessingFailedStatus": order({"result": "ProcessingFailed", "data": ""}),
        "Lambda.MissingRecordId": order(),
        "Lambda.DuplicatedRecordId": order(ok(), ok()),
        "Lambda.InvalidReturnFormat": order(ok() | {"data": None}),
        "DynamicPartitioning.MetadataExtractionFailed": order(ok(b"lost?\n", dt="")),
    }
    create()
    put(*cases.values())
    put(order(ok(b"one\n")), order({"result": "Dropped", "data": ""}))
    put(order(ok(b"two\n"), ok(b"no record of ours\n", recordId="unknown")))
    cloud.run_until_idle()
    assert list(objects("lake/").values()) == [b"one\ntwo\n"]
    found = {each["errorCode"]: each for each in documents()}
    assert len(documents()) == len(cases)
    assert found.keys() == cases.keys()
    partition = found.pop("DynamicPartitioning.MetadataExtractionFailed")
    assert b64decode(partition["rawData"]) == b"lost?\n"
    for code, document in found.items():
        assert b64decode(document["rawData"]) == cases[code]
        assert document["attemptsMade"] == 1
    assert hops(cloud) == [(8, 4, 4), (3, 2, 1)]


def test_an_answer_of_the_wrong_shape_fails_the_batch_at_once(cloud: Cloud) -> None:
    create()
    put(order(ok()), order(ok() | {"result": "Fine"}))
    cloud.run_until_idle()
    assert objects("lake/") == {}
    assert {(each["errorCode"], each["attemptsMade"]) for each in documents()} == {
        ("Lambda.FunctionError", 1)
    }


@pytest.mark.parametrize("answer", [b"no json", b"[]", b"null", b"{}", b'{"records": 1}'])
def test_an_answer_without_records_misses_every_record(answer: bytes) -> None:
    records = source_records(2)
    found = list(verdicts(("dt",), records, answer))
    assert [(each.code, each.raw) for each in found if isinstance(each, Failure)] == [
        ("Lambda.MissingRecordId", record.data) for record in records
    ]


def test_an_error_document_is_spelt_as_the_service_spells_it(cloud: Cloud) -> None:
    create()
    put(order(do="raise ValueError"))
    cloud.run_until_idle()
    ((key, body),) = objects("errors/").items()
    name = r"delivery-1-\d{4}(-\d\d){5}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(f"errors/processing-failed/{name}", key)
    assert body.endswith(b"}\n")
    document = json.loads(body)
    assert list(document) == [
        "rawData",
        "errorCode",
        "errorMessage",
        "attemptsMade",
        "arrivalTimestamp",
        "attemptEndingTimestamp",
        "lambdaARN",
    ]
    assert document["lambdaARN"] == f"{FUNCTION}:$LATEST"
    assert document["attemptEndingTimestamp"] > document["arrivalTimestamp"] > 1e12
