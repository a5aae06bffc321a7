"""Start the pipe, now that everything behind it is ready: from here on changes flow."""

import boto3
from finding import delivery_state, pipe_state
from names import DELIVERY, PIPE
from script import run
from waiting import Refusal, settled, wait_until


def create() -> str:
    """Start the pipe unless it runs, and say so once it does."""
    pipes = boto3.client("pipes")
    # What Kinesis had before Firehose reads is never delivered.
    if (now := delivery_state()) != "ACTIVE":
        raise Refusal(f"Firehose stream {DELIVERY} is {now}: run python setup/06_firehose.py")
    now = settled(f"pipe {PIPE}", pipe_state)
    if now == "missing" or now.startswith("CREATE_FAILED"):
        raise Refusal(f"pipe {PIPE} is {now}: run python setup/07_pipe.py")
    if now != "RUNNING":
        pipes.start_pipe(Name=PIPE)
    wait_until(f"pipe {PIPE}", pipe_state, "RUNNING")
    return f"pipe {PIPE} is running"


if __name__ == "__main__":
    run(create, __doc__)
