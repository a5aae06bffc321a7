"""Histories of a table with a stream: the oracle is a plain dict, the log is its stream."""

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

import transform
from tests.strategies.records import Item, firehose_record, stream_arn, stream_record
from transform.state import Row, latest_rows

START = datetime(2026, 1, 1, tzinfo=UTC)
ORDERS = st.sampled_from(["1", "2", "3"])
STATUSES = st.sampled_from(["placed", "paid", "shipped"])


def key_of(order: str) -> Item:
    """Return the key of an order."""
    return {"order_id": {"S": order}}


def lake_rows(records: Iterable[bytes | Item]) -> list[Row]:
    """Return the rows that the transform makes of records."""
    event = {"records": [firehose_record(record) for record in records]}
    results = transform.transform_batch(event).records
    assert all(result["result"] == "Ok" for result in results)
    return [Row.from_columns(json.loads(base64.b64decode(result["data"]))) for result in results]


def canonical_items(items: dict[str, Item]) -> dict[str, str]:
    """Return the items of a table as canonical images by canonical key."""
    return {
        transform.canonical(key_of(order)): transform.canonical(item)
        for order, item in items.items()
    }


def lake_items(rows: Iterable[Row]) -> dict[str, str | None]:
    """Return the items that the rows imply, in the same form."""
    return {key: row.new_image for key, row in transform.state.current_rows(rows).items()}


class Table:
    """A table with a stream: its `items`, and its `past_items` by the time of each change."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.past_items: dict[str, dict[str, str]] = {}
        self.source = 1
        self.count = 0
        self.seconds = 0

    def put(self, order: str, status: str) -> Item | None:
        """Write an order and return its stream record, or None if nothing changed."""
        return self._change(order, {**key_of(order), "status": {"S": status}})

    def remove(self, order: str) -> Item | None:
        """Remove an order and return its stream record, or None if it did not exist."""
        return self._change(order, None)

    def recreate_stream(self) -> None:
        """Start a stream with a later ARN; its sequence numbers start again."""
        self.source += 1
        self.count = 0

    def backfill(self) -> list[bytes]:
        """Return the backfill records of all items."""
        return [
            transform.snapshot.backfill_record(key_of(order), item, self.arn, self._now())
            for order, item in self.items.items()
        ]

    def repair(self, order: str, lake: Iterable[Row], item: Item | None) -> bytes:
        """Return the record that repairs an order, given the rows of the lake and its item."""
        latest = latest_rows(lake).get(transform.canonical(key_of(order)))
        return transform.snapshot.repair_record(key_of(order), item, latest, self.arn, self._now())

    @property
    def arn(self) -> str:
        """Return the stream's ARN."""
        return stream_arn(self.source)

    def _change(self, order: str, item: Item | None) -> Item | None:
        old = self.items.get(order)
        if old == item:
            return None
        self.items.pop(order, None)
        if item is not None:
            self.items[order] = item
        self.count += 1
        self.seconds += 1
        operation = "MODIFY" if old else "INSERT"
        if item is None:
            operation = "REMOVE"
        record = stream_record(operation, key_of(order), old, item, self.count, self.source)
        record["dynamodb"]["ApproximateCreationDateTime"] = START.timestamp() + self.seconds
        changed_at = self._now().replace(tzinfo=None).isoformat(" ", "milliseconds")
        self.past_items[changed_at] = canonical_items(self.items)
        return record

    def _now(self) -> datetime:
        """Return the time of the last change."""
        return START + timedelta(seconds=self.seconds)


@st.composite
def histories(draw: st.DrawFn) -> tuple[Table, list[Any]]:
    """Return a table after some changes and re-created streams, and the log of its changes."""
    table = Table()
    log: list[Any] = []
    for _ in range(draw(st.integers(0, 12))):
        action = draw(st.sampled_from(["put", "put", "put", "remove", "recreate"]))
        if action == "recreate":
            table.recreate_stream()
            continue
        order = draw(ORDERS)
        record = table.put(order, draw(STATUSES)) if action == "put" else table.remove(order)
        if record:
            log.append(record)
    return table, log
