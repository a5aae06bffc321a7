"""Restore of a table as of a time: the refusals, the items that are written, and the proof.

What the table has already is not written again: so a restore that was killed goes on when it is run
again, and one that is complete writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import boto3

from operations import in_flight
from operations.restore.item_store import ItemStore
from operations.state_as_of import StateAsOf
from operations.table import CanonicalItem, Table
from operations.table_writer import TableWriter
from operations.verify.failed_changes import FailedChanges
from setup import names
from setup.lib.errors import UserError
from setup.names import LAKE, TABLE, bucket

MAX_DELAY = 3600  # seconds; no buffers hold a change for longer
MAX_NAMED = 20  # keys in a message
FAILED = "a change of it is in the error store or among the dead letters"


class RestoreRefused(UserError):
    """The table cannot be restored; the message says why, and what to do."""


@dataclass(frozen=True)
class TableRestore:
    """A restore of a state of the lake into a table."""

    state: StateAsOf
    table: Table

    @classmethod
    def into(cls, state: StateAsOf, table_name: str) -> TableRestore:
        """Return the restore into the table with that name, which must exist."""
        dynamodb = boto3.client("dynamodb")
        try:
            table = Table.describe(dynamodb, table_name)
        except dynamodb.exceptions.ResourceNotFoundException:
            raise RestoreRefused(
                f"table {table_name} does not exist: create it with the keys of {TABLE} "
                f"(aws dynamodb create-table)"
            ) from None
        for key in state.keys:
            table.require_key(key)
        return cls(state, table)

    def refuse_unknown_state(self) -> None:
        """Raise RestoreRefused if the lake does not prove the state of every item."""
        keys = FailedChanges.of_pipeline().read_keys()
        failed = ((key, FAILED) for key in keys if not self.state.keys or key in self.state.keys)
        unknown = [*islice(self.state.fetch_unknown_keys(), MAX_NAMED), *islice(failed, MAX_NAMED)]
        if unknown:
            listed = "\n".join(f"  {key}  {reason}" for key, reason in unknown)
            raise RestoreRefused(
                f"the history is incomplete as of {self.state.timestamp} UTC:\n{listed}\n"
                f"run python -m operations.verify --gaps, then python -m operations.replay or "
                f"restore; or add --accept-gaps to restore what the lake has"
            )

    def run(self, writer: TableWriter | None) -> dict[str, int]:
        """Write what the table lacks, and prove that it then equals the lake; return the counts.

        Without a writer it only counts.
        """
        with closing(ItemStore()) as store:
            total = store.add(self._checked_items())
            other_key = store.match_table(self._read_table())
            if other_key and self.table.name != TABLE:
                raise RestoreRefused(
                    f"table {self.table.name} has items that the lake did not have as of "
                    f"{self.state.timestamp} UTC, such as {other_key}: name an empty table"
                )
            missing = sum(1 for _ in store.missing_items())
            if writer:
                writer.write((image for _, image in store.missing_items()), missing)
                self._require_equal(store)
        return {"items": total, "written": missing if writer else 0, "to_write": missing}

    def _checked_items(self) -> Iterator[CanonicalItem]:
        """Yield the items of the lake; raise RestoreRefused if the table cannot have one."""
        missing_keys = set(self.state.keys)
        for key, image in self.state.fetch_items():
            missing_keys.discard(key)
            if self.table.parse_key(key) is None:
                raise RestoreRefused(
                    f"table {self.table.name} has other keys ({self.table.key_types}) than the "
                    f"lake's item {key}: create one with the keys of {TABLE}"
                )
            yield key, image
        if missing_keys:
            raise RestoreRefused(
                f"the lake has no item {min(missing_keys)} as of {self.state.timestamp} UTC: "
                f"choose a time at which it existed"
            )

    def _read_table(self) -> Iterable[CanonicalItem]:
        """Return all items of the table, or of the pipeline's own table those that are named."""
        if self.table.name == TABLE:
            return self.table.get_items(self.state.keys).items()
        return self.table.scan_items()

    def _require_equal(self, store: ItemStore) -> None:
        other_key = store.match_table(self._read_table())
        missing_key = next((key for key, _ in store.missing_items()), None)
        if other_key or missing_key:
            raise RestoreRefused(
                f"table {self.table.name} does not equal the lake, as in {other_key or missing_key}"
                f": stop what else writes to the table, then run this again"
            )


def refuse_masked_items() -> None:
    """Refuse to overwrite items of the pipeline's own table by what the lake has of them."""
    if names.MASKED:
        raise RestoreRefused(
            f"the lake lacks the values that MASKED names, and {TABLE} would lose them: restore "
            f"into another table, and copy the other attributes from there"
        )


def refuse_unknown_time(state: StateAsOf) -> None:
    """Refuse a time before the lake's first day, or one whose changes may still be in flight."""
    response = boto3.client("s3").list_objects_v2(Bucket=bucket(), Prefix=f"{LAKE}dt=", MaxKeys=1)
    days = [entry["Key"].removeprefix(f"{LAKE}dt=")[:10] for entry in response.get("Contents", ())]
    if not days:
        raise RestoreRefused("the lake is empty: there is nothing to restore from")
    if state.timestamp[:10] < days[0]:
        raise RestoreRefused(f"the lake begins on {days[0]}: choose a time from then on")
    age = (datetime.now(UTC) - state.time).total_seconds()
    if age < MAX_DELAY and age < (delay := in_flight.max_delay_seconds()):
        raise RestoreRefused(
            f"changes until {state.timestamp} UTC may still be in flight: run this again in "
            f"{delay - age:.0f} s"
        )
