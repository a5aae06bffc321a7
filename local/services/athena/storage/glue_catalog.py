"""Glue catalog: databases, tables, and views in the form that Athena stores them in."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.services.athena.errors import QueryFailed

CATALOG = "AwsDataCatalog"
PATH = "$path"
"""The hidden column of each table: the location of a row's object. `*` leaves it out."""
_PARQUET = "org.apache.hadoop.hive.ql.io.parquet"
PARQUET_SERDE = f"{_PARQUET}.serde.ParquetHiveSerDe"
PARQUET_STORAGE: dict[str, Any] = {
    "InputFormat": f"{_PARQUET}.MapredParquetInputFormat",
    "OutputFormat": f"{_PARQUET}.MapredParquetOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": PARQUET_SERDE,
        "Parameters": {"serialization.format": "1"},
    },
}
"""The storage descriptor of a Parquet table, without columns and location."""
Name = tuple[str, str]
"""A database and a table in it."""
TableChange = Callable[[dict[str, Any]], None]
"""Changes a table's definition, given as Glue's TableInput."""
_INPUT_MEMBERS = (
    "Name",
    "Description",
    "Owner",
    "Retention",
    "StorageDescriptor",
    "PartitionKeys",
    "TableType",
    "Parameters",
)
"""What a TableInput may have of a table; a view has more."""
_VIEW_PREFIX = "/* Presto View: "
_VIEW_SUFFIX = " */"
_MAX_BATCH_PARTITIONS = 100


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a Glue table and its Hive type."""

    name: str
    type: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table or view of the catalog."""

    database: str
    name: str
    columns: tuple[Column, ...]
    keys: tuple[Column, ...]
    location: str
    serde: str
    parameters: dict[str, str]
    kind: str
    view_text: str

    @property
    def is_view(self) -> bool:
        """Whether the table is a view."""
        return self.kind == "VIRTUAL_VIEW"

    @property
    def definition(self) -> "View":
        """The query of a view."""
        text = self.view_text.removeprefix(_VIEW_PREFIX).removesuffix(_VIEW_SUFFIX)
        try:
            view = json.loads(base64.b64decode(text))
            return View(view["originalSql"], view.get("schema") or self.database)
        except (binascii.Error, ValueError, KeyError) as error:
            raise QueryFailed(
                "INVALID_VIEW", f"Invalid view JSON of {self.database}.{self.name}: {error}"
            ) from None


@dataclass(frozen=True, slots=True)
class View:
    """A view's SQL and the database of its unqualified table names."""

    sql: str
    database: str


class Catalog:
    """The Glue catalog; only its tables can be queried.

    Those in `known_tables` are not read again, and what is read is added to them.
    """

    def __init__(self, glue: Any, known_tables: dict[Name, Table] | None = None) -> None:
        self._glue = glue
        self._known_tables = {} if known_tables is None else known_tables

    def list_databases(self) -> Iterator[dict[str, Any]]:
        """Yield each database as Glue returns it."""
        for page in self._glue.get_paginator("get_databases").paginate():
            yield from page["DatabaseList"]

    def has_database(self, name: str) -> bool:
        """Return whether a database exists."""
        return any(database["Name"] == name for database in self.list_databases())

    def create_database(self, name: str, comment: str, location: str) -> None:
        """Create a database; comment and location may be empty."""
        optional = {"Description": comment, "LocationUri": location}
        given = {key: value for key, value in optional.items() if value}
        self._glue.create_database(DatabaseInput={"Name": name, **given})

    def delete_database(self, name: str) -> None:
        """Delete a database with its tables."""
        self._glue.delete_database(Name=name)

    def list_tables(self, database: str) -> list[dict[str, Any]]:
        """Return the tables of a database as Glue returns them, sorted by name."""
        try:
            pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=database)
            return sorted(
                (table for page in pages for table in page["TableList"]),
                key=lambda table: table["Name"],
            )
        except ClientError as error:
            raise _glue_failure(error, f"Schema '{database}' does not exist") from None

    def get_table(self, database: str, name: str) -> dict[str, Any] | None:
        """Return a table as Glue returns it, or None if it does not exist."""
        try:
            response: dict[str, Any] = self._glue.get_table(DatabaseName=database, Name=name)
            return dict(response["Table"])
        except ClientError as error:
            if error.response["Error"]["Code"] == "EntityNotFoundException":
                return None
            raise _glue_failure(error, "") from None

    def table(self, database: str, name: str) -> Table | None:
        """Return a table or view, or None if it does not exist."""
        known = self._known_tables.get((database, name))
        if known is not None:
            return known
        glue_table = self.get_table(database, name)
        if glue_table is None:
            return None
        table = table_from_glue(glue_table, database)
        self._known_tables[database, name] = table
        return table

    def list_partitions(self, table: Table) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the values and the location of each registered partition."""
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=table.database, TableName=table.name
        )
        for page in pages:
            for partition in page["Partitions"]:
                yield tuple(partition["Values"]), partition["StorageDescriptor"]["Location"]

    def add_partitions(self, table: Table, locations: dict[tuple[str, ...], str]) -> None:
        """Register partitions, given as a location for each tuple of values."""
        glue_table = self.get_table(table.database, table.name) or {}
        storage = glue_table["StorageDescriptor"]
        inputs = [
            {"Values": list(values), "StorageDescriptor": {**storage, "Location": location}}
            for values, location in sorted(locations.items())
        ]
        for start in range(0, len(inputs), _MAX_BATCH_PARTITIONS):
            self._glue.batch_create_partition(
                DatabaseName=table.database,
                TableName=table.name,
                PartitionInputList=inputs[start : start + _MAX_BATCH_PARTITIONS],
            )

    def delete_partitions(self, table: Table, partitions: list[tuple[str, ...]]) -> None:
        """Delete partitions, given as tuples of values, from the catalog."""
        for values in partitions:
            self._glue.delete_partition(
                DatabaseName=table.database, TableName=table.name, PartitionValues=list(values)
            )

    def update_table(self, table: Table, change: TableChange) -> None:
        """Change the definition of a table."""
        glue_table = self.get_table(table.database, table.name) or {}
        definition = {name: glue_table[name] for name in _INPUT_MEMBERS if name in glue_table}
        change(definition)
        self._glue.update_table(DatabaseName=table.database, TableInput=definition)

    def put_view(self, name: Name, view: View, columns: list[Column], replace: bool) -> None:
        """Create or replace a view in the form that Athena stores it in."""
        existing = self.get_table(*name)
        if existing and (not replace or existing.get("TableType") != "VIRTUAL_VIEW"):
            raise QueryFailed("TABLE_ALREADY_EXISTS", f"View already exists: {'.'.join(name)}")
        write = self._glue.update_table if existing else self._glue.create_table
        try:
            write(DatabaseName=name[0], TableInput=_view_input(name[1], view, columns))
        except ClientError as error:
            raise _glue_failure(error, f"Schema {name[0]} not found") from None

    def create_table(self, database: str, definition: dict[str, Any]) -> None:
        """Create a table, given as Glue's TableInput."""
        try:
            self._glue.create_table(DatabaseName=database, TableInput=definition)
        except ClientError as error:
            raise _glue_failure(error, f"Schema {database} not found") from None

    def delete_table(self, database: str, name: str) -> None:
        """Delete a table or view."""
        self._glue.delete_table(DatabaseName=database, Name=name)


