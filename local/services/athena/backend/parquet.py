"""Parquet: the SELECT that reads a table's files, and the bytes that Trino would read of them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.services.athena.backend.duckdb_process import DuckDbError, DuckDbProcess
from local.services.athena.backend.quoting import quote_identifier, quote_literal
from local.services.athena.backend.scans import Scan, duckdb_type
from local.services.athena.errors import QueryFailed
from local.services.athena.frontend import types
from local.services.athena.frontend.types import Type, display_name, from_duckdb, from_hive
from local.services.athena.storage.glue_catalog import Column

# Trino reads a small file whole, and ranges that lie close together at once.
_SMALL_FILE_BYTES = 3 << 20
_MAX_GAP_BYTES = 1 << 20
_MAX_RANGE_BYTES = 8 << 20
_FOOTER_BYTES = 48 << 10

Read = tuple[int, int]
"""The position and the length of a read."""


@dataclass(frozen=True, slots=True)
class ParquetGroup:
    """Files with the same schema: each column's lower-case name and its DuckDB type.

    `schema_file` has that schema but no rows. DuckDB opens the first file of a scan even if no row
    of it is needed, and the file must not count as scanned.
    """

    types: dict[str, str]
    schema_file: Path
    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class ParquetScan(Scan):
    """One table of Parquet files, whose columns are found by name."""

    groups: tuple[ParquetGroup, ...] = ()

    def relation_sql(self) -> str:
        """Return the SELECT of all rows: the declared columns, then the partition keys."""
        return " UNION ALL ".join(map(self._group_sql, self.groups)) or self.empty_sql()

    def _group_sql(self, group: ParquetGroup) -> str:
        columns = [self._parquet_column_sql(column, group) for column in self.table.columns]
        files = ", ".join(quote_literal(str(file)) for file in (group.schema_file, *group.files))
        source = f"read_parquet([{files}]{self._partitioning_sql()})"
        return f"SELECT {', '.join([*columns, *self._key_columns()])} FROM {source}"

    def _parquet_column_sql(self, column: Column, group: ParquetGroup) -> str:
        name, declared = quote_identifier(column.name), from_hive(column.type)
        stored = group.types.get(column.name)
        if stored is not None and not _is_readable(from_duckdb(stored), declared):
            location = self.objects_by_file()[str(group.files[0])].location
            raise QueryFailed(
                "HIVE_BAD_DATA",
                f"Field {column.name}'s type {stored} in parquet file {location} is incompatible "
                f"with type {display_name(declared)} defined in table schema",
            )
        value = name if stored is not None else "NULL"
        return f"CAST({value} AS {duckdb_type(declared)}) AS {name}"


_BINARY_TYPES = (types.DType.BINARY, types.DType.VARBINARY)
_TIMESTAMP_TYPES = (types.DType.TIMESTAMP, types.DType.TIMESTAMPTZ)
_READABLE_FAMILIES = (
    (types.STRING_TYPES, (*types.STRING_TYPES, *_BINARY_TYPES)),
    (_BINARY_TYPES, (*types.STRING_TYPES, *_BINARY_TYPES)),
    (types.INTEGER_TYPES, (*types.INTEGER_TYPES, types.DType.DOUBLE, types.DType.DECIMAL)),
    (types.FLOAT_TYPES, types.FLOAT_TYPES),
    (_TIMESTAMP_TYPES, _TIMESTAMP_TYPES),
)
"""Stored types → the declared types that Trino reads them as."""


def _is_readable(stored: Type, declared: Type) -> bool:
    """Return whether Trino reads a stored type as the declared one."""
    for stored_family, declared_family in _READABLE_FAMILIES:
        if stored.this in stored_family:
            return declared.this in declared_family
    is_same: bool = stored.this == declared.this
    return is_same or types.is_unknown(stored)


def group_by_schema(duckdb: DuckDbProcess, scan: Scan) -> tuple[ParquetGroup, ...]:
    """Return the files of a scan by their schema."""
    if not scan.files:
        return ()
    files = ", ".join(quote_literal(str(file)) for file in scan.files)
    elements = "name || ' ' || concat_ws(' ', type, converted_type, logical_type, num_children)"
    try:
        schema = f"string_agg({elements}, ';')"
        schemas = f"SELECT file_name, {schema} FROM parquet_schema([{files}]) GROUP BY file_name"
        schema_by_file = dict(duckdb.execute(schemas))
        files_by_schema: dict[str, list[Path]] = defaultdict(list)
        for file in scan.files:
            files_by_schema[schema_by_file[str(file)]].append(file)
        return tuple(_group(duckdb, group) for group in files_by_schema.values())
    except DuckDbError as error:
        raise _invalid_file(str(error), scan) from None


def _group(duckdb: DuckDbProcess, files: Sequence[Path]) -> ParquetGroup:
    schema_file = files[0].with_name("schema.parquet")
    rows = f"SELECT * FROM read_parquet({quote_literal(str(files[0]))}, hive_partitioning = false)"
    if not schema_file.exists():
        duckdb.execute(f"COPY ({rows} LIMIT 0) TO {quote_literal(str(schema_file))}")
    columns = duckdb.execute(f"DESCRIBE {rows}")
    return ParquetGroup(
        {name.lower(): kind for name, kind, *_ in columns}, schema_file, tuple(files)
    )


def _invalid_file(message: str, scan: Scan) -> QueryFailed:
    named = (item.location for file, item in scan.objects_by_file().items() if file in message)
    location = next(named, "")
    return QueryFailed("HIVE_BAD_DATA", f"Not valid Parquet file: {location}")


def scanned_bytes(size: int, reads: Iterable[Read]) -> int:
    """Return the bytes that Trino reads of a file of this size, for what DuckDB read of it."""
    times = Counter(reads)
    if not times:
        return 0
    if size <= _SMALL_FILE_BYTES:
        return size * max(times.values())
    ranges: list[Read] = []
    for start, length in sorted(read for read in times if sum(read) < size):
        _merge(ranges, start, start + length)
    repeated = sum((count - 1) * length for (_, length), count in times.items())
    return _FOOTER_BYTES + sum(end - start for start, end in ranges) + repeated


def _merge(ranges: list[Read], start: int, end: int) -> None:
    """Add a range to the last one if Trino reads both at once."""
    if ranges:
        last_start, last_end = ranges[-1]
        if start - last_end <= _MAX_GAP_BYTES and end - last_start <= _MAX_RANGE_BYTES:
            ranges[-1] = (last_start, max(last_end, end))
            return
    ranges.append((start, end))
