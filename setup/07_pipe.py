"""Create the pipe from the table's stream to Kinesis, stopped, its dead-letter queue and log."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.lib.cli import run_script
from setup.lib.comparison import matches_desired
from setup.lib.dead_letter_queue import put_queue
from setup.lib.log_groups import ensure_log_group
from setup.lib.resources import pipe_state, require, require_role, require_stream
from setup.lib.tags import ensure_tags
from setup.lib.waiters import (
    SetupError,
    delete_if_creation_failed,
    retry_until_accepted,
    wait_until,
)
from setup.names import (
    PIPE,
    PIPE_LOGS,
    STREAM,
    TABLE,
    TABLE_IS_ADOPTED,
    TAGS,
    arn,
)
from transform.state import stream_rank

if TYPE_CHECKING:
    from types_boto3_pipes.client import EventBridgePipesClient

LABEL = f"pipe {PIPE}"
MAX_READERS = 2  # Of a shard of a table's stream, at the same time.
# The parts of a pipe's parameters are shared by its creation, update and description, for each of
# which the stubs have a type of its own.
Params = dict[str, Any]
START: Params = {"StartingPosition": "TRIM_HORIZON"}  # Reads orders older than the pipe too.
READING: Params = {
    "BatchSize": 500,  # Kinesis accepts no more records in one call.
    "MaximumBatchingWindowInSeconds": 1,
    # A missing permission on Kinesis counts as a failed try of every change, too large a change as
    # one of its shard. With pauses of a minute, which AWS does not document, the retries last for a
    # working day; then the change becomes a dead letter. They end well before the record age, or
    # the changes behind a poison record would grow too old with it.
    "MaximumRetryAttempts": 480,
    # A dead letter points into the stream, which keeps a change for 24 h: half a day to replay it.
    "MaximumRecordAgeInSeconds": 12 * 3600,
    "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
}
# Every event has an id, whatever the table's key is; the rows hold the order of changes.
TARGET: Params = {"KinesisStreamParameters": {"PartitionKey": "$.eventID"}}
# Clear any filter, enrichment or template: they would drop or alter changes.
UNFILTERED: Params = {"FilterCriteria": {"Filters": []}}
UNALTERED: Params = {"Enrichment": "", "TargetParameters": {**TARGET, "InputTemplate": ""}}


def create() -> str:
    """Create or update the queue and the pipe, and return a line with the pipe's state."""
    pipes = boto3.client("pipes")
    source = require_table_stream()
    role = require_role("pipe")
    target = require_stream()
    ensure_log_group(PIPE_LOGS)
    settings = {"RoleArn": role, "Target": target, "LogConfiguration": error_log()}
    reading = {**READING, "DeadLetterConfig": {"Arn": put_queue()}}
    retry_until_accepted(lambda: create_stopped_pipe(pipes, source, settings, reading))
    pipe = pipes.describe_pipe(Name=PIPE)
    if pipe["Source"] != source:
        raise SetupError(other_stream_message(pipe["Source"], source))
    desired: Params = {
        "Name": PIPE,
        **settings,
        **UNALTERED,
        "SourceParameters": {**UNFILTERED, "DynamoDBStreamParameters": reading},
    }
    if pipe["CurrentState"] == "UPDATE_FAILED" or not matches_desired(desired, pipe):
        pipes.update_pipe(**desired)
    # A pipe that failed to start or stop is left to 08_start_pipe.
    targets = ("STOPPED", "RUNNING", "START_FAILED", "STOP_FAILED")
    state = wait_until(LABEL, pipe_state, *targets)
    ensure_tags("pipes", pipe["Arn"])
    line = f"{LABEL} from {TABLE} to {STREAM} is {state}"
    readers = find_other_readers(pipes, source) if TABLE_IS_ADOPTED else []
    return f"{line}; {readers_note(readers)}" if len(readers) >= MAX_READERS else line


def find_other_readers(pipes: EventBridgePipesClient, source: str) -> list[str]:
    """Return the functions and the other pipes that read the table's stream."""
    mappings = boto3.client("lambda").get_paginator("list_event_source_mappings")
    functions = [
        f"function {mapping['FunctionArn'].partition(':function:')[2]}"
        for page in mappings.paginate(EventSourceArn=source)
        for mapping in page["EventSourceMappings"]
    ]
    other_pipes = [
        f"pipe {pipe['Name']}"
        for page in pipes.get_paginator("list_pipes").paginate(SourcePrefix=source)
        for pipe in page["Pipes"]
        if pipe["Name"] != PIPE
    ]
    return [*functions, *other_pipes]


def readers_note(readers: Sequence[str]) -> str:
    """Return the warning that a stream has too many readers."""
    return (
        f"the stream is also read by {' and '.join(readers)}, and AWS throttles the readers of a "
        f"stream beyond {MAX_READERS}: remove one"
    )


def require_table_stream() -> str:
    """Return the ARN of the table's stream."""
    describe = boto3.client("dynamodb").describe_table
    table = require(f"table {TABLE}", "01_dynamodb", describe, TableName=TABLE)["Table"]
    if not table.get("StreamSpecification", {}).get("StreamEnabled"):
        raise SetupError(f"table {TABLE} has no stream: run python setup/01_dynamodb.py")
    return str(table["LatestStreamArn"])


def other_stream_message(current: str, source: str) -> str:
    """Return why the pipe cannot read the stream `source`, and how to replace the pipe."""
    reason = f"{LABEL} reads {current}, but the table's stream is {source}"
    if stream_rank(source) < stream_rank(current):
        return (
            f"{reason}, which was created earlier, so the lake would rank its changes below those "
            f"of the other stream: disable and enable the stream of table {TABLE}, then run "
            "python setup/07_pipe.py again"
        )
    return (
        f"{reason}, and a pipe's source cannot be changed: run aws pipes delete-pipe "
        f"--name {PIPE}, python setup/07_pipe.py, python setup/08_start_pipe.py, "
        "python -m operations.backfill and python -m operations.verify --repair; rows of the "
        "older stream stay in the lake and rank below"
    )


def error_log() -> Params:
    """Return the configuration by which the pipe logs why it failed, without the changes."""
    group = arn("logs", f"log-group:{PIPE_LOGS}")
    return {"Level": "ERROR", "CloudwatchLogsLogDestination": {"LogGroupArn": group}}


def create_stopped_pipe(
    pipes: EventBridgePipesClient, source: str, settings: Params, reading: Params
) -> None:
    """Create the pipe, stopped, if it is missing, and return once its state is stable."""
    state = delete_if_creation_failed(LABEL, pipe_state, lambda: pipes.delete_pipe(Name=PIPE))
    if state == "missing":
        source_parameters: Any = {"DynamoDBStreamParameters": {**reading, **START}}
        target_parameters: Any = TARGET
        pipes.create_pipe(
            Name=PIPE,
            **settings,
            Source=source,
            SourceParameters=source_parameters,
            TargetParameters=target_parameters,
            DesiredState="STOPPED",
            Tags=TAGS,
        )
        wait_until(LABEL, pipe_state, "STOPPED")


if __name__ == "__main__":
    run_script(create, __doc__)
