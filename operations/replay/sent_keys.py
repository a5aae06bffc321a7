"""Keys of the records that a replay has sent, on disk, so that memory does not grow with them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice

from operations.kinesis_writer import OutgoingRecord


class SentKeys:
    """A set of keys in a temporary file, which SQLite deletes when it is closed."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE sent (key TEXT PRIMARY KEY) WITHOUT ROWID")

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close()

    def note(self, records: Iterable[OutgoingRecord]) -> Iterator[OutgoingRecord]:
        """Yield records that are about to be sent, and keep their keys."""
        for record in records:
            self._database.execute("INSERT OR IGNORE INTO sent VALUES (?)", [record.name])
            yield record

    @property
    def count(self) -> int:
        """The number of different keys."""
        [(key_count,)] = self._database.execute("SELECT count(*) FROM sent")
        return int(key_count)

    def includes(self, key: str) -> bool:
        """Return whether a record of this key was sent."""
        rows = self._database.execute("SELECT 1 FROM sent WHERE key = ?", [key])
        return rows.fetchone() is not None

    def batches(self, size: int) -> Iterator[list[str]]:
        """Yield the keys, in order, at most `size` at a time."""
        keys = (key for (key,) in self._database.execute("SELECT key FROM sent ORDER BY key"))
        while batch := list(islice(keys, size)):
            yield batch
