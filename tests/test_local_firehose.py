"""The laptop's Firehose: it refuses, delivers, fails and keeps what AWS's does."""

import gzip
import json
import re
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from local.call import AwsError
from local.cloud import Cloud
from local.firehose import batches, source, stream
from local.firehose.buffers import ACTIVE_PARTITIONS, Buffers, error_objects
from local.firehose.part import Firehose
from local.firehose.prefix import Scope, check_prefixes, evaluated, evaluated_error, formatted
from local.firehose.settings import Settings, settings
from local.firehose.source import Source, SourceRecord
from local.firehose.transform import Failure, Row, event, request_size, verdicts
from local.hops import HopCount
from local.iam.part import Iam
from local.lambda_runtime.part import Lambda
from tests.laptop import aws, empty_account, laptop, message_of, metric_sum, zipped
from tests.roles import allow, grant, make_role

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/firehose"
SOURCE = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/changes"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:transform"
PERMISSIONS = {
    "s3:PutObject": ["arn:aws:s3:::lake/*"],
    "s3:GetBucketLocation": ["arn:aws:s3:::lake"],
    "kinesis:*": [SOURCE],
    "lambda:InvokeFunction": [FUNCTION, f"{FUNCTION}:*"],
    "logs:PutLogEvents": ["*"],
}
HANDLER = """
import base64, json

def handler(event, context):
    answers = []
    for record in event["records"]:
        order = json.loads(base64.b64decode(record["data"]))
        exec(order.get("do", ""))
        answers += [{"recordId": record["recordId"], **answer} for answer in order["answers"]]
    print(json.dumps([len(event["records"]), list(event), list(event["records"][0])]))
    return {"records": answers}
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    """A laptop cloud with nothing in it."""
    with laptop(Iam, Firehose, Lambda) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Iterator[Cloud]:
    """The cloud with a source, a lake, and a function that answers as its records say."""
    aws("s3").create_bucket(Bucket="lake")
    aws("kinesis").create_stream(StreamName="changes", ShardCount=1)
    make_role("firehose", "firehose", *statements(PERMISSIONS))
    make_role("function", "lambda", allow("logs:*", "*"))
    deploy(HANDLER)
    aws("logs").create_log_group(logGroupName="errors")
    aws("logs").create_log_stream(logGroupName="errors", logStreamName="s3")
    yield running
    for name in aws("firehose").list_delivery_streams()["DeliveryStreamNames"]:
        aws("firehose").delete_delivery_stream(DeliveryStreamName=name)
    empty_account()


def statements(permissions: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [allow(action, *resources) for action, resources in permissions.items()]


def permit(permissions: dict[str, list[str]]) -> None:
    """Give the role of Firehose these permissions and no others."""
    grant("firehose", *statements(permissions))


def without(action: str) -> dict[str, list[str]]:
    return {name: resources for name, resources in PERMISSIONS.items() if name != action}


def deploy(code: str) -> None:
    aws("lambda").create_function(
        FunctionName="transform",
        Runtime="python3.13",
        Role=f"arn:aws:iam::{ACCOUNT}:role/function",
        Handler="main.handler",
        Code={"ZipFile": zipped(code)},
        Timeout=30,
    )


def processing(enabled: bool | None = True, **parameters: str) -> dict[str, Any]:
    given = {"LambdaArn": f"{FUNCTION}:$LATEST", **parameters}
    listed = [{"ParameterName": name, "ParameterValue": value} for name, value in given.items()]
    switch = {} if enabled is None else {"Enabled": enabled}
    return {**switch, "Processors": [{"Type": "Lambda", "Parameters": listed}]}


def destination(**changes: Any) -> dict[str, Any]:
    """Return a partitioning S3 destination; a member that is None is left out."""
    wanted = {
        "RoleARN": ROLE,
        "BucketARN": "arn:aws:s3:::lake",
        "Prefix": "lake/dt=!{partitionKeyFromLambda:dt}/",
        "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        "DynamicPartitioningConfiguration": {"Enabled": True},
        "ProcessingConfiguration": processing(),
        "CloudWatchLoggingOptions": {
            "Enabled": True,
            "LogGroupName": "errors",
            "LogStreamName": "s3",
        },
        **changes,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def plain(**changes: Any) -> dict[str, Any]:
    """Return an S3 destination that neither partitions nor transforms."""
    bare = {"DynamicPartitioningConfiguration": None, "ProcessingConfiguration": None}
    return destination(**{"Prefix": "lake/", "ErrorOutputPrefix": None, **bare, **changes})


def create(config: dict[str, Any] | None = None, **changes: Any) -> None:
    wanted = {
        "DeliveryStreamName": "delivery",
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {"KinesisStreamARN": SOURCE, "RoleARN": ROLE},
        "ExtendedS3DestinationConfiguration": config or destination(),
        **changes,
    }
    aws("firehose").create_delivery_stream(
        **{name: value for name, value in wanted.items() if value is not None}
    )


def described() -> dict[str, Any]:
    found = aws("firehose").describe_delivery_stream(DeliveryStreamName="delivery")
    return found["DeliveryStreamDescription"]


def put(*records: bytes) -> None:
    for record in records:
        aws("kinesis").put_record(StreamName="changes", Data=record, PartitionKey="k")


def order(*answers: dict[str, Any], do: str = "") -> bytes:
    """Return a record that tells the function what to answer for it."""
    return json.dumps({"answers": answers, "do": do}).encode()


def ok(data: bytes = b"row\n", dt: Any = "2026-11-23", **changes: Any) -> dict[str, Any]:
    keys = {"metadata": {"partitionKeys": {"dt": dt}}}
    return {"result": "Ok", "data": b64encode(data).decode(), **keys, **changes}


def objects(prefix: str = "") -> dict[str, bytes]:
    """Return the lake's objects as they are, by key."""
    found = aws("s3").list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])
    return {
        each["Key"]: aws("s3").get_object(Bucket="lake", Key=each["Key"])["Body"].read()
        for each in found
    }


