"""Digest store: the comparison's data, on disk, so that memory does not grow with the table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass

from operations.lake import LakeRow
from operations.verify.diff import Look
from operations.verify.part import Part

CACHE_KIB = 32 * 1024  # SQLite keeps this much in memory, the rest in a temporary file

SCHEMA_SQL = """
CREATE TABLE lake (key TEXT PRIMARY KEY, digest TEXT) WITHOUT ROWID;
CREATE TABLE segment (
  key TEXT PRIMARY KEY, digest TEXT, lake_digest TEXT, is_copy INTEGER DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE mismatch (
  key TEXT PRIMARY KEY,
  table_digest TEXT, lake_digest TEXT, table_image TEXT, lake_image TEXT, lake_row TEXT
) WITHOUT ROWID;
CREATE TABLE lake_row (
  key TEXT PRIMARY KEY, image_digest TEXT, columns_digest TEXT,
  source TEXT, sequence TEXT, snapshot_at TEXT
);
"""
MISMATCHES_SQL = """
SELECT mismatch.*, lake_row.*
FROM mismatch LEFT JOIN lake_row USING (key)
WHERE :last_key IS NULL OR mismatch.key > :last_key
ORDER BY mismatch.key
LIMIT :batch_size
"""
LOOK_COLUMNS = len(Look.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A key that differed, what the last look at it saw, and its row in the lake now."""

    key: str
    before: Look
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
        """Add the lake's keys and digests; a key with more than one digest matches no item."""
        self._database.executemany(
            "INSERT INTO lake VALUES (?, ?) ON CONFLICT DO UPDATE SET digest = NULL", digests
        )

    def match_table(self, digests: Iterable[tuple[str, str]]) -> None:
        """Delete the entries that match the table's; record the other table keys as mismatches."""
        for key, digest in digests:
            deleted = self._database.execute(
                "DELETE FROM lake WHERE key = ? AND digest = ?", (key, digest)
            )
            if deleted.rowcount:
                self.matched_count += 1
            else:
                self._database.execute("INSERT OR IGNORE INTO mismatch (key) VALUES (?)", [key])

    def add_segment(self, digests: Iterable[tuple[str, str]]) -> int:
        """Add keys and digests of a part of the table, and return their number."""
        cursor = self._database.executemany(
            "INSERT OR REPLACE INTO segment (key, digest) VALUES (?, ?)", digests
        )
        return cursor.rowcount

    def match_segment(self, digests: Iterable[tuple[str, str]], part: Part) -> int:
        """Compare the lake with the part of the table, and record its mismatches.

        Add the keys of the part's bucket that are not in that part of the table, and return the
        number of all keys in the bucket.
        """
        bucket_keys = 0
        for key, digest in digests:
            is_in_bucket = part.has_key(key)
            bucket_keys += is_in_bucket
            updated = self._database.execute(
                "UPDATE segment SET is_copy = lake_digest IS NOT NULL, lake_digest = ? "
                "WHERE key = ?",
                (digest, key),
            )
            if is_in_bucket and not updated.rowcount:
                self.add_lake([(key, digest)])
        self._database.execute(
            "INSERT INTO mismatch (key) SELECT key FROM segment "
            "WHERE lake_digest IS NOT digest OR is_copy"
        )
        return bucket_keys

    def lake_keys(self) -> Iterator[str]:
        """Yield the keys of the lake's digests, in order; the caller may delete them."""
        last_key = None
        sql = "SELECT key FROM lake WHERE :key IS NULL OR key > :key ORDER BY key LIMIT 1000"
        while rows := self._database.execute(sql, {"key": last_key}).fetchall():
            yield from (key for (key,) in rows)
            last_key = rows[-1][0]

    def mark_unmatched(self) -> int:
        """Record the remaining lake keys as mismatches, and return the number of mismatches."""
        self._database.execute("INSERT OR IGNORE INTO mismatch (key) SELECT key FROM lake")
        return self.count_mismatches()

    def count_mismatches(self) -> int:
        """Return the number of keys that differ."""
        [count] = self._database.execute("SELECT count(*) FROM mismatch").fetchone()
        return int(count)

    def mismatched_keys(self, limit: int) -> list[str]:
        """Return at most `limit` of the keys that differ."""
        rows = self._database.execute("SELECT key FROM mismatch LIMIT ?", [limit])
        return [key for (key,) in rows]

    def load_lake_rows(self, rows: Iterable[LakeRow]) -> None:
        """Replace the lake's rows by those of the keys that differ; other keys are ignored."""
        self._database.execute("DELETE FROM lake_row")
        self._database.executemany(
            "INSERT INTO lake_row SELECT ?, ?, ?, ?, ?, ? WHERE ? IN (SELECT key FROM mismatch)",
            ((*astuple(row), row.key) for row in rows),
        )

    def mismatches(self, batch_size: int) -> Iterator[list[Mismatch]]:
        """Yield every key that differs, in order, in batches; the caller may change them."""
        page = {"last_key": None, "batch_size": batch_size}
        while rows := self._database.execute(MISMATCHES_SQL, page).fetchall():
            yield [_mismatch(*row) for row in rows]
            page["last_key"] = rows[-1][0]

    def record_look(self, key: str, look: Look) -> None:
        """Record what a look at a key saw."""
        self._database.execute(
            "INSERT OR REPLACE INTO mismatch VALUES (?, ?, ?, ?, ?, ?)", (key, *astuple(look))
        )

    def delete_mismatch(self, key: str) -> None:
        """Forget a key: the lake agrees with the table."""
        self._database.execute("DELETE FROM mismatch WHERE key = ?", [key])


def _mismatch(key: str, *columns: str | None) -> Mismatch:
    look = columns[:LOOK_COLUMNS]
    row_key, *row = columns[LOOK_COLUMNS:]
    lake_row = None if row_key is None else LakeRow(row_key, *row)
    return Mismatch(key, Look(*look), lake_row)
