"""Records that no transform accepts, and which those are."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from local.nemesis.faults import Fault, Moment

KEYS = '"Keys":'


class Poison:
    """Spoils records on their way into Kinesis; `taken` are those that arrived, with their keys."""

    def __init__(self) -> None:
        self.rate = 0.0
        self.taken: dict[bytes, str] = {}

    def spoil(self, moment: Moment) -> Fault:
        """Spoil some records of a batch; that is noted of those that Kinesis takes."""
        records, dice = moment.params["Records"], moment.dice
        spoilt = [n for n in range(len(records)) if dice.random() < self.rate]
        if not spoilt:
            return
        sent = [dict(record) for record in records]
        for n in spoilt:
            sent[n]["Data"] = dice.choice(WAYS)(records[n]["Data"], dice)
        moment.params["Records"] = sent
        answer = yield
        for n in spoilt:
            if "SequenceNumber" in answer["Records"][n]:
                self.taken[sent[n]["Data"]] = key_in(records[n]["Data"])


def key_in(record: bytes) -> str:
    """Return the key of the item that a record tells of, however spoilt it is behind its key.

    >>> key_in(b'{"dynamodb":{"Keys":{"id":{"S":"7"}},"NewIm')
    '{"id":{"S":"7"}}'
    """
    text = record.decode("utf-8", "replace")
    return key_text(_keys(text)[0]) if KEYS in text else f"a record without a key: {text[:60]!r}"


def _keys(text: str) -> tuple[dict[str, Any], int]:
    """Return the key in a record's text, and where it ends."""
    return json.JSONDecoder().raw_decode(text, text.index(KEYS) + len(KEYS))


def key_text(keys: dict[str, Any]) -> str:
    """Return an item's key as the lake writes it."""
    return json.dumps(keys, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def cut_short(record: bytes, dice: Random) -> bytes:
    """Return what is no JSON: it ends somewhere behind the key."""
    text = record.decode()
    least = len(text[: _keys(text)[1]].encode())
    return record[: dice.randint(least, len(record) - 1)]


def no_text(record: bytes, _: Random) -> bytes:
    """Return what is no UTF-8."""
    return record[:-1] + b"\xff}"


def unknown_operation(record: bytes, _: Random) -> bytes:
    """Return a record of something that DynamoDB does not do."""
    return _changed(record, lambda change: change.update(eventName="UPSERT"))


def without_order(record: bytes, _: Random) -> bytes:
    """Return a record that does not say where in its item's history it belongs."""
    return _changed(record, lambda change: change["dynamodb"].pop("SequenceNumber"))


def unknown_type(record: bytes, _: Random) -> bytes:
    """Return a record with an attribute of a type that DynamoDB does not have."""

    def add(change: dict[str, Any]) -> None:
        inner = change["dynamodb"]
        inner["NewImage" if "NewImage" in inner else "OldImage"]["poison"] = {"X": "1"}

    return _changed(record, add)


WAYS = (cut_short, no_text, unknown_operation, without_order, unknown_type)


def _changed(record: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    content = json.loads(record)
    change(content)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
