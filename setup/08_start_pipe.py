"""Start the pipe, now that everything behind it is ready: from here on changes flow."""

import sys
from pathlib import Path

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import run
from setup.lib.resources import delivery_state, pipe_state
from setup.lib.waiters import SetupError, wait_until, wait_until_stable
from setup.names import DELIVERY, PIPE


def create() -> str:
    """Start the pipe unless it runs, and say so once it does."""
    pipes = boto3.client("pipes")
    # What Kinesis had before Firehose reads is never delivered.
    if (now := delivery_state()) != "ACTIVE":
        raise SetupError(f"Firehose stream {DELIVERY} is {now}: run python setup/06_firehose.py")
    now = wait_until_stable(f"pipe {PIPE}", pipe_state)
    if now == "missing" or now.startswith("CREATE_FAILED"):
        raise SetupError(f"pipe {PIPE} is {now}: run python setup/07_pipe.py")
    if now != "RUNNING":
        pipes.start_pipe(Name=PIPE)
    wait_until(f"pipe {PIPE}", pipe_state, "RUNNING")
    return f"pipe {PIPE} is running"


if __name__ == "__main__":
    run(create, __doc__)
