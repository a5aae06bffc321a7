"""Limits: at how many changes a second a part of the pipeline is full, and what happens then."""

from __future__ import annotations

from dataclasses import dataclass

from analytics.cost.load import ENVELOPE_BYTES, JSON_FACTOR, Load
from analytics.cost.monthly import (
    DEFAULTS,
    KINESIS_SHARDS,
    LAMBDA_BATCH_BYTES,
    POLLS_PER_SECOND,
    SECONDS_PER_CALL,
    SECONDS_PER_MIB,
    Settings,
)
from analytics.cost.prices import GIB, MIB

KINESIS_RECORDS = 1000  # A second, of each shard.
KINESIS_BYTES = MIB
PIPE_BATCH = 500
PIPE_BATCH_BYTES = 6 * MIB
LAMBDA_CALLS_PER_SHARD = 5  # At once.
MAX_CHANGE_BYTES = MIB
SCAN_LIMIT_BYTES = 100 * GIB  # Of a question, set by setup/11_athena.py.


@dataclass(frozen=True, slots=True)
class Limit:
    """The changes a second that a part can take, and what happens beyond."""

    part: str
    changes_per_second: float
    consequence: str


def limits(load: Load, settings: Settings = DEFAULTS) -> list[Limit]:
    """Return the limits on the rate of changes, the lowest first."""
    shards = settings.provisioned_shards or KINESIS_SHARDS
    kind = "provisioned" if settings.provisioned_shards else "new, on demand"
    per_shard = min(KINESIS_RECORDS, KINESIS_BYTES / load.change_bytes)
    kinesis = Limit(
        f"Kinesis ({kind}, {shards} shards)",
        shards * per_shard,
        "puts are throttled, and the pipe tries again; on demand, AWS adds shards by itself",
    )
    batch = min(PIPE_BATCH, PIPE_BATCH_BYTES / load.change_bytes)
    pipe = Limit(
        f"pipe ({settings.stream_shards} shards of the table's stream)",
        settings.stream_shards * POLLS_PER_SECOND * batch,
        "changes wait in the table's stream, for at most 24 hours",
    )
    call_seconds = SECONDS_PER_CALL + LAMBDA_BATCH_BYTES / MIB * SECONDS_PER_MIB
    bytes_per_second = KINESIS_SHARDS * LAMBDA_CALLS_PER_SHARD * LAMBDA_BATCH_BYTES / call_seconds
    function = Limit(
        f"function ({KINESIS_SHARDS * LAMBDA_CALLS_PER_SHARD} calls at once)",
        bytes_per_second / load.change_bytes,
        "records wait in Kinesis, for at most 24 hours",
    )
    return sorted([kinesis, pipe, function], key=lambda limit: limit.changes_per_second)


def max_item_bytes() -> float:
    """Return the size of an item whose average change no longer fits into Kinesis."""
    return (MAX_CHANGE_BYTES - ENVELOPE_BYTES) / JSON_FACTOR


def months_until_scan_limit(load: Load) -> float:
    """Return after how many months one question cannot read the whole lake any more."""
    return SCAN_LIMIT_BYTES / load.lake_bytes
