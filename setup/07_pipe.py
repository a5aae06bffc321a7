"""Create the pipe from the table's stream to Kinesis, stopped, and the queue of dead letters."""

import sys
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import run
from setup.lib.resources import (
    describe_or_none,
    matches_desired,
    pipe_state,
    require,
    require_role,
    require_stream,
)
from setup.lib.waiters import (
    SetupError,
    delete_if_creation_failed,
    retry_until_accepted,
    wait_until,
)
from setup.names import DEAD_LETTERS, PIPE, STREAM, TABLE, TAGS, arn

QUEUE = {"MessageRetentionPeriod": "1209600", "SqsManagedSseEnabled": "true"}  # 14 days
START = {"StartingPosition": "TRIM_HORIZON"}  # Orders written before the pipe are read too.
READING = {
    "BatchSize": 500,  # Kinesis takes no more in one call.
    "MaximumBatchingWindowInSeconds": 1,
    # With pauses that grow to a minute these outlast an hour of throttling. They end well before
    # the record age, or what waits behind a poisoned record would grow too old with it.
    "MaximumRetryAttempts": 120,
    "MaximumRecordAgeInSeconds": 6 * 3600,  # A dead letter points into the stream: 24 h are left.
    "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
}
# Every event has an id, whatever the table's key is; the order of changes is in the rows.
TARGET = {"KinesisStreamParameters": {"PartitionKey": "$.eventID"}}
# A filter would leave changes out, an enrichment or a template alter them: emptied, they are gone.
UNFILTERED = {"FilterCriteria": {"Filters": []}}
UNALTERED = {"Enrichment": "", "TargetParameters": TARGET | {"InputTemplate": ""}}


def create() -> str:
    """Create the queue and the pipe, or change what differs, and tell the state of the pipe."""
    pipes, source = boto3.client("pipes"), changes()
    common = {"Name": PIPE, "RoleArn": require_role("pipe"), "Target": require_stream()}
    common["TargetParameters"] = TARGET
    reading = READING | {"DeadLetterConfig": {"Arn": put_queue()}}
    retry_until_accepted(lambda: attempt(pipes, source, common, reading))
    found = pipes.describe_pipe(Name=PIPE)
    if found["Source"] != source:
        raise SetupError(
            f"pipe {PIPE} reads {found['Source']}, but the table's stream is {source}: a pipe's "
            f"source cannot be changed: run aws pipes delete-pipe --name {PIPE}, "
            f"python setup/07_pipe.py and python setup/08_start_pipe.py"
        )
    wanted = common | UNALTERED
    wanted["SourceParameters"] = UNFILTERED | {"DynamoDBStreamParameters": reading}
    if found["CurrentState"] == "UPDATE_FAILED" or not matches_desired(wanted, found):
        pipes.update_pipe(**wanted)
    # One that could not be started or stopped is 08_start_pipe's business.
    ends = ("STOPPED", "RUNNING", "START_FAILED", "STOP_FAILED")
    state = wait_until(f"pipe {PIPE}", pipe_state, *ends)
    return f"pipe {PIPE} from {TABLE} to {STREAM} is {state}"


def changes() -> str:
    """Return the ARN of the table's own stream of changes."""
    describe = boto3.client("dynamodb").describe_table
    table = require(f"table {TABLE}", "01_dynamodb", describe, TableName=TABLE)["Table"]
    if not table.get("StreamSpecification", {}).get("StreamEnabled"):
        raise SetupError(f"table {TABLE} has no stream: run python setup/01_dynamodb.py")
    return table["LatestStreamArn"]


def put_queue() -> str:
    """Create the queue of dead letters or give it its attributes, and return its ARN."""
    sqs, found = boto3.client("sqs"), None
    if url := describe_or_none(sqs.get_queue_url, QueueName=DEAD_LETTERS):
        which = {"QueueUrl": url["QueueUrl"]}
        # For a minute AWS may still tell the address of a queue that is gone.
        found = describe_or_none(sqs.get_queue_attributes, **which, AttributeNames=["All"])
    if found is None:
        retry_until_accepted(
            lambda: sqs.create_queue(QueueName=DEAD_LETTERS, Attributes=QUEUE, tags=TAGS)
        )
    elif not matches_desired(QUEUE, found["Attributes"]):
        sqs.set_queue_attributes(**which, Attributes=QUEUE)
    return arn("sqs", DEAD_LETTERS)


def attempt(pipes: Any, source: str, common: dict[str, Any], reading: dict[str, Any]) -> None:
    """Create the pipe unless it is there, and return once AWS is not busy with it."""
    delete = pipes.delete_pipe
    if (
        delete_if_creation_failed(f"pipe {PIPE}", pipe_state, lambda: delete(Name=PIPE))
        == "missing"
    ):
        pipes.create_pipe(
            **common,
            Source=source,
            SourceParameters={"DynamoDBStreamParameters": reading | START},
            DesiredState="STOPPED",
            Tags=TAGS,
        )
        wait_until(f"pipe {PIPE}", pipe_state, "STOPPED")


if __name__ == "__main__":
    run(create, __doc__)