def documents() -> list[dict[str, Any]]:
    return [json.loads(line) for body in objects("errors/").values() for line in body.splitlines()]


def logged() -> list[dict[str, Any]]:
    events = aws("logs").get_log_events(logGroupName="errors", logStreamName="s3")["events"]
    return [json.loads(event["message"]) for event in events]


def hops(cloud: Cloud) -> list[tuple[int, int, int]]:
    counts: list[HopCount] = cloud.part(Firehose).counts()
    return [(hop.came_in, hop.went_out, hop.failed) for hop in counts]


# What Firehose refuses.

REFUSED_DESTINATIONS = [
    (
        {"BufferingHints": {"SizeInMBs": 63, "IntervalInSeconds": 60}},
        "BufferingHints.SizeInMBs must be at least 64 when Dynamic Partitioning is enabled.",
    ),
    (
        {"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 59}},
        "BufferingHints.IntervalInSeconds must be at least 60 seconds when Dynamic Partitioning "
        "is enabled.",
    ),
    (
        {"BufferingHints": {"SizeInMBs": 129, "IntervalInSeconds": 60}},
        "1 validation error detected: Value '129' at "
        "'extendedS3DestinationConfiguration.bufferingHints.sizeInMBs' failed to satisfy "
        "constraint: Member must have value less than or equal to 128",
    ),
    (
        {"ProcessingConfiguration": None},
        "Processing Configuration is not enabled when DataPartitioning is enabled",
    ),
    (
        {"ProcessingConfiguration": processing(enabled=None)},
        "Processing Configuration is not enabled when DataPartitioning is enabled",
    ),
    (
        {"Prefix": "lake/"},
        "S3 Prefix should contain Dynamic Partitioning namespaces when Dynamic Partitioning is "
        "enabled",
    ),
    (
        {"Prefix": "lake/!{partitionKeyFromQuery:dt}/"},
        "MetadataExtraction processor should be present when S3 Prefix has partitionKeyFromQuery "
        "namespace.",
    ),
    (
        {"ProcessingConfiguration": {"Enabled": True, "Processors": []}},
        "A maximum of 5 and a minimum of 1 processor needs to be supplied when processing is "
        "enabled.",
    ),
    (
        {"ProcessingConfiguration": processing(NumberOfRetries="301")},
        "Number of retries for lambda must be between 0 and 300.",
    ),
    (
        {"ProcessingConfiguration": processing(BufferSizeInMBs="1")},
        "Both BufferSizeInMBs and BufferIntervalInSeconds are required to configure buffering "
        "for lambda processor.",
    ),
    (
        {
            "ProcessingConfiguration": processing(
                BufferSizeInMBs="3.1", BufferIntervalInSeconds="60"
            )
        },
        "BufferSizeInMBs for lambda processor must be between 0.2 and 3.",
    ),
    (
        {"CompressionFormat": "gzip"},
        "1 validation error detected: Value 'gzip' at "
        "'extendedS3DestinationConfiguration.compressionFormat' failed to satisfy constraint: "
        "Member must satisfy enum value set: [ZIP, HADOOP_SNAPPY, Snappy, GZIP, UNCOMPRESSED]",
    ),
    (
        {
            "DynamicPartitioningConfiguration": {
                "Enabled": True,
                "RetryOptions": {"DurationInSeconds": 7201},
            }
        },
        "1 validation error detected: Value '7201' at 'extendedS3DestinationConfiguration."
        "dynamicPartitioningConfiguration.retryOptions.durationInSeconds' failed to satisfy "
        "constraint: Member must have value less than or equal to 7200",
    ),
    ({"CompressionFormat": "ZIP"}, "Not modelled on the laptop: CompressionFormat=ZIP."),
    ({"S3BackupMode": "Enabled"}, "Not modelled on the laptop: S3BackupMode=Enabled."),
]


def test_destinations_that_aws_refuses_are_refused_in_its_words(cloud: Cloud) -> None:
    for changes, text in REFUSED_DESTINATIONS:
        assert message_of(create, destination(**changes)) == text
    assert aws("firehose").list_delivery_streams()["DeliveryStreamNames"] == []


def test_streams_without_source_or_with_two_destinations_are_refused(cloud: Cloud) -> None:
    second = {"RoleARN": ROLE, "BucketARN": "arn:aws:s3:::lake"}
    one = "Exactly one destination configuration is supported for a Firehose"
    assert message_of(create, S3DestinationConfiguration=second) == one
    assert "KinesisSourceStreamConfig" in message_of(create, KinesisStreamSourceConfiguration=None)
    assert "only applicable" in message_of(create, DeliveryStreamType="DirectPut")
    assert "deliveryStreamName" in message_of(create, DeliveryStreamName="a b")


REFUSED_PREFIXES = [
    ("a/!{timestamp:yyyy}/", "", "ErrorOutputPrefix cannot be null or empty when Prefix contains"),
    ("a/!{timestamp:yyyy", "e/", "Invalid expression usage"),
    ("a/!{year:yyyy}/", "e/", "Namespace to the left of colon (year) is an invalid keyword!"),
    ("a/!{timestamp:yyyp}/", "e/", "Invalid conversion character used in the value"),
    ("a/!{firehose:random}/", "e/", "Invalid conversion character used in the value"),
    ("a/!{firehose:error-output-type}/", "e/", "Prefix must not contain any occurrence of"),
    ("a/", "e/!{timestamp:yyyy}/", "ErrorOutputPrefix must contain at least one occurrence of"),
    ("a/", "e/!{partitionKeyFromLambda:dt}/", "can't be part of an error prefix expression"),
    ("a" * 513, "", "Length of evaluated prefix cannot be greater than 512"),
]


@pytest.mark.parametrize(("prefix", "error_prefix", "text"), REFUSED_PREFIXES)
def test_prefixes_outside_the_grammar_are_refused(
    prefix: str, error_prefix: str, text: str
) -> None:
    with pytest.raises(AwsError) as caught:
        check_prefixes(prefix, error_prefix)
    assert text in caught.value.message


def test_a_role_must_trust_firehose_and_may_read_the_source(cloud: Cloud) -> None:
    other = f"arn:aws:iam::{ACCOUNT}:role/function"
    text = f"Firehose is unable to assume role {other}. Please check the role provided."
    assert message_of(create, destination(RoleARN=other)) == text
    permit(without("kinesis:*"))
    assert "is not authorized to perform: kinesis:DescribeStream" in message_of(create)


def test_direct_puts_are_refused_on_a_kinesis_source(cloud: Cloud) -> None:
    create()
    text = "This operation is not permitted on KinesisStreamAsSource delivery stream type."
    firehose, name = aws("firehose"), {"DeliveryStreamName": "delivery"}
    assert message_of(firehose.put_record, **name, Record={"Data": b"x"}) == text
    assert message_of(firehose.put_record_batch, **name, Records=[{"Data": b"x"}]) == text
    assert message_of(firehose.start_delivery_stream_encryption, **name) == text


# Prefixes.


@given(st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)))
@example(datetime(2026, 1, 2, 3, 4, 5))
def test_times_are_written_as_java_writes_them(at: datetime) -> None:
    assert formatted("yyyy/MM/dd/HH-mm-ss", at) == f"{at:%Y/%m/%d/%H-%M-%S}"
    assert formatted("yy'year'd''", at) == f"{at:%y}year{at.day}'"


