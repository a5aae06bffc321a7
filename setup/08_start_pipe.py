"""Start the pipe, now that everything behind it is ready: from here on changes flow."""

import boto3
from finding import delivery_state
from finding import pipe_state as state
from names import DELIVERY, PIPE
from script import run
from waiting import Refusal, wait_until


def create() -> str:
    """Start the pipe unless it runs, and say so once it does."""
    check_delivery()
    pipes = boto3.client("pipes")
    now = state(pipes)
    if now == "missing" or now.startswith("CREATE_FAILED"):
        raise Refusal(f"pipe {PIPE} is {now}: run python setup/07_pipe.py")
    if now in ("CREATING", "UPDATING", "STOPPING"):
        now = wait_until(f"pipe {PIPE}", lambda: state(pipes), "STOPPED", "RUNNING")
    if now not in ("RUNNING", "STARTING"):
        pipes.start_pipe(Name=PIPE)
    wait_until(f"pipe {PIPE}", lambda: state(pipes), "RUNNING")
    return f"pipe {PIPE} is running"


def check_delivery() -> None:
    """Refuse before Firehose reads: what Kinesis had until then is never delivered."""
    status = delivery_state(boto3.client("firehose"))
    if status != "ACTIVE":
        raise Refusal(f"Firehose stream {DELIVERY} is {status}: run python setup/06_firehose.py")


if __name__ == "__main__":
    run(create, __doc__)
