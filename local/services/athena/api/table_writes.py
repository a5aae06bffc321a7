"""Statements that write Parquet: CREATE TABLE AS, INSERT INTO and UNLOAD."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import unquote

from sqlglot import exp

from local.core.errors import not_modelled_message
from local.core.request import AwsError
from local.services.athena.api.parameters import with_parameters
from local.services.athena.api.results import Outcome
from local.services.athena.api.session import (
    UNSUPPORTED,
    Session,
    Statement,
    hive_columns,
    require_table,
    write_rows,
)
from local.services.athena.backend.engine import OutputColumn, ParquetCopy, Plan
from local.services.athena.errors import QueryFailed, not_modelled
from local.services.athena.frontend.parser import parse
from local.services.athena.frontend.query import Query, as_query, parse_query
from local.services.athena.frontend.types import display_name, from_duckdb, from_hive, is_comparable
from local.services.athena.storage.glue_catalog import (
    CATALOG,
    PARQUET_SERDE,
    PARQUET_STORAGE,
    Column,
    Name,
    Table,
    table_input,
)
from local.services.athena.storage.partitions import S3Prefix, parse_location, partition_location

_MAX_PARTITIONS = 100
_COMPRESSIONS = {"NONE": "uncompressed", "GZIP": "gzip", "SNAPPY": "snappy", "ZSTD": "zstd"}
"""Athena's name of a compression → DuckDB's."""
_COMPRESSION_PROPERTIES = ("write_compression", "parquet_compression", "compression")
_MODELLED_VALUES = {
    "format": ("PARQUET",),
    "table_type": ("HIVE",),
    "is_external": ("TRUE",),
    **dict.fromkeys(_COMPRESSION_PROPERTIES, tuple(_COMPRESSIONS)),
}
"""A property of WITH → the values that are modelled."""
_PROPERTY_NAMES: dict[type[exp.Expr], str] = {
    exp.PartitionedByProperty: "partitioned_by",
    exp.FileFormatProperty: "format",
    exp.WithDataProperty: "no_data",
}
_COUNT = (OutputColumn("rows", "BIGINT"),)
Values = tuple[str, ...]
"""The values of a partition."""


@dataclass(frozen=True, slots=True)
class Properties:
    """What the WITH of a CREATE TABLE AS or an UNLOAD says."""

    location: str
    keys: tuple[str, ...]
    compression: str
    has_data: bool


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a statement writes: a table, and the location of each partition that it has."""

    table: Table
    compression: str = "gzip"
    partitions: Mapping[Values, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Output:
    """What a statement has written: the location of each partition, and each file's address."""

    partitions: dict[Values, str]
    urls: tuple[str, ...]
    rows: int
    scanned_bytes: int


def parse_create_table_as(match: re.Match[str], parameters: Sequence[str]) -> Statement:
    """Parse CREATE TABLE AS, or raise Athena's InvalidRequestException."""
    create = parse(match[0])
    if not isinstance(create, exp.Create) or not isinstance(create.expression, exp.Query):
        raise AwsError("InvalidRequestException", UNSUPPORTED)
    query = with_parameters(Query(match[0], (), create.expression), parameters)
    properties = _properties(create)
    return Statement(
        "DDL",
        "CREATE_TABLE_AS_SELECT",
        partial(_create_table_as, create, query, properties),
        "tables/{}",
        properties.location,
    )


def parse_insert(match: re.Match[str], parameters: Sequence[str]) -> Statement:
    """Parse INSERT INTO, or raise Athena's InvalidRequestException."""
    insert = parse(match[0])
    if not isinstance(insert, exp.Insert):
        raise AwsError("InvalidRequestException", UNSUPPORTED)
    query = Query(match[0], (), as_query(insert.expression))
    run = partial(_insert, insert, with_parameters(query, parameters))
    return Statement("DML", "INSERT", run, "{}")


def parse_unload(match: re.Match[str], parameters: Sequence[str]) -> Statement:
    """Parse UNLOAD, or raise Athena's InvalidRequestException."""
    query = with_parameters(parse_query(match["query"]), parameters)
    properties = _properties(parse(f"CREATE TABLE unload {match['with']} AS SELECT 1"))
    run = partial(_unload, query, match["location"].replace("''", "'"), properties)
    return Statement("DML", "UNLOAD", run, "{}")


def _properties(create: exp.Expr) -> Properties:
    clause = create.args.get("properties") or exp.Properties()
    values = dict(map(_property, clause.expressions))
    for name, value in values.items():
        choices = _MODELLED_VALUES.get(name)
        is_known = name in ("external_location", "partitioned_by", "no_data")
        if not is_known and (choices is None or str(value).upper() not in choices):
            message = not_modelled_message(f"The property {name} = {value!r}")
            raise AwsError("InvalidRequestException", message)
    compressions = [values[name] for name in _COMPRESSION_PROPERTIES if name in values]
    return Properties(
        location=str(values.get("external_location", "")),
        keys=tuple(name.lower() for name in values.get("partitioned_by", ())),
        compression=_COMPRESSIONS[(compressions or ["GZIP"])[0].upper()],
        has_data=not values.get("no_data"),
    )


def _property(node: exp.Expr) -> tuple[str, Any]:
    """Return the name and the value of a property: a text, or a list of texts."""
    if isinstance(node, exp.WithDataProperty):
        return "no_data", bool(node.args.get("no"))
    name = _PROPERTY_NAMES.get(type(node)) or node.name or type(node).__name__
    value = node.args.get("value") or node.this
    if isinstance(value, exp.Array):
        return name.lower(), [item.name for item in value.expressions]
    return name.lower(), value.name if isinstance(value, exp.Literal) else str(value)


def _create_table_as(
    create: exp.Create, query: Query, properties: Properties, session: Session
) -> Outcome:
    database, name = (create.this.db or session.database).lower(), create.this.name.lower()
    if not session.catalog.has_database(database):
        raise QueryFailed("SCHEMA_NOT_FOUND", f"Schema {database} not found")
    if session.catalog.get_table(database, name) is not None:
        if create.args.get("exists"):
            return write_rows(session, [], [])
        raise QueryFailed(
            "TABLE_ALREADY_EXISTS",
            f"line 1:1: Destination table '{CATALOG.lower()}.{database}.{name}' already exists",
        )
    plan = session.engine.plan(query, session.database, session.now)
    columns = hive_columns(plan.columns)
    location = parse_location(properties.location or session.output_location)
    table = _parquet_table((database, name), columns, properties.keys, location)
    _require_empty(session, table)
    output = Output({}, (), 0, 0)
    if properties.has_data:
        output = _write(session, plan, columns, Destination(table, properties.compression))
    session.catalog.create_table(database, table_input(table, PARQUET_STORAGE))
    session.catalog.add_partitions(table, output.partitions)
    return _outcome(session, output)


def _parquet_table(
    name: Name, columns: Sequence[Column], key_names: Sequence[str], location: S3Prefix
) -> Table:
    """Return a table whose last columns are its partition keys."""
    names = [column.name for column in columns]
    count = len(columns) - len(key_names)
    if names[count:] != list(key_names):
        raise QueryFailed(
            "HIVE_COLUMN_ORDER_MISMATCH",
            "Partition keys must be the last columns in the table and in the same order as the "
            f"table properties: [{', '.join(key_names)}]",
        )
    if not count:
        raise QueryFailed("INVALID_TABLE_PROPERTY", "Table contains only partition columns")
    return Table(
        *name,
        columns=tuple(columns[:count]),
        keys=tuple(columns[count:]),
        location=location.location,
        serde=PARQUET_SERDE,
        parameters={"EXTERNAL": "TRUE"},
        kind="EXTERNAL_TABLE",
        view_text="",
    )


def _require_empty(session: Session, table: Table) -> None:
    prefix = parse_location(table.location)
    page = session.s3.list_objects_v2(Bucket=prefix.bucket, Prefix=prefix.key_prefix, MaxKeys=1)
    if page.get("KeyCount"):
        raise QueryFailed(
            "HIVE_PATH_ALREADY_EXISTS",
            f"Target directory for table '{table.database}.{table.name}' already exists: "
            f"{table.location}",
        )


def _insert(insert: exp.Insert, query: Query, session: Session) -> Outcome:
    target = insert.this.this if isinstance(insert.this, exp.Schema) else insert.this
    table = require_table(session, ".".join(part.name for part in target.parts))
    if table.serde != PARQUET_SERDE:
        raise not_modelled("INSERT INTO a table that does not store Parquet")
    plan = session.engine.plan(query, session.database, session.now)
    columns = _target_columns(insert, table)
    _check_types(columns, plan.columns)
    others = [column for column in (*table.columns, *table.keys) if column not in columns]
    is_projected = table.parameters.get("projection.enabled") == "true"
    known = {} if is_projected else dict(session.catalog.list_partitions(table))
    destination = Destination(table, partitions=known)
    output = _write(session, plan, [*columns, *others], destination)
    if not is_projected:
        new_values = output.partitions.keys() - known.keys()
        partitions = {values: output.partitions[values] for values in new_values}
        session.catalog.add_partitions(table, partitions)
    return _outcome(session, output)


def _target_columns(insert: exp.Insert, table: Table) -> list[Column]:
    """Return the columns of a table that an INSERT gives values for, in its order."""
    columns = {column.name: column for column in (*table.columns, *table.keys)}
    if not isinstance(insert.this, exp.Schema):
        return list(columns.values())
    names = [node.name.lower() for node in insert.this.expressions]
    unknown = next((name for name in names if name not in columns), None)
    if unknown is not None:
        raise QueryFailed(
            "COLUMN_NOT_FOUND", f"line 1:1: Insert column name does not exist in target: {unknown}"
        )
    return [columns[name] for name in names]


def _check_types(columns: Sequence[Column], given: Sequence[OutputColumn]) -> None:
    """Fail unless each value can be stored in its column without a cast."""
    expected_types = [from_hive(column.type) for column in columns]
    given_types = [from_duckdb(column.type) for column in given]
    pairs = zip_longest(expected_types, given_types)
    if not all(left and right and is_comparable(left, right) for left, right in pairs):
        expected, given_names = (
            ", ".join(map(display_name, kinds)) for kinds in (expected_types, given_types)
        )
        raise QueryFailed(
            "TYPE_MISMATCH",
            "line 1:1: Insert query has mismatched column types: "
            f"Table: [{expected}], Query: [{given_names}]",
        )


def _unload(query: Query, location: str, properties: Properties, session: Session) -> Outcome:
    plan = session.engine.plan(query, session.database, session.now)
    columns = hive_columns(plan.columns)
    name = (session.database, "tmp_unload")
    table = _parquet_table(name, columns, properties.keys, parse_location(location))
    _require_empty(session, table)
    destination = Destination(table, properties.compression)
    return _outcome(session, _write(session, plan, columns, destination))


def _write(
    session: Session, plan: Plan, columns: Sequence[Column], destination: Destination
) -> Output:
    """Write the rows of a plan; columns without a value are NULL."""
    table = destination.table
    keys = tuple(key.name for key in table.keys)
    with TemporaryDirectory(dir=session.file.parent.parent) as folder:
        path = Path(folder) / "rows"
        copy = ParquetCopy(path, tuple(columns), keys, destination.compression)
        rows, scanned_bytes = session.engine.write_parquet(plan, copy)
        session.check_scan(scanned_bytes)
        files = _partition_files(path) if keys else [((), path)]
        partitions = {
            values: destination.partitions.get(values) or partition_location(table, values)
            for values in sorted({values for values, _ in files})
        }
        if len(partitions) > _MAX_PARTITIONS:
            raise QueryFailed(
                "HIVE_TOO_MANY_OPEN_PARTITIONS",
                f"Exceeded limit of {_MAX_PARTITIONS} open writers for partitions/buckets",
            )
        urls = [_upload(session, file, partitions[values]) for values, file in files if rows]
    return Output(partitions if keys else {}, tuple(urls), rows, scanned_bytes)


def _partition_files(folder: Path) -> list[tuple[Values, Path]]:
    """Return each file that DuckDB has written below `folder`, with its partition values."""
    return [
        (
            tuple(unquote(part.partition("=")[2]) for part in file.relative_to(folder).parts[:-1]),
            file,
        )
        for file in sorted(folder.rglob("*.parquet"))
    ]


def _upload(session: Session, file: Path, location: str) -> str:
    """Upload a file under a new name, and return its s3:// address."""
    prefix = parse_location(location)
    key = f"{prefix.key_prefix}{session.now:%Y%m%d_%H%M%S}_{uuid.uuid4()}"
    with file.open("rb") as content:
        session.s3.put_object(Bucket=prefix.bucket, Key=key, Body=content)
    return f"s3://{prefix.bucket}/{key}"


def _outcome(session: Session, output: Output) -> Outcome:
    """Write the manifest, which names each written file, beside the result."""
    manifest = f"{session.output_location.removesuffix('.csv')}-manifest.csv"
    prefix = parse_location(manifest)
    body = "".join(f"{url}\n" for url in output.urls).encode()
    session.s3.put_object(Bucket=prefix.bucket, Key=prefix.key_prefix.removesuffix("/"), Body=body)
    return Outcome(_COUNT, output.scanned_bytes, output.rows, manifest)