@given(st.text(min_size=1).filter(lambda text: "!{" not in text))
@example("\\1")
def test_a_partition_key_comes_through_as_it_is(value: str) -> None:
    scope = Scope(datetime(2026, 11, 23, 9, tzinfo=timezone.utc), {"dt": value})
    assert evaluated("a/dt=!{partitionKeyFromLambda:dt}/", scope) == f"a/dt={value}/"


def test_a_prefix_without_expression_gets_the_hour_of_arrival() -> None:
    scope = Scope(datetime(2026, 11, 23, 9, tzinfo=timezone.utc), error_type="processing-failed")
    assert evaluated("lake", scope) == "lake2026/11/23/09/"
    assert evaluated_error("", scope) == "processing-failed/2026/11/23/09/"
    assert evaluated_error("e/!{firehose:error-output-type}/", scope) == "e/processing-failed/"
    assert re.fullmatch(r"[a-z0-9]{11}", evaluated("!{firehose:random-string}", scope))


# What the function's answer means.

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
    cloud.settle()
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
    cloud.settle()
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
    cloud.settle()
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


# The call of the function.


def test_a_failing_function_is_tried_again_and_then_its_batch_is_kept(cloud: Cloud) -> None:
    create(destination(ProcessingConfiguration=processing(NumberOfRetries="2")))
    put(order(do="raise ValueError"), order(ok()))
    cloud.settle()
    found = {(each["errorCode"], each["attemptsMade"]) for each in documents()}
    assert found == {("Lambda.FunctionError", 3)}
    assert len(documents()) == 2
    assert metric_sum("AWS/Lambda", "Invocations", FunctionName="transform") == 3
    assert hops(cloud) == [(2, 0, 2), (0, 0, 0)]


