"""Create the Kinesis data stream that carries the changes: it grows by itself and is encrypted."""

import sys
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import run
from setup.lib.resources import stream_state
from setup.lib.waiters import wait_until, wait_until_stable
from setup.names import STREAM, TAG_LIST, TAGS

ON_DEMAND = {"StreamMode": "ON_DEMAND"}


def create() -> str:
    """Create the stream unless it is there, encrypt it, and say so once it is active."""
    kinesis = boto3.client("kinesis")
    if wait_until_stable(f"stream {STREAM}", stream_state) == "missing":
        kinesis.create_stream(StreamName=STREAM, StreamModeDetails=ON_DEMAND, Tags=TAGS)
    stream = active(kinesis)
    if TAG_LIST[0] not in kinesis.list_tags_for_stream(StreamName=STREAM)["Tags"]:
        kinesis.add_tags_to_stream(StreamName=STREAM, Tags=TAGS)
    if stream.get("StreamModeDetails", ON_DEMAND) != ON_DEMAND:
        kinesis.update_stream_mode(StreamARN=stream["StreamARN"], StreamModeDetails=ON_DEMAND)
        active(kinesis)
    if stream.get("EncryptionType") != "KMS":
        kinesis.start_stream_encryption(
            StreamName=STREAM, EncryptionType="KMS", KeyId="alias/aws/kinesis"
        )
        active(kinesis)
    return f"stream {STREAM} is active and encrypted"


def active(kinesis: Any) -> dict[str, Any]:
    """Return the stream's description once it is active; each change waits for the one before."""
    wait_until(f"stream {STREAM}", stream_state, "ACTIVE")
    return kinesis.describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]


if __name__ == "__main__":
    run(create, __doc__)
