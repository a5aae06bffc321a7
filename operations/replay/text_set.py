"""Sets of texts on disk, so that memory does not grow with the number of records of a replay."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice

from operations.kinesis_writer import OutgoingRecord


class TextSet:
    """A set of texts in a temporary file, which SQLite deletes when it is closed."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("CREATE TABLE text (text TEXT PRIMARY KEY) WITHOUT ROWID")

    def close(self) -> None:
        """Delete the temporary file."""
        self._database.close()

    def add(self, text: str) -> bool:
        """Add a text, and return whether it is new."""
        cursor = self._database.execute("INSERT OR IGNORE INTO text VALUES (?)", [text])
        return cursor.rowcount == 1

    @property
    def count(self) -> int:
        """The number of different texts."""
        [(text_count,)] = self._database.execute("SELECT count(*) FROM text")
        return int(text_count)

    def includes(self, text: str) -> bool:
        """Return whether a text was added."""
        rows = self._database.execute("SELECT 1 FROM text WHERE text = ?", [text])
        return rows.fetchone() is not None

    def batches(self, size: int) -> Iterator[list[str]]:
        """Yield the texts, in order, at most `size` at a time."""
        texts = (text for (text,) in self._database.execute("SELECT text FROM text ORDER BY text"))
        while batch := list(islice(texts, size)):
            yield batch


class SentKeys(TextSet):
    """The keys of the records that a replay has sent."""

    def note(self, records: Iterable[OutgoingRecord]) -> Iterator[OutgoingRecord]:
        """Yield records that are about to be sent, and add their keys."""
        for record in records:
            self.add(record.name)
            yield record