def test_a_function_that_is_mended_in_time_loses_nothing(cloud: Cloud) -> None:
    create()
    broken = "def handler(event, context): raise ValueError"
    aws("lambda").update_function_code(FunctionName="transform", ZipFile=zipped(broken))
    put(order(ok(b"row\n")))
    cloud.step()
    cloud.clock.advance(60)
    cloud.step()
    aws("lambda").update_function_code(FunctionName="transform", ZipFile=zipped(HANDLER))
    cloud.settle()
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
    cloud.settle()
    functions.meta.events.unregister("before-parameter-build.lambda.Invoke", throttle)
    (document,) = documents()
    assert (document["errorCode"], document["attemptsMade"]) == ("Lambda.InvokeLimitExceeded", 4)


def test_permission_for_the_bare_name_is_not_permission_for_latest(cloud: Cloud) -> None:
    create()
    permit({**PERMISSIONS, "lambda:InvokeFunction": [FUNCTION]})
    put(order(ok()))
    cloud.settle()
    (document,) = documents()
    assert document["errorCode"] == "Lambda.InvokeAccessDenied"
    assert document["attemptsMade"] == 4
    assert [line["errorCode"] for line in logged()] == ["Lambda.InvokeAccessDenied"]


def test_the_function_gets_the_event_of_aws(cloud: Cloud) -> None:
    create()
    put(order(ok()))
    cloud.settle()
    events = aws("logs").filter_log_events(logGroupName="/aws/lambda/transform")["events"]
    (printed,) = [json.loads(each["message"]) for each in events if each["message"][0] == "["]
    members = ["invocationId", "sourceKinesisStreamArn", "deliveryStreamArn", "region", "records"]
    record = ["recordId", "approximateArrivalTimestamp", "data", "kinesisRecordMetadata"]
    assert printed == [1, members, record]


def test_a_batch_closes_by_size_or_by_interval(cloud: Cloud) -> None:
    hints = {"BufferSizeInMBs": "1", "BufferIntervalInSeconds": "300"}
    create(destination(ProcessingConfiguration=processing(**hints)))
    put(*[order(ok(), do=f"'{'x' * 400_000}'") for _ in range(3)])
    cloud.step()
    assert hops(cloud)[0] == (3, 2, 0)
    cloud.clock.advance(200)
    cloud.step()
    assert hops(cloud)[0] == (3, 2, 0)
    cloud.clock.advance(100)
    cloud.step()
    assert hops(cloud)[0] == (3, 3, 0)


