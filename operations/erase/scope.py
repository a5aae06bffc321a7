"""Scope of an erase: which keys, up to which rank, and why some cannot be erased."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from operations import in_flight, lake
from operations.columns import DeclaredColumns
from operations.erase.erasing import NO_LIMIT
from operations.kinesis_writer import OutgoingRecord
from operations.table import Table
from operations.verify.failed_changes import FailedChanges
from setup.lib.errors import UserError
from setup.names import CHANGES, bucket
from transform import parse_change
from transform.row import ERASED
from transform.snapshot import repair_record
from transform.state import rank

KEYS_SQL = f"""
SELECT cdc_key, count(*)
FROM {CHANGES}
WHERE cdc_key IS NOT NULL AND (
{{where}}
)
GROUP BY GROUPING SETS ((cdc_key), ())"""
PATHS_SQL = f"""
SELECT "$path", count(*)
FROM {CHANGES}
WHERE {{keys}} AND (cdc_new_image IS NOT NULL OR cdc_old_image IS NOT NULL)
GROUP BY GROUPING SETS (("$path"), ())"""
TOMBSTONE_COLUMNS = ", ".join(("cdc_key", "cdc_expired", *lake.RANK_COLUMNS))
TOMBSTONES_SQL = f"""
SELECT {TOMBSTONE_COLUMNS}, count(*)
FROM {CHANGES}
WHERE cdc_expired = '{ERASED}' OR (cdc_operation = 'SNAPSHOT' AND cdc_new_image IS NULL)
GROUP BY GROUPING SETS (({TOMBSTONE_COLUMNS}), ())"""


class EraseRefused(UserError):
    """An item cannot be erased; the message says why, and what to do."""


def keys_where(condition: str) -> set[str]:
    """Return the keys of the rows of the lake that meet a condition of SQL."""
    return {str(key) for (key,) in lake.complete_rows(KEYS_SQL.format(where=condition))}


def object_keys(keys: Collection[str]) -> list[str]:
    """Return the objects of the lake that hold images of these keys."""
    paths = lake.complete_rows(PATHS_SQL.format(keys=lake.key_condition(keys)))
    return [str(path).removeprefix(f"s3://{bucket()}/") for (path,) in paths]


@dataclass(frozen=True)
class ErasedKeys:
    """The keys that were erased: up to which rank, and those whose tombstone the lake lacks."""

    limits: dict[str, lake.Rank]
    without_tombstone: set[str]

    @classmethod
    def fetch(cls) -> ErasedKeys:
        """Return the keys with an erased row; the tombstone of each, if it came, ranks above it."""
        tombstones: dict[str, lake.Rank] = {}
        erased_rows: dict[str, lake.Rank] = {}
        for key, expired, *columns in lake.complete_rows(TOMBSTONES_SQL):
            row = dict(zip(lake.RANK_COLUMNS, columns, strict=True))
            ranks = erased_rows if expired == ERASED else tombstones
            ranks[str(key)] = max(lake.row_rank(row), ranks.get(str(key), ()))
        without_tombstone = {
            key for key in erased_rows if tombstones.get(key, ()) < erased_rows[key]
        }
        limits = {key: tombstones[key] for key in erased_rows.keys() - without_tombstone}
        return cls(limits, without_tombstone)

    @classmethod
    def fetch_settled(cls) -> ErasedKeys:
        """Return them as soon as no tombstone of an earlier run can be in flight."""
        erased = cls.fetch()
        if erased.without_tombstone:
            in_flight.wait("the lake lacks the tombstone of an erased item")
            erased = cls.fetch()
        return erased


def refuse_existing_items(table: Table, keys: Collection[str]) -> None:
    """Raise EraseRefused if the table has an item, or a dead letter a change of it."""
    if len(keys) > lake.MAX_KEYS_IN_QUERY:
        raise EraseRefused(
            f"{len(keys)} items are more than {lake.MAX_KEYS_IN_QUERY}: erase fewer at once"
        )
    items = table.get_items(keys)
    if items:
        raise EraseRefused(
            f"table {table.name} has the item {min(items)}: delete it from the table first"
        )
    letter_keys = set(FailedChanges.of_pipeline().read_letter_keys()).intersection(keys)
    if letter_keys:
        raise EraseRefused(
            f"a change of {min(letter_keys)} is among the dead letters, which cannot be rewritten: "
            f"run python -m operations.replay, then this again"
        )


def latest_rows(keys: Collection[str]) -> dict[str, lake.LakeRow]:
    """Return the latest rows of the keys; raise EraseRefused if the lake still has an item."""
    for is_retry in (False, True):
        if is_retry:
            in_flight.wait("the lake has an item that the table does not have")
        rows = {row.key: row for row in lake.fetch_latest_rows(DeclaredColumns.fetch(), keys)}
        held_keys = [key for key, row in rows.items() if row.image_digest]
        if not held_keys:
            return rows
    raise EraseRefused(
        f"the lake has the item {min(held_keys)}, which the table does not have: run "
        f"python -m operations.verify --repair first"
    )


def tombstones(rows: dict[str, lake.LakeRow], stream: str) -> Iterator[OutgoingRecord]:
    """Yield a tombstone of greatest rank for each key whose latest row is not one yet."""
    for key, row in rows.items():
        if row.snapshot_at is None:
            record = repair_record(json.loads(key), None, row.state_row, stream, datetime.now(UTC))
            yield OutgoingRecord(key, record)


def limits_of(
    keys: Collection[str], rows: dict[str, lake.LakeRow], sent: Collection[OutgoingRecord]
) -> dict[str, lake.Rank]:
    """Return the rank of each key's tombstone; a key without rows has no limit."""
    limits: dict[str, lake.Rank] = dict.fromkeys(keys, NO_LIMIT)
    limits |= {key: (*rank(row.state_row)[:-1], *NO_LIMIT) for key, row in rows.items()}
    return limits | {record.name: rank(parse_change(record.data)) for record in sent}
