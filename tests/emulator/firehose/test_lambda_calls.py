"""When the laptop's Firehose calls the function, with what, and how often."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.core.server import Cloud
from local.services.aws_lambda.service import Lambda
from local.services.firehose import lambda_batches as batches
from local.services.firehose.kinesis_source import SourceRecord
from local.services.firehose.lambda_transform import event, request_size
from local.services.firehose.service import Firehose
from local.services.iam.service import Iam
from tests.support.firehose_fixture import (
    FUNCTION,
    HANDLER,
    PERMISSIONS,
    ROLE,
    create,
    described,
    destination,
    documents,
    furnished,
    hops,
    logged,
    objects,
    ok,
    order,
    permit,
    plain,
    processing,
    put,
    settled,
)
from tests.support.laptop_cloud import aws, laptop, metric_sum, zip_code


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


def test_a_failing_function_is_tried_again_and_then_its_batch_is_kept(cloud: Cloud) -> None:
    create(destination(ProcessingConfiguration=processing(NumberOfRetries="2")))
    put(order(do="raise ValueError"), order(ok()))
    cloud.run_until_idle()
    found = {(each["errorCode"], each["attemptsMade"]) for each in documents()}
    assert found == {("Lambda.FunctionError", 3)}
    assert len(documents()) == 2
    assert metric_sum("AWS/Lambda", "Invocations", FunctionName="transform") == 3
    assert hops(cloud) == [(2, 0, 2), (0, 0, 0)]


def test_a_function_that_is_mended_in_time_loses_nothing(cloud: Cloud) -> None:
    create()
    broken = "def handler(event, context): raise ValueError"
    aws("lambda").update_function_code(FunctionName="transform", ZipFile=zip_code(broken))
    put(order(ok(b"row\n")))
    cloud.tick()
    cloud.clock.advance(60)
    cloud.tick()
    aws("lambda").update_function_code(FunctionName="transform", ZipFile=zip_code(HANDLER))
    cloud.run_until_idle()
    assert list(objects("lake/").values()) == [b"row\n"]
    assert documents() == []


def test_a_throttled_function_is_tried_again(cloud: Cloud) -> None:
    create()
    put(order(ok(b"row\n")))
    functions = cloud.client("lambda", ROLE, "firehose.amazonaws.com")

    def throttle(**_: Any) -> None:
        error = {"Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."}}
        raise functions.exceptions.TooManyRequestsException(error, "Invoke")

    functions.meta.events.register("before-parameter-build.lambda.Invoke", throttle)
    cloud.run_until_idle()
    functions.meta.events.unregister("before-parameter-build.lambda.Invoke", throttle)
    (document,) = documents()
    assert (document["errorCode"], document["attemptsMade"]) == ("Lambda.InvokeLimitExceeded", 4)


def test_permission_for_the_bare_name_is_not_permission_for_latest(cloud: Cloud) -> None:
    create()
    permit({**PERMISSIONS, "lambda:InvokeFunction": [FUNCTION]})
    put(order(ok()))
    cloud.run_until_idle()
    (document,) = documents()
    assert document["errorCode"] == "Lambda.InvokeAccessDenied"
    assert document["attemptsMade"] == 4
    assert [line["errorCode"] for line in logged()] == ["Lambda.InvokeAccessDenied"]


def test_the_function_gets_the_event_of_aws(cloud: Cloud) -> None:
    create()
    put(order(ok()))
    cloud.run_until_idle()
    events = aws("logs").filter_log_events(logGroupName="/aws/lambda/transform")["events"]
    (printed,) = [json.loads(each["message"]) for each in events if each["message"][0] == "["]
    members = ["invocationId", "sourceKinesisStreamArn", "deliveryStreamArn", "region", "records"]
    record = ["recordId", "approximateArrivalTimestamp", "data", "kinesisRecordMetadata"]
    assert printed == [1, members, record]


def test_a_batch_closes_by_size_or_by_interval(cloud: Cloud) -> None:
    hints = {"BufferSizeInMBs": "1", "BufferIntervalInSeconds": "300"}
    create(destination(ProcessingConfiguration=processing(**hints)))
    put(*[order(ok(), do=f"'{'x' * 400_000}'") for _ in range(3)])
    cloud.tick()
    assert hops(cloud)[0] == (3, 2, 0)
    cloud.clock.advance(200)
    cloud.tick()
    assert hops(cloud)[0] == (3, 2, 0)
    cloud.clock.advance(100)
    cloud.tick()
    assert hops(cloud)[0] == (3, 3, 0)


def test_a_batch_closes_before_its_event_is_too_large(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "REQUEST_LIMIT", 1000)
    create()
    put(*[order(ok())] * 3)
    cloud.run_until_idle()
    assert metric_sum("AWS/Lambda", "Invocations", FunctionName="transform") == 3
    assert hops(cloud)[0] == (3, 3, 0)


@given(st.lists(st.binary(max_size=999)), st.text(max_size=256))
@example([b""], "\U00010000" * 256)
def test_an_event_is_never_larger_than_reckoned(payloads: list[bytes], key: str) -> None:
    long = ("9" * 56, "shardId-000000000000", 1.7e9)
    records = [SourceRecord(each, long[2], long[1], long[0], key) for each in payloads]
    envelope = event(settled(), "0" * 36, [])
    reckoned = sum(map(request_size, records)) + len(envelope)
    assert len(event(settled(), "0" * 36, records)) <= reckoned


def test_without_enabled_the_function_is_not_called(cloud: Cloud) -> None:
    create(plain(ProcessingConfiguration=processing(enabled=None)))
    put(b"raw")
    cloud.run_until_idle()
    assert list(objects().values()) == [b"raw"]
    target = described()["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert target["ProcessingConfiguration"]["Enabled"] is False