def test_a_batch_closes_before_its_event_is_too_large(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "REQUEST_LIMIT", 1000)
    create()
    put(*[order(ok())] * 3)
    cloud.settle()
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
    cloud.settle()
    assert list(objects().values()) == [b"raw"]
    target = described()["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert target["ProcessingConfiguration"]["Enabled"] is False


# Delivery.


def test_rows_are_joined_verbatim_below_their_partition(cloud: Cloud) -> None:
    create(destination(CompressionFormat="GZIP"))
    put(order(ok(b"a")), order(ok(b"b\n", dt="x y")), order(ok(b"\xff\x00c")))
    cloud.settle()
    found = {key.rpartition("/")[0]: gzip.decompress(body) for key, body in objects().items()}
    assert found == {"lake/dt=2026-11-23": b"a\xff\x00c", "lake/dt=x y": b"b\n"}
    for key in objects():
        head = aws("s3").head_object(Bucket="lake", Key=key)
        assert key.endswith(".gz")
        assert head["ContentEncoding"] == "gzip"
        assert head["ContentType"] == "application/octet-stream"


def test_a_buffer_leaves_after_its_interval_and_not_before(cloud: Cloud) -> None:
    create(plain(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 300}))
    put(b"row")
    cloud.step()
    cloud.clock.advance(200)
    cloud.step()
    assert objects() == {}
    cloud.clock.advance(100)
    cloud.step()
    assert list(objects().values()) == [b"row"]
    assert cloud.part(Firehose).wakes_at() is None


def test_a_buffer_leaves_at_once_when_it_is_full(cloud: Cloud) -> None:
    create(plain(BufferingHints={"SizeInMBs": 1, "IntervalInSeconds": 900}))
    put(b"x" * 600_000, b"y" * 600_000)
    cloud.step()
    assert [len(body) for body in objects().values()] == [1_200_000]


def test_reading_starts_at_the_end_of_the_stream(cloud: Cloud) -> None:
    put(b"before")
    create(plain())
    put(b"after")
    cloud.settle()
    assert list(objects().values()) == [b"after"]


def test_kinesis_is_looked_into_at_intervals_and_nothing_waits_for_ever(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "POLL_SECONDS", 100.0)
    create(plain())
    put(b"one")
    cloud.step()
    put(b"two")
    cloud.step()
    assert cloud.part(Firehose).counts()[0].came_in == 1
    cloud.clock.advance(100)
    cloud.step()
    assert cloud.part(Firehose).counts()[0].came_in == 2
    cloud.settle()
    assert cloud.part(Firehose).wakes_at() is None


def test_a_backlog_is_read_without_a_pause(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "READ_LIMIT", 1)
    monkeypatch.setattr(stream, "POLL_SECONDS", 100.0)
    create(plain())
    put(b"one", b"two", b"three")
    for _ in range(3):
        cloud.step()
    assert cloud.part(Firehose).counts()[0].came_in == 3


def test_a_deleted_stream_takes_its_buffer_with_it(cloud: Cloud) -> None:
    create(plain())
    put(b"lost")
    cloud.step()
    aws("firehose").delete_delivery_stream(DeliveryStreamName="delivery")
    cloud.settle()
    create(plain())
    cloud.settle()
    assert objects() == {}


def test_shards_are_read_to_their_end_before_their_children(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "READ_LIMIT", 1)
    kinesis, halves = aws("kinesis"), ("shardId-000000000000", "shardId-000000000001")
    kinesis.create_stream(StreamName="halves", ShardCount=2)
    reader = Source(kinesis, SOURCE.replace("changes", "halves"))

    def fill_and_merge() -> None:
        for number in range(8):
            record = {"Data": b"%d" % number, "PartitionKey": str(number)}
            kinesis.put_record(StreamName="halves", **record)
        adjacent = {"ShardToMerge": halves[0], "AdjacentShardToMerge": halves[1]}
        kinesis.merge_shards(StreamName="halves", **adjacent)

    once(kinesis, "ListShards", fill_and_merge)
    found = b""
    while batches := [each.data for batch in reader.batches() for each in batch]:
        found += b"".join(batches)
    # moto copies what the parents hold into the new shard, so all comes once more.
    assert sorted(found[:8]) == sorted(found[8:]) == sorted(b"01234567")


