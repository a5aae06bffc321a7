"""Scope of a backfill: the table that it reads and the resources that its items pass.

A resource made again under the same name is another one: what Kinesis acknowledged before is not
in the new lake.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC

import boto3

from operations import firehose
from operations.table import Table
from setup.lib.lake_identity import ensure_lake_id, find_lake_id
from setup.names import PIPELINE, STREAM, bucket


@dataclass(frozen=True, slots=True)
class Scope:
    """Source and destination of a backfill, each with what distinguishes it from its successor."""

    table: str
    table_stream: str
    pipeline: str
    lake: str
    kinesis_stream: str
    firehose_stream: str

    def differences(self, other: Scope) -> list[str]:
        """Return a text for each resource that differs in another scope."""
        return list(self._differences(other))

    def _differences(self, other: Scope) -> Iterator[str]:
        for field in fields(self):
            ours = getattr(self, field.name)
            theirs = getattr(other, field.name)
            if ours != theirs:
                label = field.name.replace("_", " ")
                yield f"its {label} is {ours}, but this one's is {theirs}"


def describe_scope(table: Table, *, is_dry_run: bool) -> Scope:
    """Return the scope of a backfill now; unless it is a dry run, the lake gets its id."""
    lake_id = find_lake_id() if is_dry_run else ensure_lake_id()
    return Scope(
        table=table.arn,
        table_stream=table.require_stream(),
        pipeline=PIPELINE,
        lake=f"s3://{bucket()} with id {lake_id}",
        kinesis_stream=_describe_kinesis_stream(),
        firehose_stream=firehose.describe_creation(),
    )


def _describe_kinesis_stream() -> str:
    response = boto3.client("kinesis").describe_stream_summary(StreamName=STREAM)
    stream = response["StreamDescriptionSummary"]
    created_at = stream["StreamCreationTimestamp"].astimezone(UTC).isoformat()
    return f"{stream['StreamARN']}, created at {created_at}"
