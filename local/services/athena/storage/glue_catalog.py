"""Glue's catalog as Athena reads it: databases, tables, and views in AWS's form."""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.services.athena.errors import QueryFailed

CATALOG = "AwsDataCatalog"
Name = tuple[str, str]  # A database and a table in it.
_OPENING, _CLOSING = "/* Presto View: ", " */"


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
        """Whether it is a view."""
        return self.kind == "VIRTUAL_VIEW"

    @property
    def definition(self) -> "View":
        """What a view says of itself."""
        text = self.view_text.removeprefix(_OPENING).removesuffix(_CLOSING)
        try:
            told = json.loads(base64.b64decode(text))
            return View(told["originalSql"], told.get("schema") or self.database)
        except (binascii.Error, ValueError, KeyError) as error:
            raise QueryFailed(
                "INVALID_VIEW", f"Invalid view JSON of {self.database}.{self.name}: {error}"
            ) from None


@dataclass(frozen=True, slots=True)
class View:
    """A view's SQL and the database that its bare table names belong to."""

    sql: str
    database: str


class Catalog:
    """What Glue knows; nothing else can be queried."""

    def __init__(self, glue: Any) -> None:
        self._glue = glue

    def databases(self) -> Iterator[dict[str, Any]]:
        """Yield each database, as Glue tells of it."""
        for page in self._glue.get_paginator("get_databases").paginate():
            yield from page["DatabaseList"]

    def has_database(self, name: str) -> bool:
        """Tell whether a database exists."""
        return any(database["Name"] == name for database in self.databases())

    def tables(self, database: str) -> list[dict[str, Any]]:
        """Return the tables of a database, as Glue tells of them, by name."""
        try:
            pages = self._glue.get_paginator("get_tables").paginate(DatabaseName=database)
            return sorted(
                (table for page in pages for table in page["TableList"]),
                key=lambda table: table["Name"],
            )
        except ClientError as error:
            raise _failed(error, f"Schema '{database}' does not exist") from None

    def described(self, database: str, name: str) -> dict[str, Any] | None:
        """Return a table as Glue tells of it, or None."""
        try:
            return self._glue.get_table(DatabaseName=database, Name=name)["Table"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "EntityNotFoundException":
                return None
            raise _failed(error, "") from None

    def table(self, database: str, name: str) -> Table | None:
        """Return a table or view, or None where the catalog has none of that name."""
        told = self.described(database, name)
        return table_of(told, database) if told else None

    def partitions(self, table: Table) -> Iterator[tuple[tuple[str, ...], str]]:
        """Yield the values and the location of each partition that was registered."""
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=table.database, TableName=table.name
        )
        for page in pages:
            for partition in page["Partitions"]:
                yield tuple(partition["Values"]), partition["StorageDescriptor"]["Location"]

    def add_partitions(self, table: Table, found: dict[tuple[str, ...], str]) -> None:
        """Register partitions at their locations."""
        storage = self.described(table.database, table.name)["StorageDescriptor"]
        inputs = [
            {"Values": list(values), "StorageDescriptor": {**storage, "Location": location}}
            for values, location in sorted(found.items())
        ]
        for start in range(0, len(inputs), 100):
            self._glue.batch_create_partition(
                DatabaseName=table.database,
                TableName=table.name,
                PartitionInputList=inputs[start : start + 100],
            )

    def put_view(self, name: Name, view: View, columns: list[Column], replace: bool) -> None:
        """Write a view into Glue as Athena does."""
        told = self.described(*name)
        if told and (not replace or told.get("TableType") != "VIRTUAL_VIEW"):
            raise QueryFailed("TABLE_ALREADY_EXISTS", f"View already exists: {'.'.join(name)}")
        write = self._glue.update_table if told else self._glue.create_table
        try:
            write(DatabaseName=name[0], TableInput=_view_input(name[1], view, columns))
        except ClientError as error:
            raise _failed(error, f"Schema {name[0]} not found") from None

    def drop(self, database: str, name: str) -> None:
        """Remove a table or view."""
        self._glue.delete_table(DatabaseName=database, Name=name)


def table_of(told: dict[str, Any], database: str) -> Table:
    """Return the table that Glue tells of."""
    storage = told.get("StorageDescriptor", {})
    return Table(
        database=database,
        name=told["Name"],
        columns=_columns(storage.get("Columns", [])),
        keys=_columns(told.get("PartitionKeys", [])),
        location=storage.get("Location", ""),
        serde=storage.get("SerdeInfo", {}).get("SerializationLibrary", ""),
        parameters=told.get("Parameters", {}),
        kind=told.get("TableType", ""),
        view_text=told.get("ViewOriginalText", ""),
    )


def _columns(told: list[dict[str, str]]) -> tuple[Column, ...]:
    return tuple(
        Column(column["Name"].lower(), column.get("Type", "string"), column.get("Comment", ""))
        for column in told
    )


def _view_input(name: str, view: View, columns: list[Column]) -> dict[str, Any]:
    told = {
        "originalSql": view.sql,
        "catalog": "awsdatacatalog",
        "schema": view.database,
        "columns": [{"name": column.name, "type": column.comment} for column in columns],
    }
    text = base64.b64encode(json.dumps(told).encode()).decode()
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
        "ViewOriginalText": f"{_OPENING}{text}{_CLOSING}",
        "ViewExpandedText": "/* Presto View */",
    }


def _failed(error: ClientError, missing: str) -> QueryFailed:
    told = error.response["Error"]
    if told["Code"] == "EntityNotFoundException":
        return QueryFailed("SCHEMA_NOT_FOUND", missing)
    return QueryFailed("HIVE_METASTORE_ERROR", f"{told['Code']}: {told.get('Message', '')}")
