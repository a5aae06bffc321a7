"""Create the Firehose stream: changes from Kinesis, made rows by the function, filed by day."""

import sys
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup import names
from setup.lib.cli import run
from setup.lib.log_groups import ensure_log_group
from setup.lib.resources import (
    delivery_state,
    matches_desired,
    require,
    require_bucket,
    require_role,
    require_stream,
)
from setup.lib.waiters import (
    SetupError,
    delete_if_creation_failed,
    retry_until_accepted,
    wait_until,
)
from setup.names import DELIVERY, FUNCTION

WHAT = f"Firehose stream {DELIVERY}"
CALLING = {
    "BufferSizeInMBs": "1",  # The function's answer must stay under 6 MB.
    "BufferIntervalInSeconds": "10",  # AWS takes 0 to 900; the rows wait once more for S3.
    "NumberOfRetries": "3",
}


def create() -> str:
    """Create the Firehose stream or change where it writes, and say so once it is active."""
    firehose, get_function = boto3.client("firehose"), boto3.client("lambda").get_function
    source = {"KinesisStreamARN": require_stream(), "RoleARN": require_role("firehose")}
    require(f"function {FUNCTION}", "05_lambda", get_function, FunctionName=FUNCTION)
    wanted = destination(source["RoleARN"], require_bucket())
    ensure_log_group(
        names.DELIVERY_LOGS, names.DELIVERY_LOG_STREAM
    )  # Firehose itself creates neither.
    retry_until_accepted(lambda: attempt(firehose, source, wanted))
    update(firehose, source, wanted)
    return f"{WHAT} delivers to s3://{names.bucket()}/{names.LAKE}"


def destination(role: str, bucket: str) -> dict[str, Any]:
    """Return where Firehose writes and how."""
    function = names.arn("lambda", f"function:{FUNCTION}:$LATEST")
    told = {"LambdaArn": function, **CALLING}.items()
    calling = [{"ParameterName": name, "ParameterValue": value} for name, value in told]
    return {
        "RoleARN": role,
        "BucketARN": bucket,
        "Prefix": f"{names.LAKE}dt=!{{partitionKeyFromLambda:dt}}/",
        "ErrorOutputPrefix": f"{names.ERRORS}!{{firehose:error-output-type}}/"
        "!{timestamp:yyyy-MM-dd}/",
        "CompressionFormat": "GZIP",
        # With dynamic partitioning AWS takes nothing smaller.
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": names.FLUSH_SECONDS},
        "DynamicPartitioningConfiguration": {
            "Enabled": True,
            "RetryOptions": {"DurationInSeconds": 300},
        },
        "ProcessingConfiguration": {
            "Enabled": True,  # Left out it counts as False: raw changes would reach the lake.
            "Processors": [{"Type": "Lambda", "Parameters": calling}],
        },
        "CloudWatchLoggingOptions": {
            "Enabled": True,
            "LogGroupName": names.DELIVERY_LOGS,
            "LogStreamName": names.DELIVERY_LOG_STREAM,
        },
    }


def attempt(firehose: Any, source: dict[str, str], wanted: dict[str, Any]) -> None:
    """Create the stream unless it is there, and return once it is active."""
    which, delete = {"DeliveryStreamName": DELIVERY}, firehose.delete_delivery_stream
    if delete_if_creation_failed(WHAT, delivery_state, lambda: delete(**which)) == "missing":
        firehose.create_delivery_stream(
            **which,
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration=source,
            ExtendedS3DestinationConfiguration=wanted,
            Tags=names.TAG_LIST,
        )
    wait_until(WHAT, delivery_state, "ACTIVE")


def update(firehose: Any, source: dict[str, str], wanted: dict[str, Any]) -> None:
    """Change what may be changed; refuse where only a new Firehose stream would do."""
    described = firehose.describe_delivery_stream(DeliveryStreamName=DELIVERY)
    found = described["DeliveryStreamDescription"]
    now = found["Destinations"][0]["ExtendedS3DestinationDescription"]
    same_source = matches_desired({"Source": {"KinesisStreamSourceDescription": source}}, found)
    if not (
        same_source
        and matches_desired({"DynamicPartitioningConfiguration": {"Enabled": True}}, now)
    ):
        raise SetupError(
            f"{WHAT} reads another stream or files rows differently, which cannot be changed: run "
            f"aws pipes stop-pipe --name {names.PIPE}, wait two minutes, run aws firehose "
            f"delete-delivery-stream --delivery-stream-name {DELIVERY}, then python setup"
        )
    if not matches_desired(wanted, now):
        firehose.update_destination(
            DeliveryStreamName=DELIVERY,
            CurrentDeliveryStreamVersionId=found["VersionId"],
            DestinationId=found["Destinations"][0]["DestinationId"],
            ExtendedS3DestinationUpdate=wanted,
        )


if __name__ == "__main__":
    run(create, __doc__)
