"""Start the pipe, once everything behind it is ready: from then on changes flow."""

import sys
from pathlib import Path

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.lib.cli import run_script
from setup.lib.resources import delivery_state, has_lake_rows, is_stream_enabled, pipe_state
from setup.lib.waiters import SetupError, wait_until, wait_until_stable
from setup.names import DELIVERY, PIPE

# The table's stream keeps a change for 24 hours.
STARTED_AGAIN = (
    "if it did not run for more than 24 hours, changes are missing: run "
    "python -m operations.verify --gaps, then python -m operations.verify --repair"
)


def create() -> str:
    """Start the pipe if it is not running, and return its line once it is."""
    # Firehose never delivers what Kinesis received before Firehose began to read.
    firehose = delivery_state()
    if firehose != "ACTIVE":
        raise SetupError(
            f"Firehose stream {DELIVERY} is {firehose}: run python setup/06_firehose.py"
        )
    pipe = wait_until_stable(f"pipe {PIPE}", pipe_state)
    if pipe == "missing" or pipe.startswith("CREATE_FAILED"):
        raise SetupError(f"pipe {PIPE} is {pipe}: run python setup/07_pipe.py")
    pipes = boto3.client("pipes")
    source = pipes.describe_pipe(Name=PIPE)["Source"]
    if not is_stream_enabled(source):  # AWS goes on to report the pipe as RUNNING.
        raise SetupError(
            f"pipe {PIPE} reads {source}, which is disabled or deleted: run "
            f"python setup/01_dynamodb.py, then python setup/07_pipe.py"
        )
    is_running = pipe == "RUNNING"
    if not is_running:
        pipes.start_pipe(Name=PIPE)
    wait_until(f"pipe {PIPE}", pipe_state, "RUNNING")
    line = f"pipe {PIPE} is running"
    return line if is_running or not has_lake_rows() else f"{line}; {STARTED_AGAIN}"


if __name__ == "__main__":
    run_script(create, __doc__)
