"""Responses of the Lambda function: what the laptop's Firehose does with each record."""

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
from local.services.firehose.lambda_transform import Failure, Row, results
from local.services.firehose.service import Firehose
from local.services.iam.service import Iam
from tests.support.firehose_fixture import (
    FUNCTION,
    create_stream,
    error_documents,
    firehose_environment,
    hop_counts,
    lake_objects,
    ok_entry,
    put_records,
    record_for,
)
from tests.support.laptop_cloud import laptop

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=4,
)
response_entries = st.fixed_dictionaries(
    {},
    optional={
        "recordId": st.sampled_from(["1000000", "2000000", "x"]) | json_values,
        "result": st.sampled_from(["Ok", "Dropped", "ProcessingFailed"]) | json_values,
        "data": st.sampled_from(["cm93Cg==", "", "?"]) | json_values,
        "metadata": st.just({"partitionKeys": {"dt": "a"}}) | json_values,
    },
)


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with laptop(Iam, Firehose, Lambda) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Iterator[Cloud]:
    """The cloud with a source, a lake, and a function that does what its records say."""
    with firehose_environment(shared_cloud):
        yield shared_cloud


def source_records(count: int) -> list[SourceRecord]:
    return [
        SourceRecord(f"raw{n}".encode(), 1.0 * n, "shardId-000000000000", str(n), "k")
        for n in range(1, count + 1)
    ]


@given(json_values | st.fixed_dictionaries({"records": st.lists(response_entries | json_values)}))
@example({"records": [ok_entry(recordId="1000000"), ok_entry(recordId="2000000", dt=[])]})
@example({"records": [ok_entry(recordId="1000000") | {"data": []}, ok_entry(recordId="2000000")]})
def test_responses_yield_one_result_per_record(response: Any) -> None:
    records = source_records(2)
    record_results = list(results(("dt",), records, json.dumps(response).encode()))
    assert len(record_results) == len(records)
    for record, result in zip(records, record_results, strict=True):
        assert result is None or result.arrived_at == record.arrived_at
        if isinstance(result, Failure) and result.code.startswith("Lambda."):
            assert result.raw_data == record.data


@given(st.permutations(range(5)), st.lists(st.binary(), min_size=5, max_size=5))
def test_response_entries_may_come_in_any_order(order: list[int], rows: list[bytes]) -> None:
    records = source_records(5)
    entries = [
        ok_entry(row, recordId=record.record_id) for row, record in zip(rows, records, strict=True)
    ]
    response = json.dumps({"records": [entries[index] for index in order]}).encode()
    record_results = results(("dt",), records, response)
    assert [row.data for row in record_results if isinstance(row, Row)] == rows


@pytest.mark.parametrize("value", ["", None, 7, [], ["a"], {"a": "b"}])
def test_partition_key_must_be_non_empty_text(value: Any) -> None:
    response = json.dumps({"records": [ok_entry(recordId="1000000", dt=value)]}).encode()
    (result,) = results(("dt",), source_records(1), response)
    assert isinstance(result, Failure)
    assert result.code == "DynamicPartitioning.MetadataExtractionFailed"


def test_every_result_is_delivered_as_on_aws(cloud: Cloud) -> None:
    cases = {
        "Lambda.ProcessingFailedStatus": record_for({"result": "ProcessingFailed", "data": ""}),
        "Lambda.MissingRecordId": record_for(),
        "Lambda.DuplicatedRecordId": record_for(ok_entry(), ok_entry()),
        "Lambda.InvalidReturnFormat": record_for(ok_entry() | {"data": None}),
        "DynamicPartitioning.MetadataExtractionFailed": record_for(ok_entry(b"lost?\n", dt="")),
    }
    create_stream()
    put_records(*cases.values())
    put_records(record_for(ok_entry(b"one\n")), record_for({"result": "Dropped", "data": ""}))
    put_records(record_for(ok_entry(b"two\n"), ok_entry(b"unknown\n", recordId="unknown")))
    cloud.run_until_idle()
    assert list(lake_objects("lake/").values()) == [b"one\ntwo\n"]
    documents = error_documents()
    assert len(documents) == len(cases)
    document_by_code = {document["errorCode"]: document for document in documents}
    assert document_by_code.keys() == cases.keys()
    partition_failure = document_by_code.pop("DynamicPartitioning.MetadataExtractionFailed")
    assert b64decode(partition_failure["rawData"]) == b"lost?\n"
    for code, document in document_by_code.items():
        assert b64decode(document["rawData"]) == cases[code]
        assert document["attemptsMade"] == 1
    assert hop_counts(cloud) == [(8, 4, 4), (3, 2, 1)]


def test_malformed_entry_fails_without_retry(cloud: Cloud) -> None:
    create_stream()
    put_records(record_for(ok_entry()), record_for(ok_entry() | {"result": "Fine"}))
    cloud.run_until_idle()
    assert lake_objects("lake/") == {}
    assert {
        (document["errorCode"], document["attemptsMade"]) for document in error_documents()
    } == {("Lambda.FunctionError", 1)}


@pytest.mark.parametrize("response", [b"no json", b"[]", b"null", b"{}", b'{"records": 1}'])
def test_response_without_records_fails_all(response: bytes) -> None:
    records = source_records(2)
    record_results = results(("dt",), records, response)
    failures = [result for result in record_results if isinstance(result, Failure)]
    assert [(failure.code, failure.raw_data) for failure in failures] == [
        ("Lambda.MissingRecordId", record.data) for record in records
    ]


def test_error_document_has_the_fields_of_aws(cloud: Cloud) -> None:
    create_stream()
    put_records(record_for(code="raise ValueError"))
    cloud.run_until_idle()
    ((key, body),) = lake_objects("errors/").items()
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
