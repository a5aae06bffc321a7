"""In-flight changes: how long a change may take from the table to the lake."""

from __future__ import annotations

import sys
from time import sleep

import boto3
from botocore.exceptions import ClientError

from operations import firehose
from setup.names import PIPE


def max_delay_seconds() -> float:
    """Return the longest time between a change and its row, by the configuration as it is now.

    The pipe waits for a batch, Firehose for the function's batch and then for the object's.
    """
    return _pipe_window_seconds() + firehose.max_delay_seconds()


def wait(reason: str, seconds: float | None = None) -> None:
    """Say why on stderr, and wait until the changes that are in flight now are in the lake.

    `seconds` overrides how long that takes.
    """
    if seconds is None:
        seconds = max_delay_seconds()
    if seconds:
        note = f"{reason}; waiting {seconds:g} s for in-flight changes"
        print(note, file=sys.stderr, flush=True)
        sleep(seconds)


def _pipe_window_seconds() -> int:
    """Return how long the pipe gathers changes; nothing is in flight in a pipe that is missing."""
    try:
        pipe = boto3.client("pipes").describe_pipe(Name=PIPE)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotFoundException":
            raise
        return 0
    source = pipe["SourceParameters"].get("DynamoDBStreamParameters", {})
    return source.get("MaximumBatchingWindowInSeconds", 0)
