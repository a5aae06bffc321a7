"""Scans of base tables: the SELECT that reads a table's cached objects."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from local.services.athena.backend.quoting import quote_identifier, quote_literal
from local.services.athena.frontend import types
from local.services.athena.frontend.types import DType, Type, from_hive
from local.services.athena.storage.glue_catalog import PATH, Column, Table
from local.services.athena.storage.object_cache import LakeObject

MAX_ROW_BYTES = 64 << 20
_STRING_CHECKS = {
    **dict.fromkeys(types.INTEGER_TYPES, "trino.is_whole"),
    **dict.fromkeys(types.FLOAT_TYPES, "trino.is_float"),
    DType.DECIMAL: "trino.is_number",
    DType.BOOLEAN: "trino.is_boolean",
    DType.DATE: "trino.is_date",
    DType.TIMESTAMP: "trino.is_timestamp",
}
"""A column's type → the macro that checks whether Hive's reader accepts a string for it."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One base table: its objects, and their files in the cache in the same order.

    `has_path` adds the hidden column "$path", the location of a row's object.
    """

    table: Table
    objects: tuple[LakeObject, ...]
    files: tuple[Path, ...]
    has_path: bool

    def relation_sql(self) -> str:
        """Return the SELECT of all rows: the declared columns, then the partition keys."""
        if not self.files:
            return self.empty_sql()
        columns = [_column_sql(column) for column in self.table.columns]
        texts = {column.name: "VARCHAR" for column in self.table.columns}
        files = ", ".join(quote_literal(str(file)) for file in self.files)
        source = (
            f"read_json([{files}], columns = {_struct(texts)}, format = 'newline_delimited', "
            f"records = true, compression = 'uncompressed', maximum_object_size = {MAX_ROW_BYTES}"
            f"{self._partitioning_sql()})"
        )
        return f"SELECT {', '.join([*columns, *self._key_columns()])} FROM {source}"

    def _key_columns(self) -> list[str]:
        columns = [quote_identifier(key.name) for key in self.table.keys]
        if self.has_path:
            locations = [quote_literal(item.location) for item in self.objects]
            files = [quote_literal(str(file)) for file in self.files]
            paths = f"map([{', '.join(files)}], [{', '.join(locations)}])"
            columns.append(f"{paths}[filename] AS {quote_identifier(PATH)}")
        return columns

    def _partitioning_sql(self) -> str:
        keys = {key.name: _duckdb_type_of(key.type) for key in self.table.keys}
        hive_types = f", hive_types = {_struct(keys)}" if keys else ""
        return f", hive_partitioning = {bool(keys)}{hive_types}, filename = {self.has_path}"

    def empty_sql(self) -> str:
        """Return a SELECT of the same columns without a row, which reads no file."""
        path = [Column(PATH, "string")] if self.has_path else []
        columns = (*self.table.columns, *self.table.keys, *path)
        items = [
            f"NULL::{_duckdb_type_of(column.type)} AS {quote_identifier(column.name)}"
            for column in columns
        ]
        return f"SELECT {', '.join(items)} WHERE false"

    def objects_by_file(self) -> dict[str, LakeObject]:
        """Return the S3 object that each file was fetched from."""
        return dict(zip(map(str, self.files), self.objects, strict=True))


@lru_cache(maxsize=1_000)
def _column_sql(column: Column) -> str:
    """Return the SQL that reads one column, which fails where Hive's reader would."""
    name = quote_identifier(column.name)
    data_type = from_hive(column.type)
    if data_type.this in types.STRING_TYPES:
        return name
    if data_type.this not in _STRING_CHECKS:
        return f"CAST(CAST({name} AS JSON) AS {duckdb_type(data_type)}) AS {name}"
    failure = (
        f"trino.fail('HIVE_BAD_DATA: Error parsing field value ''' || {name} || ''' for field "
        f"{column.name.replace(chr(39), '')}: not a {types.display_name(data_type)}', {name})"
    )
    return (
        f"CAST(CASE WHEN {name} IS NULL OR {_STRING_CHECKS[data_type.this]}({name}) THEN {name} "
        f"ELSE {failure} END AS {duckdb_type(data_type)}) AS {name}"
    )


def duckdb_type(data_type: Type) -> str:
    """Return a type in DuckDB's spelling."""
    return data_type.sql("duckdb")


@lru_cache(maxsize=1_000)  # A query needs it for each column of its tables.
def _duckdb_type_of(hive_type: str) -> str:
    return duckdb_type(from_hive(hive_type))


def _struct(columns: dict[str, str]) -> str:
    fields = [f"{quote_literal(name)}: {quote_literal(kind)}" for name, kind in columns.items()]
    return f"{{{', '.join(fields)}}}"
