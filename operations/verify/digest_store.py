"""The comparison's memory, on disk: it does not grow with the number of items."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass

from operations.lake import Held

CACHE = 32 * 1024  # KiB that SQLite keeps in memory; the rest lies in a temporary file

TABLES = """
CREATE TABLE lake (key TEXT PRIMARY KEY, digest TEXT) WITHOUT ROWID;
CREATE TABLE doubt (key TEXT PRIMARY KEY, before TEXT) WITHOUT ROWID;
CREATE TABLE held (key TEXT PRIMARY KEY, image TEXT, source TEXT, sequence TEXT, snapshot_at TEXT);
"""
DOUBTS = "SELECT doubt.key, before, held.* FROM doubt LEFT JOIN held USING (key) ORDER BY doubt.key"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A key on which both sides did not agree; `before` is the digest of its item then."""

    key: str
    before: str | None
    held: Held | None


class Ledger:
    """What the lake says of each key, struck out where the table says the same.

    Its file has no name: it is gone when the ledger is closed or the process ends.
    """

    def __init__(self) -> None:
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute(f"PRAGMA cache_size = -{CACHE}")
        self._file.executescript(TABLES)
        self._file.execute("BEGIN")
        self.agreed = 0

    def close(self) -> None:
        """Forget everything."""
        self._file.close()

    def enter(self, states: Iterable[tuple[str, str]]) -> None:
        """Write down the lake's keys and digests."""
        self._file.executemany("INSERT INTO lake VALUES (?, ?)", states)

    def strike(self, states: Iterable[tuple[str, str]]) -> None:
        """Strike out the table's keys and digests, and doubt those that the lake does not have."""
        for state in states:
            struck = self._file.execute("DELETE FROM lake WHERE key = ? AND digest = ?", state)
            if struck.rowcount:
                self.agreed += 1
            else:
                self._file.execute("INSERT OR REPLACE INTO doubt VALUES (?, ?)", state)

    def doubt_the_rest(self) -> int:
        """Doubt what has not been struck out, and return how many keys are in doubt."""
        self._file.execute("INSERT OR IGNORE INTO doubt SELECT key, NULL FROM lake")
        return self._file.execute("SELECT count(*) FROM doubt").fetchone()[0]

    def doubted_keys(self, most: int) -> list[str]:
        """Return at most that many of the keys in doubt."""
        return [key for (key,) in self._file.execute("SELECT key FROM doubt LIMIT ?", [most])]

    def hold(self, rows: Iterable[Held]) -> None:
        """Write down what the lake holds of the keys in doubt; rows of other keys are ignored."""
        insert = "INSERT INTO held SELECT ?, ?, ?, ?, ? WHERE ? IN (SELECT key FROM doubt)"
        self._file.executemany(insert, ((*astuple(row), row.key) for row in rows))

    def doubts(self) -> Iterator[Doubt]:
        """Return every key in doubt, ordered, with what the lake holds of it."""
        for key, before, *held in self._file.execute(DOUBTS):
            yield Doubt(key, before, Held(*held) if held[0] is not None else None)
