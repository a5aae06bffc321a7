"""The records that backfill and repair put into Kinesis, so that one road leads into the lake.

A SNAPSHOT record has the shape of a stream's record:

    {"eventName": "SNAPSHOT",
     "eventSourceARN": the stream whose order it joins,
     "snapshotAt": when its item was read, as "2026-11-23 10:15:30.123456", UTC,
     "dynamodb": {"Keys": …, "SequenceNumber": …, "NewImage": … where there was an item}}

It has no `eventID`: its row's is a hash of all that it tells, so that sent twice it is one change.
"""

import json
from binascii import b2a_base64
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from transform.state import Row
from transform.timestamps import utc_moment

BACKFILL_SEQUENCE = "0" * 40
Typed = Mapping[str, Any]


def backfill_record(keys: Typed, image: Typed | None, source: str, read_at: datetime) -> bytes:
    """Return the record of an item unknown to a stream: it ranks below every change of that stream.

    The images are typed as DynamoDB's API has them, `read_at` is aware; so in `repair_record`.
    """
    return _record(keys, image, source, BACKFILL_SEQUENCE, read_at)


def repair_record(keys: Typed, image: Typed | None, latest: Row, read_at: datetime) -> bytes:
    """Return the record that mends a key: it ranks above its latest row, below every later change.

    Read that row first and the item, consistently, after it; None tells that there is no item.
    """
    if latest.snapshot_at is not None:
        # Clocks differ between computers: a later repair ranks above an earlier one all the same.
        earlier = datetime.fromisoformat(f"{latest.snapshot_at}+00:00")
        read_at = max(read_at, earlier + timedelta(microseconds=1))
    return _record(keys, image, latest.source, latest.sequence, read_at)


def _record(
    keys: Typed, image: Typed | None, source: str, sequence: str, read_at: datetime
) -> bytes:
    absent = {} if image is None else {"NewImage": image}
    record = {
        "eventName": "SNAPSHOT",
        "eventSourceARN": source,
        "snapshotAt": utc_moment(read_at),
        "dynamodb": {"Keys": keys, "SequenceNumber": sequence, **absent},
    }
    text = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=_base64)
    return text.encode("utf-8", "backslashreplace")  # A surrogate that stands alone is escaped.


def _base64(raw: bytes) -> str:
    return b2a_base64(raw, newline=False).decode()
