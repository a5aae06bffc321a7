"""Item store: the items to restore, on disk, so that memory does not grow with the table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from operations.table import CanonicalItem


class ItemStore:
    """Items by key, and which of them the table has; its file disappears when it is closed."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.execute("BEGIN")
        self._database.execute(
            "CREATE TABLE item (key TEXT PRIMARY KEY, image TEXT, is_in_table INTEGER DEFAULT 0)"
        )

    def close(self) -> None:
        """Close the store and delete its data."""
        self._database.close()

    def add(self, items: Iterable[CanonicalItem]) -> int:
        """Add items, and return their number."""
        return self._database.executemany("INSERT INTO item VALUES (?, ?, 0)", items).rowcount

    def match_table(self, items: Iterable[CanonicalItem]) -> str | None:
        """Note which items the table has; return the key of another that it has, or None."""
        self._database.execute("UPDATE item SET is_in_table = 0")
        sql = "UPDATE item SET is_in_table = 1 WHERE key = ? AND image = ?"
        other_key = None
        for item in items:
            if not self._database.execute(sql, item).rowcount:
                other_key = item[0]
        return other_key

    def missing_items(self) -> Iterator[CanonicalItem]:
        """Return the items that the table does not have."""
        return self._database.execute("SELECT key, image FROM item WHERE NOT is_in_table")
