"""Invocations of the Lambda function by the laptop's Firehose: batches, events and retries."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.core.server import Cloud
from local.services.aws_lambda.service import Lambda
from local.services.firehose import lambda_batches
from local.services.firehose.kinesis_source import SourceRecord
from local.services.firehose.lambda_transform import invocation_event, request_bytes
from local.services.firehose.service import Firehose
from local.services.iam.service import Iam
from tests.support.firehose_fixture import (
    FUNCTION,
    HANDLER,
    PERMISSIONS,
    ROLE,
    allow_only,
    create_stream,
    describe_destination,
    destination_config,
    error_documents,
    firehose_environment,
    hop_counts,
    lake_objects,
    logged_errors,
    ok_entry,
    partitioned_settings,
    plain_destination_config,
    processing_config,
    put_records,
    record_for,
)
from tests.support.laptop_cloud import aws, laptop, metric_sum, zip_code


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with laptop(Iam, Firehose, Lambda) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Iterator[Cloud]:
    """The cloud with a source, a lake, and a function that does what its records say."""
    with firehose_environment(shared_cloud):
        yield shared_cloud


def test_failed_batch_goes_to_the_error_store(cloud: Cloud) -> None:
    create_stream(
        destination_config(ProcessingConfiguration=processing_config(NumberOfRetries="2"))
    )
    put_records(record_for(code="raise ValueError"), record_for(ok_entry()))
    cloud.run_until_idle()
    documents = error_documents()
    assert [document["errorCode"] for document in documents] == ["Lambda.FunctionError"] * 2
    assert [document["attemptsMade"] for document in documents] == [3, 3]
    assert metric_sum("AWS/Lambda", "Invocations", FunctionName="transform") == 3
    assert hop_counts(cloud) == [(2, 0, 2), (0, 0, 0)]


def test_function_fixed_in_time_loses_nothing(cloud: Cloud) -> None:
    create_stream()
    broken_code = "def handler(event, context): raise ValueError"
    aws("lambda").update_function_code(FunctionName="transform", ZipFile=zip_code(broken_code))
    put_records(record_for(ok_entry(b"row\n")))
    cloud.tick()
    cloud.clock.advance(60)
    cloud.tick()
    aws("lambda").update_function_code(FunctionName="transform", ZipFile=zip_code(HANDLER))
    cloud.run_until_idle()
    assert list(lake_objects("lake/").values()) == [b"row\n"]
    assert error_documents() == []


def test_throttled_function_is_retried(cloud: Cloud) -> None:
    create_stream()
    put_records(record_for(ok_entry(b"row\n")))
    lambda_client = cloud.client("lambda", ROLE, "firehose.amazonaws.com")

    def throttle(**_: Any) -> None:
        error = {"Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}}
        raise lambda_client.exceptions.TooManyRequestsException(error, "Invoke")

    lambda_client.meta.events.register("before-parameter-build.lambda.Invoke", throttle)
    cloud.run_until_idle()
    lambda_client.meta.events.unregister("before-parameter-build.lambda.Invoke", throttle)
    (document,) = error_documents()
    assert (document["errorCode"], document["attemptsMade"]) == ("Lambda.InvokeLimitExceeded", 4)


def test_permission_must_cover_qualified_arn(cloud: Cloud) -> None:
    create_stream()
    allow_only({**PERMISSIONS, "lambda:InvokeFunction": [FUNCTION]})
    put_records(record_for(ok_entry()))
    cloud.run_until_idle()
    (document,) = error_documents()
    assert document["errorCode"] == "Lambda.InvokeAccessDenied"
    assert document["attemptsMade"] == 4
    assert [line["errorCode"] for line in logged_errors()] == ["Lambda.InvokeAccessDenied"]


def test_event_has_the_fields_of_aws(cloud: Cloud) -> None:
    create_stream()
    put_records(record_for(ok_entry()))
    cloud.run_until_idle()
    events = aws("logs").filter_log_events(logGroupName="/aws/lambda/transform")["events"]
    messages = [event["message"] for event in events]
    (output,) = [json.loads(message) for message in messages if message.startswith("[")]
    event_fields = [
        "invocationId",
        "sourceKinesisStreamArn",
        "deliveryStreamArn",
        "region",
        "records",
    ]
    record_fields = ["recordId", "approximateArrivalTimestamp", "data", "kinesisRecordMetadata"]
    assert output == [1, event_fields, record_fields]


def test_batch_closes_by_size_or_interval(cloud: Cloud) -> None:
    processing = processing_config(BufferSizeInMBs="1", BufferIntervalInSeconds="300")
    create_stream(destination_config(ProcessingConfiguration=processing))
    large_record = record_for(ok_entry(), code=f"'{'x' * 400_000}'")
    put_records(large_record, large_record, large_record)
    cloud.tick()
    assert hop_counts(cloud)[0] == (3, 2, 0)
    cloud.clock.advance(200)
    cloud.tick()
    assert hop_counts(cloud)[0] == (3, 2, 0)
    cloud.clock.advance(100)
    cloud.tick()
    assert hop_counts(cloud)[0] == (3, 3, 0)


def test_batch_closes_before_event_is_too_large(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lambda_batches, "MAX_REQUEST_BYTES", 1000)
    create_stream()
    record = record_for(ok_entry())
    put_records(record, record, record)
    cloud.run_until_idle()
    assert metric_sum("AWS/Lambda", "Invocations", FunctionName="transform") == 3
    assert hop_counts(cloud)[0] == (3, 3, 0)


@given(st.lists(st.binary(max_size=999)), st.text(max_size=256))
@example([b""], "\U00010000" * 256)
def test_event_size_has_an_upper_bound(payloads: list[bytes], key: str) -> None:
    records = [
        SourceRecord(data, 1.7e9, "shardId-000000000000", "9" * 56, key) for data in payloads
    ]
    settings = partitioned_settings()
    envelope = invocation_event(settings, "0" * 36, [])
    bound = len(envelope) + sum(request_bytes(record) for record in records)
    assert len(invocation_event(settings, "0" * 36, records)) <= bound


def test_function_is_not_called_unless_enabled(cloud: Cloud) -> None:
    create_stream(plain_destination_config(ProcessingConfiguration=processing_config(enabled=None)))
    put_records(b"raw")
    cloud.run_until_idle()
    assert list(lake_objects().values()) == [b"raw"]
    assert describe_destination()["ProcessingConfiguration"]["Enabled"] is False
