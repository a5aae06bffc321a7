"""A table as DuckDB reads it from the cache, and how much of it a plan reads."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from local.services.athena.backend.quoting import quote_identifier, quote_literal
from local.services.athena.frontend import types
from local.services.athena.frontend.types import DType, Type, from_hive
from local.services.athena.storage.glue_catalog import Column, Table
from local.services.athena.storage.object_cache import LakeObject

COUNTED, UNCOUNTED = "read_json", "read_ndjson"  # Two names of DuckDB for one function.
LARGEST_ROW = 64 << 20  # Bytes; DuckDB's reader wants a limit.
_FITS = {
    **dict.fromkeys(types.INTEGERS, "is_whole"),
    **dict.fromkeys(types.FLOATS, "is_float"),
    DType.DECIMAL: "is_number",
    DType.BOOLEAN: "is_boolean",
    DType.DATE: "is_date",
    DType.TIMESTAMP: "is_timestamp",
}


@dataclass(frozen=True, slots=True)
class Scan:
    """One base table: its objects, and their files in the cache in the same order."""

    table: Table
    objects: tuple[LakeObject, ...]
    files: tuple[Path, ...]

    def relation(self, reader: str = COUNTED) -> str:
        """Return the SELECT of all rows: the declared columns, then the partition's.

        A plan names its readers only, so `reader` tells one table's scans from another's.
        """
        items = [_item(column) for column in self.table.columns]
        keys = [quote_identifier(key.name) for key in self.table.keys]
        return f"SELECT {', '.join(items + keys)} FROM {self._source(reader)}"

    def _source(self, reader: str) -> str:
        columns = {column.name: "VARCHAR" for column in self.table.columns}
        keys = {key.name: duckdb_type(from_hive(key.type)) for key in self.table.keys}
        if not self.files:
            empty = [
                f"NULL::{kind} AS {quote_identifier(name)}"
                for name, kind in {**columns, **keys}.items()
            ]
            return f"(SELECT {', '.join(empty)} WHERE false)"
        files = ", ".join(quote_literal(str(file)) for file in self.files)
        return (
            f"{reader}([{files}], columns = {_struct(columns)}, format = 'newline_delimited', "
            f"records = true, compression = 'uncompressed', maximum_object_size = {LARGEST_ROW}"
            + (f", hive_partitioning = true, hive_types = {_struct(keys)})" if keys else ")")
        )

    def scanned_bytes(self, plan: Any) -> int:
        """Return the bytes in S3 that a plan of DuckDB reads of this table."""
        return sum(self._bytes(node.get("extra_info", {})) for node in _readers(plan))

    def _bytes(self, reader: dict[str, Any]) -> int:
        filters = reader.get("File Filters")
        if not filters:
            return sum(item.size for item in self.objects)
        rows = ", ".join(
            f"({', '.join([*map(quote_literal, item.values), str(item.size)])})"
            for item in self.objects
        )
        keys = [quote_identifier(key.name) for key in self.table.keys]
        typed = [
            f"CAST({name} AS {duckdb_type(from_hive(key.type))}) AS {name}"
            for name, key in zip(keys, self.table.keys, strict=True)
        ]
        found = duckdb.execute(
            f"SELECT coalesce(sum(size), 0) FROM (SELECT {', '.join(typed)}, size FROM "
            f"(VALUES {rows}) AS t({', '.join(keys)}, size)) WHERE {filters}"
        ).fetchall()
        return int(found[0][0])

    def origins(self) -> dict[str, str]:
        """Return the object in S3 of each file."""
        return {
            str(file): f"s3://{item.bucket}/{item.key}"
            for file, item in zip(self.files, self.objects, strict=True)
        }


def _readers(plan: Any) -> Iterator[dict[str, Any]]:
    for node in plan:
        if node["name"].strip().lower() == COUNTED:
            yield node
        yield from _readers(node.get("children", []))


def _item(column: Column) -> str:
    name, kind = quote_identifier(column.name), from_hive(column.type)
    if kind.this in types.TEXTS:
        return name
    if kind.this not in _FITS:
        return f"CAST(CAST({name} AS JSON) AS {duckdb_type(kind)}) AS {name}"
    failed = (
        f"trino.failed('HIVE_BAD_DATA: Error parsing field value ''' || {name} || ''' for field "
        f"{column.name.replace(chr(39), '')}: not a {types.display(kind)}', {name})"
    )
    return (
        f"CAST(CASE WHEN {name} IS NULL OR trino.{_FITS[kind.this]}({name}) THEN {name} "
        f"ELSE {failed} END AS {duckdb_type(kind)}) AS {name}"
    )


def duckdb_type(kind: Type) -> str:
    """Return a type as DuckDB spells it."""
    return kind.sql("duckdb")


def _struct(columns: dict[str, str]) -> str:
    members = [f"{quote_literal(name)}: {quote_literal(kind)}" for name, kind in columns.items()]
    return f"{{{', '.join(members)}}}"


def plan_of(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """Return DuckDB's plan of a query."""
    return json.loads(connection.execute(f"EXPLAIN (FORMAT json) {sql}").fetchall()[0][1])
