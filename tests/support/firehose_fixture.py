"""Fixture of the laptop's Firehose: a source, a lake, a function, and helpers to read results."""

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.services.firehose.config import Settings, parse_settings
from local.services.firehose.service import Firehose
from tests.support.iam_roles import allow, grant, make_role
from tests.support.laptop_cloud import aws, empty_account, zip_code

ACCOUNT = "123456789012"
REGION = "us-east-1"
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
    entries = []
    for record in event["records"]:
        instructions = json.loads(base64.b64decode(record["data"]))
        exec(instructions["code"])
        entries += [{"recordId": record["recordId"], **entry} for entry in instructions["entries"]]
    print(json.dumps([len(event["records"]), list(event), list(event["records"][0])]))
    return {"records": entries}
"""


@contextmanager
def firehose_environment(cloud: Cloud) -> Iterator[Cloud]:
    """Yield the cloud with a source, a lake, and a function that does what its records say."""
    aws("s3").create_bucket(Bucket="lake")
    aws("kinesis").create_stream(StreamName="changes", ShardCount=1)
    make_role("firehose", "firehose", *policy_statements(PERMISSIONS))
    make_role("function", "lambda", allow("logs:*", "*"))
    deploy(HANDLER)
    aws("logs").create_log_group(logGroupName="errors")
    aws("logs").create_log_stream(logGroupName="errors", logStreamName="s3")
    yield cloud
    for name in aws("firehose").list_delivery_streams()["DeliveryStreamNames"]:
        aws("firehose").delete_delivery_stream(DeliveryStreamName=name)
    empty_account()


def policy_statements(permissions: dict[str, list[str]]) -> list[dict[str, Any]]:
    return [allow(action, *resources) for action, resources in permissions.items()]


def allow_only(permissions: dict[str, list[str]]) -> None:
    """Give the role of Firehose these permissions and no others."""
    grant("firehose", *policy_statements(permissions))


def permissions_without(action: str) -> dict[str, list[str]]:
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


def processing_config(enabled: bool | None = True, **parameters: str) -> dict[str, Any]:
    values = {"LambdaArn": f"{FUNCTION}:$LATEST", **parameters}
    processor = {
        "Type": "Lambda",
        "Parameters": [
            {"ParameterName": name, "ParameterValue": value} for name, value in values.items()
        ],
    }
    config: dict[str, Any] = {"Processors": [processor]}
    return config if enabled is None else {"Enabled": enabled, **config}


def destination_config(**changes: Any) -> dict[str, Any]:
    """Return a partitioned S3 destination; a member that is None is omitted."""
    config = {
        "RoleARN": ROLE,
        "BucketARN": "arn:aws:s3:::lake",
        "Prefix": "lake/dt=!{partitionKeyFromLambda:dt}/",
        "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        "DynamicPartitioningConfiguration": {"Enabled": True},
        "ProcessingConfiguration": processing_config(),
        "CloudWatchLoggingOptions": {
            "Enabled": True,
            "LogGroupName": "errors",
            "LogStreamName": "s3",
        },
        **changes,
    }
    return {name: value for name, value in config.items() if value is not None}


def plain_destination_config(**changes: Any) -> dict[str, Any]:
    """Return an S3 destination that neither partitions nor transforms."""
    defaults = {
        "Prefix": "lake/",
        "ErrorOutputPrefix": None,
        "DynamicPartitioningConfiguration": None,
        "ProcessingConfiguration": None,
    }
    return destination_config(**(defaults | changes))


def create_stream(config: dict[str, Any] | None = None, **changes: Any) -> None:
    params = {
        "DeliveryStreamName": "delivery",
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {"KinesisStreamARN": SOURCE, "RoleARN": ROLE},
        "ExtendedS3DestinationConfiguration": config or destination_config(),
        **changes,
    }
    aws("firehose").create_delivery_stream(
        **{name: value for name, value in params.items() if value is not None}
    )


def describe_stream() -> dict[str, Any]:
    response = aws("firehose").describe_delivery_stream(DeliveryStreamName="delivery")
    description: dict[str, Any] = response["DeliveryStreamDescription"]
    return description


def describe_destination() -> dict[str, Any]:
    destination = describe_stream()["Destinations"][0]
    description: dict[str, Any] = destination["ExtendedS3DestinationDescription"]
    return description


def put_records(*records: bytes) -> None:
    for record in records:
        aws("kinesis").put_record(StreamName="changes", Data=record, PartitionKey="k")


def record_for(*entries: dict[str, Any], code: str = "") -> bytes:
    """Return a record for which the function runs `code` and responds with `entries`."""
    return json.dumps({"entries": entries, "code": code}).encode()


def ok_entry(data: bytes = b"row\n", dt: Any = "2026-11-23", **changes: Any) -> dict[str, Any]:
    return {
        "result": "Ok",
        "data": b64encode(data).decode(),
        "metadata": {"partitionKeys": {"dt": dt}},
        **changes,
    }


def lake_objects(prefix: str = "") -> dict[str, bytes]:
    """Return the bodies of the lake's objects by key."""
    contents = aws("s3").list_objects_v2(Bucket="lake", Prefix=prefix).get("Contents", [])
    return {
        entry["Key"]: aws("s3").get_object(Bucket="lake", Key=entry["Key"])["Body"].read()
        for entry in contents
    }


def error_documents() -> list[dict[str, Any]]:
    return [
        json.loads(line) for body in lake_objects("errors/").values() for line in body.splitlines()
    ]


def logged_errors() -> list[dict[str, Any]]:
    events = aws("logs").get_log_events(logGroupName="errors", logStreamName="s3")["events"]
    return [json.loads(event["message"]) for event in events]


def hop_counts(cloud: Cloud) -> list[tuple[int, int, int]]:
    counts: list[HopCount] = cloud.service(Firehose).counts()
    return [(hop.received, hop.delivered, hop.failed) for hop in counts]


def update_destination(version: str = "1", **changes: Any) -> None:
    aws("firehose").update_destination(
        DeliveryStreamName="delivery",
        CurrentDeliveryStreamVersionId=version,
        DestinationId="destinationId-000000000001",
        ExtendedS3DestinationUpdate=changes,
    )


def partitioned_settings(**changes: Any) -> Settings:
    """Return the settings of a stream that partitions by `dt`."""
    description = {
        "DeliveryStreamName": "delivery",
        "DeliveryStreamARN": f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/delivery",
        "VersionId": "1",
        "Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": SOURCE, "RoleARN": ROLE}},
        "Destinations": [
            {
                "ExtendedS3DestinationDescription": {
                    **destination_config(),
                    "CompressionFormat": "UNCOMPRESSED",
                    "ProcessingConfiguration": {"Enabled": False},
                }
            }
        ],
    }
    return replace(parse_settings(description), **changes)
