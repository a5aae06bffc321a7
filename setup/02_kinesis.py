"""Create the Kinesis data stream that carries the changes: on-demand and encrypted."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup import names
from setup.lib.cli import run_script
from setup.lib.comparison import matches_desired
from setup.lib.resources import has_lake_rows, is_supported, stream_state, unsupported_note
from setup.lib.tags import ensure_tags
from setup.lib.waiters import wait_until, wait_until_stable
from setup.names import STREAM, TAG_LIST, TAGS

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient
    from types_boto3_kinesis.type_defs import (
        StreamDescriptionSummaryTypeDef,
        StreamModeDetailsTypeDef,
    )

ON_DEMAND: StreamModeDetailsTypeDef = {"StreamMode": "ON_DEMAND"}
CREATED_AGAIN = (
    "it was created again, and what Firehose had not read before is missing: after the other "
    "scripts run python -m operations.verify --gaps, then python -m operations.verify --repair"
)


def create() -> str:
    """Create the stream if it is missing, encrypt it, and return its line once it is active."""
    kinesis = boto3.client("kinesis")
    is_new = wait_until_stable(f"stream {STREAM}", stream_state) == "missing"
    if is_new:
        kinesis.create_stream(StreamName=STREAM, StreamModeDetails=ON_DEMAND, Tags=TAGS)
    stream = active_stream(kinesis)
    unsupported = configure(kinesis, stream)
    line = f"stream {STREAM} is active{unsupported_note(unsupported) or ' and encrypted'}"
    return f"{line}; {CREATED_AGAIN}" if is_new and has_lake_rows() else line


def configure(kinesis: KinesisClient, stream: StreamDescriptionSummaryTypeDef) -> list[str]:
    """Tag and encrypt the stream, and return what its server does not support."""
    tags = kinesis.list_tags_for_stream(StreamName=STREAM)["Tags"]
    if not matches_desired(TAG_LIST[:1], tags):
        kinesis.add_tags_to_stream(StreamName=STREAM, Tags=TAGS)
    ensure_tags("kinesis", STREAM)
    if not matches_desired(ON_DEMAND, stream.get("StreamModeDetails", ON_DEMAND)):
        kinesis.update_stream_mode(StreamARN=stream["StreamARN"], StreamModeDetails=ON_DEMAND)
        active_stream(kinesis)
    encryption = stream.get("EncryptionType")
    desired = {"EncryptionType": "KMS"} | ({"KeyId": names.KMS_KEY} if names.KMS_KEY else {})
    if matches_desired(desired, stream):
        return []
    encrypt = partial(
        kinesis.start_stream_encryption,
        StreamName=STREAM,
        EncryptionType="KMS",
        KeyId=names.KMS_KEY or "alias/aws/kinesis",
    )
    if encryption is None or not is_supported(encrypt):  # AWS always reports it.
        return ["encryption"]
    active_stream(kinesis)
    return []


def active_stream(kinesis: KinesisClient) -> StreamDescriptionSummaryTypeDef:
    """Return the stream's description once it is active; only then does AWS accept a change."""
    wait_until(f"stream {STREAM}", stream_state, "ACTIVE")
    return kinesis.describe_stream_summary(StreamName=STREAM)["StreamDescriptionSummary"]


if __name__ == "__main__":
    run_script(create, __doc__)