def table_from_glue(glue_table: dict[str, Any], database: str) -> Table:
    """Convert a table as Glue returns it."""
    storage = glue_table.get("StorageDescriptor", {})
    return Table(
        database=database,
        name=glue_table["Name"],
        columns=_columns(storage.get("Columns", [])),
        keys=_columns(glue_table.get("PartitionKeys", [])),
        location=storage.get("Location", ""),
        serde=storage.get("SerdeInfo", {}).get("SerializationLibrary", ""),
        parameters=glue_table.get("Parameters", {}),
        kind=glue_table.get("TableType", ""),
        view_text=glue_table.get("ViewOriginalText", ""),
    )


def _columns(glue_columns: list[dict[str, str]]) -> tuple[Column, ...]:
    return tuple(
        Column(column["Name"].lower(), column.get("Type", "string"), column.get("Comment", ""))
        for column in glue_columns
    )


def table_input(table: Table, storage: dict[str, Any]) -> dict[str, Any]:
    """Return a table as Glue's TableInput; `storage` is how its rows are stored."""
    columns, keys = (
        [{"Name": column.name, "Type": column.type} for column in columns]
        for columns in (table.columns, table.keys)
    )
    return {
        "Name": table.name,
        "TableType": table.kind,
        "Parameters": table.parameters,
        "PartitionKeys": keys,
        "StorageDescriptor": {**storage, "Columns": columns, "Location": table.location},
    }


def _view_input(name: str, view: View, columns: list[Column]) -> dict[str, Any]:
    definition = {
        "originalSql": view.sql,
        "catalog": "awsdatacatalog",
        "schema": view.database,
        "columns": [{"name": column.name, "type": column.comment} for column in columns],
    }
    text = base64.b64encode(json.dumps(definition).encode()).decode()
    return {
        "Name": name,
        "TableType": "VIRTUAL_VIEW",
        "Parameters": {"presto_view": "true", "comment": "Presto View"},
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": column.name, "Type": column.type} for column in columns],
            "Location": "",
            "SerdeInfo": {},
        },
        "ViewOriginalText": f"{_VIEW_PREFIX}{text}{_VIEW_SUFFIX}",
        "ViewExpandedText": "/* Presto View */",
    }


def _glue_failure(error: ClientError, not_found_message: str) -> QueryFailed:
    details = error.response["Error"]
    if details["Code"] == "EntityNotFoundException":
        return QueryFailed("SCHEMA_NOT_FOUND", not_found_message)
    return QueryFailed("HIVE_METASTORE_ERROR", f"{details['Code']}: {details.get('Message', '')}")
