"""Poison records: corruptions that every transform rejects, and a log of the corrupted records."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from local.nemesis.faults import CallContext, Fault

KEYS_FIELD = '"Keys":'


class Poison:
    """Corrupts records sent to Kinesis; `accepted` maps those that Kinesis stored to their keys."""

    def __init__(self) -> None:
        self.rate = 0.0
        self.accepted: dict[bytes, str] = {}

    def corrupt(self, call: CallContext) -> Fault:
        """Corrupt some records of a batch, and remember those that Kinesis accepts."""
        originals = call.params["Records"]
        corrupted = [index for index in range(len(originals)) if call.rng.random() < self.rate]
        if not corrupted:
            return
        records = [dict(record) for record in originals]
        for index in corrupted:
            corruption = call.rng.choice(CORRUPTIONS)
            records[index]["Data"] = corruption(originals[index]["Data"], call.rng)
        call.params["Records"] = records
        response = yield
        for index in corrupted:
            if "SequenceNumber" in response["Records"][index]:
                self.accepted[records[index]["Data"]] = record_key(originals[index]["Data"])


def record_key(record: bytes) -> str:
    """Return the item's key in a record, which may be corrupt after the key.

    >>> record_key(b'{"dynamodb":{"Keys":{"id":{"S":"7"}},"NewIm')
    '{"id":{"S":"7"}}'
    """
    text = record.decode("utf-8", "replace")
    if KEYS_FIELD not in text:
        return f"a record without a key: {text[:60]!r}"
    keys, _ = _parse_keys(text)
    return format_key(keys)


def _parse_keys(text: str) -> tuple[dict[str, Any], int]:
    """Return the key in a record's text, and the position after it."""
    start = text.index(KEYS_FIELD) + len(KEYS_FIELD)
    return json.JSONDecoder().raw_decode(text, start)


def format_key(keys: dict[str, Any]) -> str:
    """Return an item's key as the lake writes it."""
    return json.dumps(keys, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def truncate(record: bytes, rng: Random) -> bytes:
    """Cut the record off somewhere after its key."""
    text = record.decode()
    _, key_end = _parse_keys(text)
    min_length = len(text[:key_end].encode())
    return record[: rng.randint(min_length, len(record) - 1)]


def break_utf8(record: bytes, _: Random) -> bytes:
    """Make the record invalid UTF-8."""
    return record[:-1] + b"\xff}"


def rename_operation(record: bytes, _: Random) -> bytes:
    """Give the record an operation that DynamoDB does not have."""
    return _edit(record, lambda change: change.update(eventName="UPSERT"))


def remove_sequence_number(record: bytes, _: Random) -> bytes:
    """Remove the number that orders the changes of an item."""
    return _edit(record, lambda change: change["dynamodb"].pop("SequenceNumber"))


def add_unknown_type(record: bytes, _: Random) -> bytes:
    """Add an attribute of a type that DynamoDB does not have."""

    def add_attribute(change: dict[str, Any]) -> None:
        images = change["dynamodb"]
        image = images["NewImage" if "NewImage" in images else "OldImage"]
        image["poison"] = {"X": "1"}

    return _edit(record, add_attribute)


# The order matters: a seed draws a corruption by its position.
CORRUPTIONS = (truncate, break_utf8, rename_operation, remove_sequence_number, add_unknown_type)


def _edit(record: bytes, edit: Callable[[dict[str, Any]], object]) -> bytes:
    content = json.loads(record)
    edit(content)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
