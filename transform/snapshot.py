"""Snapshots: the records that backfill and repair put into Kinesis, like the pipe's own.

A SNAPSHOT record has the shape of a stream record:

    {"eventName": "SNAPSHOT",
     "eventSourceARN": the stream in whose order it ranks,
     "snapshotAt": when its item was read, as "2026-11-23 10:15:30.123456", UTC,
     "dynamodb": {"Keys": …, "SequenceNumber": …, "NewImage": … if the item existed}}

It has no `eventID`: its row has a hash of its content, so that sending it twice makes one change.
"""

import json
from binascii import b2a_base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from transform.state import BACKFILL_SEQUENCE, Row, stream_rank
from transform.timestamps import format_utc

Typed = Mapping[str, Any]


def backfill_record(keys: Typed, image: Typed | None, source: str, read_at: datetime) -> bytes:
    """Return the record of an item from before the stream; it ranks below all of its changes.

    Keys and image are typed as in DynamoDB's API, and `read_at` is timezone-aware; the same holds
    for `repair_record`.
    """
    return _record(keys, image, source, BACKFILL_SEQUENCE, read_at)


def repair_record(
    keys: Typed, image: Typed | None, latest: Row | None, stream: str, read_at: datetime
) -> bytes:
    """Return the record that repairs a key: it ranks above the latest row, below any later change.

    `stream` is the ARN of the table's current stream; `latest` must not belong to a newer one. Read
    the latest row first, and then the item with a consistent read; None means that it is missing.
    """
    if latest is None or stream_rank(latest.source) < stream_rank(stream):
        return backfill_record(keys, image, stream, read_at)
    if latest.snapshot_at is not None:
        # Clocks differ between machines, but a later repair must rank above an earlier one.
        earlier = datetime.fromisoformat(f"{latest.snapshot_at}+00:00")
        read_at = max(read_at, earlier + timedelta(microseconds=1))
    return _record(keys, image, latest.source, latest.sequence, read_at)


def _record(
    keys: Typed, image: Typed | None, source: str, sequence: str, read_at: datetime
) -> bytes:
    new_image = {} if image is None else {"NewImage": image}
    record = {
        "eventName": "SNAPSHOT",
        "eventSourceARN": source,
        "snapshotAt": format_utc(read_at),
        "dynamodb": {"Keys": keys, "SequenceNumber": sequence, **new_image},
    }
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_base64)
    return text.encode("utf-8", "backslashreplace")  # Escapes lone surrogates.


def _base64(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()
