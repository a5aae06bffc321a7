"""Digest store: the comparison's data, on disk, so that memory does not grow with the table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass

from operations.lake import LakeRow

CACHE_KIB = 32 * 1024  # SQLite keeps this much in memory, the rest in a temporary file

SCHEMA_SQL = """
CREATE TABLE lake (key TEXT PRIMARY KEY, digest TEXT) WITHOUT ROWID;
CREATE TABLE mismatch (key TEXT PRIMARY KEY, table_digest TEXT) WITHOUT ROWID;
CREATE TABLE lake_row (
  key TEXT PRIMARY KEY, image TEXT, source TEXT, sequence TEXT, snapshot_at TEXT
);
"""
MISMATCHES_SQL = """
SELECT mismatch.key, table_digest, lake_row.*
FROM mismatch LEFT JOIN lake_row USING (key)
ORDER BY mismatch.key
"""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A key that differed in the first pass; `table_digest` is the digest of its item then."""

    key: str
    table_digest: str | None
    lake_row: LakeRow | None


class DigestStore:
    """The lake's digests, from which those that match the table are deleted.

    Its file has no name: it disappears when the store is closed or the process ends.
    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        self._database.executescript(SCHEMA_SQL)
        self._database.execute("BEGIN")
        self.matched_count = 0

    def close(self) -> None:
        """Close the store and delete its data."""
        self._database.close()

    def add_lake(self, digests: Iterable[tuple[str, str]]) -> None:
        """Add the lake's keys and digests."""
        self._database.executemany("INSERT INTO lake VALUES (?, ?)", digests)

    def match_table(self, digests: Iterable[tuple[str, str]]) -> None:
        """Delete the entries that match the table's; record the other table keys as mismatches."""
        for key_and_digest in digests:
            deleted = self._database.execute(
                "DELETE FROM lake WHERE key = ? AND digest = ?", key_and_digest
            )
            if deleted.rowcount:
                self.matched_count += 1
            else:
                self._database.execute(
                    "INSERT OR REPLACE INTO mismatch VALUES (?, ?)", key_and_digest
                )

    def mark_unmatched(self) -> int:
        """Record the remaining lake keys as mismatches, and return the number of mismatches."""
        self._database.execute("INSERT OR IGNORE INTO mismatch SELECT key, NULL FROM lake")
        [count] = self._database.execute("SELECT count(*) FROM mismatch").fetchone()
        return int(count)

    def mismatched_keys(self, limit: int) -> list[str]:
        """Return at most `limit` of the keys that differ."""
        rows = self._database.execute("SELECT key FROM mismatch LIMIT ?", [limit])
        return [key for (key,) in rows]

    def load_lake_rows(self, rows: Iterable[LakeRow]) -> None:
        """Add the lake's rows of the keys that differ; rows of other keys are ignored."""
        self._database.executemany(
            "INSERT INTO lake_row SELECT ?, ?, ?, ?, ? WHERE ? IN (SELECT key FROM mismatch)",
            ((*astuple(row), row.key) for row in rows),
        )

    def mismatches(self) -> Iterator[Mismatch]:
        """Yield every key that differs, in order, with its row in the lake."""
        for key, table_digest, *columns in self._database.execute(MISMATCHES_SQL):
            has_row = columns[0] is not None
            yield Mismatch(key, table_digest, LakeRow(*columns) if has_row else None)
