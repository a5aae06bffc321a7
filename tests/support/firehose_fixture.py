"""A delivery stream of the laptop, what feeds it, and what tests ask of it."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.services.firehose.config import Settings, settings
from local.services.firehose.service import Firehose
from tests.support.iam_roles import allow, grant, make_role
from tests.support.laptop_cloud import aws, empty_account, zip_code

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


@contextmanager
def furnished(cloud: Cloud) -> Iterator[Cloud]:
    """Yield the cloud with a source, a lake, and a function that answers as its records say."""
    aws("s3").create_bucket(Bucket="lake")
    aws("kinesis").create_stream(StreamName="changes", ShardCount=1)
    make_role("firehose", "firehose", *statements(PERMISSIONS))
    make_role("function", "lambda", allow("logs:*", "*"))
    deploy(HANDLER)
    aws("logs").create_log_group(logGroupName="errors")
    aws("logs").create_log_stream(logGroupName="errors", logStreamName="s3")
    yield cloud
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
        Code={"ZipFile": zip_code(code)},
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
    counts: list[HopCount] = cloud.service(Firehose).counts()
    return [(hop.received, hop.delivered, hop.failed) for hop in counts]


def update(version: str = "1", **changes: Any) -> None:
    aws("firehose").update_destination(
        DeliveryStreamName="delivery",
        CurrentDeliveryStreamVersionId=version,
        DestinationId="destinationId-000000000001",
        ExtendedS3DestinationUpdate=changes,
    )


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
