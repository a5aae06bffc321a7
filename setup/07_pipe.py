"""Create the pipe from the table's stream to Kinesis, stopped, and the queue of dead letters."""

from typing import Any

import boto3
from finding import (
    agrees,
    existing,
    needed_changes,
    needed_role,
    needed_stream,
)
from finding import pipe_state as state
from names import DEAD_LETTERS, PIPE, STREAM, TABLE, TAGS, arn
from script import run
from waiting import Refusal, accepted, wait_until

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


def create() -> str:
    """Create the queue and the pipe, or change what differs, and tell the state of the pipe."""
    pipes = boto3.client("pipes")
    source, target, role = needed_changes(), needed_stream(), needed_role("pipe")
    reading = READING | {"DeadLetterConfig": {"Arn": put_queue()}}
    common = {"Name": PIPE, "Target": target, "RoleArn": role, "TargetParameters": TARGET}
    if (now := state(pipes)) == "missing" or now.startswith("CREATE_FAILED"):
        new = common | {"Source": source, "DesiredState": "STOPPED", "Tags": TAGS}
        new["SourceParameters"] = {"DynamoDBStreamParameters": reading | START}
        accepted(lambda: create_pipe(pipes, new))
    else:
        update_pipe(pipes, source, common, reading)
    return f"pipe {PIPE} from {TABLE} to {STREAM} is {state(pipes)}"


def put_queue() -> str:
    """Create the queue of dead letters or give it its attributes, and return its ARN."""
    sqs = boto3.client("sqs")
    if found := existing(sqs.get_queue_url, QueueName=DEAD_LETTERS):
        url = {"QueueUrl": found["QueueUrl"]}
        if not agrees(QUEUE, sqs.get_queue_attributes(**url, AttributeNames=["All"])["Attributes"]):
            sqs.set_queue_attributes(**url, Attributes=QUEUE)
    else:
        accepted(lambda: sqs.create_queue(QueueName=DEAD_LETTERS, Attributes=QUEUE, tags=TAGS))
    return arn("sqs", DEAD_LETTERS)


def create_pipe(pipes: Any, new: dict[str, Any]) -> None:
    """Create the pipe; one that AWS could not make keeps its name until it is deleted."""
    if state(pipes) != "missing":
        pipes.delete_pipe(Name=PIPE)
        wait_until(f"removal of the failed pipe {PIPE}", lambda: state(pipes), "missing")
    pipes.create_pipe(**new)
    wait_until(f"pipe {PIPE}", lambda: state(pipes), "STOPPED")


def update_pipe(pipes: Any, source: str, common: dict[str, Any], reading: dict[str, Any]) -> None:
    """Change what may be changed; refuse where only a new pipe would do."""
    settled = wait_until(f"pipe {PIPE}", lambda: state(pipes), "STOPPED", "RUNNING")
    found = pipes.describe_pipe(Name=PIPE)
    if found["Source"] != source:
        raise Refusal(
            f"pipe {PIPE} reads {found['Source']}, but the table's stream is {source}: a pipe's "
            f"source cannot be changed: run aws pipes delete-pipe --name {PIPE}, "
            f"python setup/07_pipe.py and python setup/08_start_pipe.py"
        )
    wanted = common | {"SourceParameters": {"DynamoDBStreamParameters": reading}}
    if not agrees(wanted, found):
        pipes.update_pipe(**wanted)
        wait_until(f"pipe {PIPE}", lambda: state(pipes), settled)


if __name__ == "__main__":
    run(create, __doc__)
