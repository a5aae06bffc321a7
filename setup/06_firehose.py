"""Create the Firehose stream that reads changes from Kinesis and writes rows to the lake by day."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup import names
from setup.lib.cli import run_script
from setup.lib.comparison import matches_desired
from setup.lib.log_groups import ensure_log_group, ensure_log_stream
from setup.lib.resources import (
    delivery_state,
    has_lake_rows,
    require,
    require_bucket,
    require_role,
    require_stream,
)
from setup.lib.tags import ensure_tags
from setup.lib.waiters import (
    SetupError,
    delete_if_creation_failed,
    retry_until_accepted,
    wait_until,
)
from setup.names import DELIVERY, FUNCTION

if TYPE_CHECKING:
    from types_boto3_firehose.client import FirehoseClient
    from types_boto3_firehose.type_defs import (
        ExtendedS3DestinationConfigurationTypeDef,
        KinesisStreamSourceConfigurationTypeDef,
        ProcessorTypeDef,
    )

LABEL = f"Firehose stream {DELIVERY}"
# Firehose begins to read at the end of the Kinesis stream.
CREATED_AGAIN = (
    "it was created again, and what Kinesis received before may be missing: run "
    "python -m operations.replay --from-kinesis 24h, then python -m operations.verify --gaps"
)


def create() -> str:
    """Create or update the Firehose stream, and return its line once it is active."""
    firehose = boto3.client("firehose")
    source: KinesisStreamSourceConfigurationTypeDef = {
        "KinesisStreamARN": require_stream(),
        "RoleARN": require_role("firehose"),
    }
    get_function = boto3.client("lambda").get_function
    require(f"function {FUNCTION}", "05_lambda", get_function, FunctionName=FUNCTION)
    desired = destination(source["RoleARN"], require_bucket())
    ensure_log_group(names.DELIVERY_LOGS)  # Firehose creates neither of the two.
    ensure_log_stream(names.DELIVERY_LOGS, names.DELIVERY_LOG_STREAM)
    is_new = delivery_state() == "missing"
    retry_until_accepted(lambda: create_active_stream(firehose, source, desired))
    update(firehose, source, desired)
    ensure_tags("firehose", DELIVERY)
    line = f"{LABEL} delivers to s3://{names.bucket()}/{names.LAKE}"
    return f"{line}; {CREATED_AGAIN}" if is_new and has_lake_rows() else line


def destination(role: str, bucket: str) -> ExtendedS3DestinationConfigurationTypeDef:
    """Return the configuration of the destination, for the ARNs of a role and a bucket."""
    return {
        "RoleARN": role,
        "BucketARN": bucket,
        "Prefix": f"{names.LAKE}dt=!{{partitionKeyFromLambda:dt}}/",
        "ErrorOutputPrefix": f"{names.ERRORS}!{{firehose:error-output-type}}/"
        "!{timestamp:yyyy-MM-dd}/",
        "CompressionFormat": "GZIP",
        # The smallest buffer that AWS accepts with dynamic partitioning.
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": names.FLUSH_SECONDS},
        "DynamicPartitioningConfiguration": {
            "Enabled": True,
            "RetryOptions": {"DurationInSeconds": 300},
        },
        "ProcessingConfiguration": {
            "Enabled": True,  # The default is False: raw changes would reach the lake.
            "Processors": [lambda_processor()],
        },
        "CloudWatchLoggingOptions": {
            "Enabled": True,
            "LogGroupName": names.DELIVERY_LOGS,
            "LogStreamName": names.DELIVERY_LOG_STREAM,
        },
    }


def lambda_processor() -> ProcessorTypeDef:
    """Return the configuration with which Firehose calls the function."""
    function = names.arn("lambda", f"function:{FUNCTION}:$LATEST")
    return {
        "Type": "Lambda",
        "Parameters": [
            {"ParameterName": "LambdaArn", "ParameterValue": function},
            # The function's response has to stay below 6 MB. In base64, a row of ordinary nested
            # maps has up to 7 times the bytes of its change, one of hostile maps up to 27 times.
            {"ParameterName": "BufferSizeInMBs", "ParameterValue": "0.2"},  # AWS's minimum.
            # AWS accepts 0 to 900; the rows are buffered once more for S3.
            {"ParameterName": "BufferIntervalInSeconds", "ParameterValue": "10"},
            {"ParameterName": "NumberOfRetries", "ParameterValue": "3"},
        ],
    }


def create_active_stream(
    firehose: FirehoseClient,
    source: KinesisStreamSourceConfigurationTypeDef,
    desired: ExtendedS3DestinationConfigurationTypeDef,
) -> None:
    """Create the Firehose stream if it is missing, and return once it is active."""
    state = delete_if_creation_failed(
        LABEL,
        delivery_state,
        lambda: firehose.delete_delivery_stream(DeliveryStreamName=DELIVERY),
    )
    if state == "missing":
        firehose.create_delivery_stream(
            DeliveryStreamName=DELIVERY,
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration=source,
            ExtendedS3DestinationConfiguration=desired,
            Tags=names.TAG_LIST,
        )
    wait_until(LABEL, delivery_state, "ACTIVE")


def update(
    firehose: FirehoseClient,
    source: KinesisStreamSourceConfigurationTypeDef,
    desired: ExtendedS3DestinationConfigurationTypeDef,
) -> None:
    """Update the destination; raise SetupError where only a new Firehose stream would do."""
    response = firehose.describe_delivery_stream(DeliveryStreamName=DELIVERY)
    stream = response["DeliveryStreamDescription"]
    [current] = stream["Destinations"]
    s3_destination = current["ExtendedS3DestinationDescription"]
    has_source = matches_desired({"Source": {"KinesisStreamSourceDescription": source}}, stream)
    is_partitioned = matches_desired(
        {"DynamicPartitioningConfiguration": {"Enabled": True}}, s3_destination
    )
    if not (has_source and is_partitioned):
        raise SetupError(
            f"{LABEL} reads another stream or is not partitioned, which cannot be changed: run "
            f"aws pipes stop-pipe --name {names.PIPE}, wait two minutes, run aws firehose "
            f"delete-delivery-stream --delivery-stream-name {DELIVERY}, then python setup"
        )
    if not matches_desired(desired, s3_destination):
        # The same members, for which the API has a second type.
        destination_update: Any = desired
        retry_until_accepted(
            lambda: firehose.update_destination(
                DeliveryStreamName=DELIVERY,
                CurrentDeliveryStreamVersionId=stream["VersionId"],
                DestinationId=current["DestinationId"],
                ExtendedS3DestinationUpdate=destination_update,
            )
        )


if __name__ == "__main__":
    run_script(create, __doc__)
