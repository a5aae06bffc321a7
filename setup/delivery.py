"""What Firehose does between Kinesis and the lake, in AWS's words."""

from typing import Any

from names import (
    DELIVERY_LOGS,
    DELIVERY_LOG_STREAM,
    ERRORS,
    FLUSH_SECONDS,
    FUNCTION,
    LAKE,
    STREAM,
    Place,
)


def source(place: Place) -> dict[str, Any]:
    """Return where Firehose reads, which can never be changed."""
    stream = place.arn("kinesis", f"stream/{STREAM}")
    return {"KinesisStreamARN": stream, "RoleARN": place.role("firehose")}


def destination(place: Place) -> dict[str, Any]:
    """Return where Firehose writes and how; dynamic partitioning can never be switched later."""
    return {
        "RoleARN": place.role("firehose"),
        "BucketARN": place.in_bucket(),
        "Prefix": f"{LAKE}dt=!{{partitionKeyFromLambda:dt}}/",
        "ErrorOutputPrefix": f"{ERRORS}!{{firehose:error-output-type}}/!{{timestamp:yyyy-MM-dd}}/",
        "CompressionFormat": "GZIP",
        # With dynamic partitioning AWS takes nothing smaller.
        "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": FLUSH_SECONDS},
        "DynamicPartitioningConfiguration": {
            "Enabled": True,
            "RetryOptions": {"DurationInSeconds": 300},
        },
        "ProcessingConfiguration": {
            "Enabled": True,  # Left out it counts as False: raw changes would reach the lake.
            "Processors": [{"Type": "Lambda", "Parameters": parameters(place)}],
        },
        "CloudWatchLoggingOptions": {
            "Enabled": True,
            "LogGroupName": DELIVERY_LOGS,
            "LogStreamName": DELIVERY_LOG_STREAM,
        },
    }


def parameters(place: Place) -> list[dict[str, str]]:
    """Return how Firehose calls the function: its answer must stay under 6 MB."""
    told = {
        "LambdaArn": place.arn("lambda", f"function:{FUNCTION}:$LATEST"),
        "BufferSizeInMBs": "1",
        "BufferIntervalInSeconds": "10",  # AWS takes 0 to 900; the rows wait once more for S3.
        "NumberOfRetries": "3",
    }
    return [{"ParameterName": name, "ParameterValue": value} for name, value in told.items()]
