"""Declared columns: the attribute columns that the catalog has for the lake, which queries read.

Verification compares the columns of a row with those that the transform makes of the table's item.
It compares digests, so the same text is computed twice: in SQL from a row, and in Python from an
item. For each column it has the value, after its length and a colon, or a dash for NULL; so no two
lists of values have the same text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

import boto3

from operations.digest import DIGEST_SQL, digest
from setup.lib.errors import UserError
from setup.names import CHANGES, DATABASE

MAX_ARRAY_LENGTH = 200  # Athena's array constructor takes 254 values.
COLUMN_TYPE = "string"
VALUES_SQL = (
    "array_join(transform(ARRAY[{}], "
    "cdc_value -> coalesce(concat(CAST(length(cdc_value) AS varchar), ':', cdc_value), '-')), '')"
)
NOT_NULL_COUNT_SQL = "cardinality(filter(ARRAY[{}], cdc_value -> cdc_value IS NOT NULL))"


class UnexpectedColumnType(UserError):
    """A column of the lake is not text, so a query may read another value than the row has."""


@dataclass(frozen=True, slots=True)
class DeclaredColumns:
    """The names of the attribute columns, in the order of the catalog."""

    names: tuple[str, ...]

    @classmethod
    def fetch(cls) -> DeclaredColumns:
        """Return the columns that the catalog declares, but for the lake's own."""
        glue = boto3.client("glue")
        table = glue.get_table(DatabaseName=DATABASE, Name=CHANGES)["Table"]
        names = []
        for column in table["StorageDescriptor"]["Columns"]:
            name = column["Name"]
            if name.startswith("cdc_"):
                continue
            if column["Type"] != COLUMN_TYPE:
                raise UnexpectedColumnType(
                    f"column {name} of {DATABASE}.{CHANGES} has the type {column['Type']}, not "
                    f"{COLUMN_TYPE}: run python setup/10_glue.py"
                )
            names.append(name)
        return cls(tuple(names))

    @property
    def identifiers(self) -> list[str]:
        """The names as SQL identifiers."""
        return ['"' + name.replace('"', '""') + '"' for name in self.names]

    def first(self, max_length: int) -> DeclaredColumns:
        """Return the first columns whose names together have at most this many characters."""
        lengths = accumulate(map(len, self.names))
        count = sum(length <= max_length for length in lengths)
        return DeclaredColumns(self.names[:count])

    def digest_sql(self) -> str:
        """Return the SQL expression of a row's digest; NULL for a row without any attribute."""
        if not self.names:
            return "CAST(NULL AS varchar)"
        values = " || ".join(self._format_arrays(VALUES_SQL))
        empty = "-" * len(self.names)
        return DIGEST_SQL.format(f"nullif({values}, '{empty}')")

    def not_null_count_sql(self) -> str:
        """Return the SQL expression of the number of attributes that a row has."""
        return " + ".join(self._format_arrays(NOT_NULL_COUNT_SQL))

    def _format_arrays(self, sql: str) -> list[str]:
        """Return an SQL expression of an array, for all columns in arrays that Athena takes."""
        identifiers = self.identifiers
        return [
            sql.format(", ".join(identifiers[start : start + MAX_ARRAY_LENGTH]))
            for start in range(0, len(identifiers), MAX_ARRAY_LENGTH)
        ]

    def digest(self, columns: Mapping[str, str | None]) -> str | None:
        """Return the digest of an item's columns; None if the item has none of those declared."""
        values = [columns.get(name) for name in self.names]
        if all(value is None for value in values):
            return None
        return digest("".join(map(_encoded, values)))


def _encoded(value: str | None) -> str:
    return "-" if value is None else f"{len(value)}:{value}"