def test_reading_resumes_where_it_was_when_an_iterator_has_expired(cloud: Cloud) -> None:
    put(b"before.")
    kinesis = aws("kinesis")
    reader = Source(kinesis, SOURCE)

    def expire() -> None:
        error = {"Error": {"Code": "ExpiredIteratorException", "Message": "Iterator expired."}}
        raise kinesis.exceptions.ExpiredIteratorException(error, "GetRecords")

    for expected in (b"one.", b"two."):
        put(expected)
        once(kinesis, "GetRecords", expire)
        assert [each.data for batch in reader.batches() for each in batch] == [expected]


def once(client: Any, operation: str, happen: Callable[[], None]) -> None:
    """Let something happen just before the next call of an operation."""
    moment = f"before-parameter-build.kinesis.{operation}"

    def happen_now(**_: Any) -> None:
        client.meta.events.unregister(moment, happen_now)
        happen()

    client.meta.events.register(moment, happen_now)


# Trouble.


def test_what_s3_does_not_take_is_kept_until_it_does(cloud: Cloud) -> None:
    create(plain())
    permit(without("s3:PutObject"))
    put(b"row")
    cloud.settle()
    assert objects() == {}
    assert {line["errorCode"] for line in logged()} == {"S3.AccessDenied"}
    assert hops(cloud)[1] == (1, 0, 0)
    permit(PERMISSIONS)
    cloud.settle()
    assert list(objects().values()) == [b"row"]


def test_a_short_failure_of_s3_is_waited_for(cloud: Cloud) -> None:
    create(plain())
    put(b"row")
    cloud.step()
    cloud.clock.advance(300)
    permit(without("s3:PutObject"))
    cloud.step()
    permit(PERMISSIONS)
    assert not cloud.step()
    cloud.settle()
    assert list(objects().values()) == [b"row"]


