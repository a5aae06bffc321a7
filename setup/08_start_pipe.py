"""Start the pipe, now that everything behind it is ready: from here on changes flow."""

import boto3
from finding import existing
from names import DELIVERY, PIPE
from pipe import state
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
    firehose = boto3.client("firehose")
    found = existing(firehose.describe_delivery_stream, DeliveryStreamName=DELIVERY)
    status = found["DeliveryStreamDescription"]["DeliveryStreamStatus"] if found else "missing"
    if status != "ACTIVE":
        raise Refusal(f"Firehose stream {DELIVERY} is {status}: run python setup/06_firehose.py")


if __name__ == "__main__":
    run(create, __doc__)