def test_reading_waits_while_memory_is_full_and_s3_takes_nothing(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MEMORY", 1000)
    create(plain())
    permit(without("s3:PutObject"))
    put(b"x" * 2000)
    cloud.settle()
    put(b"y")
    cloud.settle()
    assert cloud.part(Firehose).counts()[0].came_in == 1
    permit(PERMISSIONS)
    cloud.settle()
    assert Counter(b"".join(objects().values())) == {ord("x"): 2000, ord("y"): 1}


def test_a_source_that_may_not_be_read_is_read_on_when_it_may(cloud: Cloud) -> None:
    create(plain())
    put(b"one.")
    cloud.settle()
    permit(without("kinesis:*"))
    put(b"two.")
    cloud.settle()
    assert [line["errorCode"] for line in logged()] == ["Kinesis.AccessDenied"]
    permit(PERMISSIONS)
    cloud.settle()
    assert sorted(objects().values()) == [b"one.", b"two."]


def test_a_role_without_permission_to_log_delivers_all_the_same(cloud: Cloud) -> None:
    create()
    permit(without("logs:PutLogEvents"))
    put(order(ok(b"row\n")), order())
    cloud.settle()
    assert list(objects("lake/").values()) == [b"row\n"]
    assert [each["errorCode"] for each in documents()] == ["Lambda.MissingRecordId"]
    assert logged() == []


# Updates.


def test_an_update_is_merged_and_counts_the_version(cloud: Cloud) -> None:
    create()
    update(BufferingHints={"SizeInMBs": 64, "IntervalInSeconds": 90})
    target = described()["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert target["BufferingHints"]["IntervalInSeconds"] == 90
    assert target["Prefix"] == destination()["Prefix"]
    assert described()["VersionId"] == "2"
    put(order(ok()))
    cloud.settle()
    assert all("/delivery-2-" in key for key in objects())


def test_an_update_of_processing_keeps_it_enabled(cloud: Cloud) -> None:
    create()
    update(ProcessingConfiguration=processing(enabled=None, NumberOfRetries="1"))
    target = described()["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert target["ProcessingConfiguration"]["Enabled"] is True


def test_an_update_that_changes_nothing_is_no_new_version(cloud: Cloud) -> None:
    create()
    update(**destination())
    assert described()["VersionId"] == "1"


def test_dynamic_partitioning_is_decided_at_creation(cloud: Cloud) -> None:
    create()
    switched_off = {"DynamicPartitioningConfiguration": {"Enabled": False}, "Prefix": "lake/"}
    assert "cannot be disabled" in message_of(update, **switched_off)
    assert "at least 64" in message_of(
        update, BufferingHints={"SizeInMBs": 5, "IntervalInSeconds": 60}
    )
    assert "do not match" in message_of(
        update, version="7", Prefix="l/!{partitionKeyFromLambda:dt}/"
    )


def update(version: str = "1", **changes: Any) -> None:
    aws("firehose").update_destination(
        DeliveryStreamName="delivery",
        CurrentDeliveryStreamVersionId=version,
        DestinationId="destinationId-000000000001",
        ExtendedS3DestinationUpdate=changes,
    )


# Metrics.


def test_metrics_tell_what_was_read_and_delivered(cloud: Cloud) -> None:
    create()
    put(order(ok()), order(ok()), order())
    cloud.settle()
    sums = {
        name: metric_sum("AWS/Firehose", name, DeliveryStreamName="delivery")
        for name in (
            *("IncomingRecords", "DataReadFromKinesisStream.Records"),
            *("SucceedProcessing.Records", "DeliveryToS3.Records"),
        )
    }
    assert sums == {
        "IncomingRecords": 3,
        "DataReadFromKinesisStream.Records": 3,
        "SucceedProcessing.Records": 2,
        "DeliveryToS3.Records": 3,
    }


# Buffers, alone.


def settled(**changes: Any) -> Settings:
    """Return the settings of a stream that partitions by `dt`."""
    description = {
        "DeliveryStreamName": "delivery",
        "DeliveryStreamARN": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/delivery",
        "VersionId": "1",
        "Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": SOURCE, "RoleARN": ROLE}},
        "Destinations": [
            {
                "ExtendedS3DestinationDescription": {
                    **destination(),
                    "CompressionFormat": "UNCOMPRESSED",
                    "ProcessingConfiguration": {"Enabled": False},
                }
            }
        ],
    }
    return replace(settings(description), **changes)


rows = st.lists(
    st.builds(Row, st.binary(max_size=9), st.tuples(st.sampled_from("abc")), st.floats(1e9, 2e9)),
    max_size=30,
)


@given(rows, st.integers(1, 20))
def test_buffers_give_out_every_row_once_and_in_order(given_rows: Sequence[Row], size: int) -> None:
    of, buffers, sealed = settled(size=size), Buffers(), []
    for row in given_rows:
        assert buffers.add(of, row, 0.0) is None
        sealed += buffers.sealed(of, 0.0)
    sealed += buffers.sealed(of, of.interval)
    for partition in "abc":
        expected = [row.data for row in given_rows if row.partition == (partition,)]
        found = [each.body for each in sealed if f"dt={partition}/" in each.key]
        assert b"".join(found) == b"".join(expected)
    assert sum(each.records for each in sealed) == len(given_rows)
    assert (len(buffers), buffers.size) == (0, 0)


def test_partitions_beyond_the_limit_overflow_into_errors() -> None:
    of, buffers = settled(), Buffers()
    for number in range(ACTIVE_PARTITIONS):
        assert buffers.add(of, Row(b"x", (str(number),), 1.0), 0.0) is None
    assert buffers.add(of, Row(b"x", ("0",), 1.0), 0.0) is None
    refused_row = buffers.add(of, Row(b"over\n", ("500",), 1.0), 0.0)
    assert refused_row is not None
    assert refused_row.code == "DynamicPartitioning.ActivePartitionsLimitExceeded"
    (kept,) = error_objects(of, [refused_row], 1, 2.0)
    assert kept.key.startswith("errors/activePartitionExceeded/delivery-1-")
    assert b64decode(json.loads(kept.body)["rawData"]) == b"over\n"


def test_a_prefix_that_comes_out_too_long_is_an_error_and_not_a_key() -> None:
    of = settled()
    assert Buffers().add(of, Row(b"x", ("v" * 512,), 1.0), 0.0) is not None


def test_a_time_zone_decides_folder_and_name() -> None:
    of = settled(zone=ZoneInfo("Asia/Tokyo"), prefix="a", partition_keys=None)
    buffers = Buffers()
    buffers.add(of, Row(b"x", (), 0.0), 0.0)
    (sealed,) = buffers.sealed(of, of.interval)
    assert sealed.key.startswith("a1970/01/01/09/delivery-1-1970-01-01-09-00-00-")
