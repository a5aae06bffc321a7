"""Definitions of tables: from Hive's CREATE EXTERNAL TABLE to Glue's form, and back."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from local.core.errors import not_modelled_message
from local.core.request import AwsError
from local.services.athena.frontend.types import hive_name
from local.services.athena.storage.glue_catalog import PARQUET_STORAGE, Column, Table

_TEXT_STORAGE = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {
        "SerializationLibrary": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
        "Parameters": {"serialization.format": "1"},
    },
}
_STORAGE = {"PARQUET": PARQUET_STORAGE, "TEXTFILE": _TEXT_STORAGE}
"""A format of STORED AS → the storage descriptor of its tables."""


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table to create; an empty database is the session's."""

    database: str
    if_not_exists: bool
    table_input: dict[str, Any]


def parse_table(sql: str) -> TableDefinition:
    """Parse CREATE EXTERNAL TABLE, or raise Athena's InvalidRequestException."""
    try:
        create = sqlglot.parse_one(sql, dialect="hive")
    except SqlglotError as error:
        raise _invalid(str(error).partition("\n")[0]) from None
    if not isinstance(create, exp.Create) or not isinstance(create.this, exp.Schema):
        raise _invalid("mismatched input. Expecting: the columns of the table")
    clauses = create.args["properties"].expressions
    name = create.this.this
    definition: dict[str, Any] = {
        "Name": name.name.lower(),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE"},
        "PartitionKeys": [],
        "StorageDescriptor": {**_TEXT_STORAGE, "Columns": _columns(create.this.expressions)},
    }
    for clause in clauses:
        _add_clause(definition, clause)
    if not definition["StorageDescriptor"].get("Location"):
        raise _invalid("LOCATION is missing from CREATE EXTERNAL TABLE")
    return TableDefinition(name.db.lower(), bool(create.args.get("exists")), definition)


def parse_columns(text: str) -> list[dict[str, str]]:
    """Parse the columns of ALTER TABLE ADD COLUMNS into Glue's form."""
    table = parse_table(f"CREATE EXTERNAL TABLE t ({text}\n) LOCATION 's3://b/t/'")
    columns: list[dict[str, str]] = table.table_input["StorageDescriptor"]["Columns"]
    return columns


def _add_clause(definition: dict[str, Any], clause: exp.Expr) -> None:
    """Add a clause after the columns to a TableInput."""
    storage = definition["StorageDescriptor"]
    if isinstance(clause, exp.SchemaCommentProperty):
        definition["Parameters"]["comment"] = clause.name
    elif isinstance(clause, exp.PartitionedByProperty):
        definition["PartitionKeys"] = _columns(clause.this.expressions)
    elif isinstance(clause, exp.LocationProperty):
        storage["Location"] = clause.name
    elif isinstance(clause, exp.RowFormatSerdeProperty):
        properties = clause.args.get("serde_properties")
        storage["SerdeInfo"] = {
            "SerializationLibrary": clause.name,
            "Parameters": _pairs(properties.expressions if properties else []),
        }
    elif isinstance(clause, exp.FileFormatProperty):
        _add_format(storage, clause.this)
    elif type(clause) is exp.Property:
        definition["Parameters"] |= _pairs([clause])
    elif not isinstance(clause, exp.ExternalProperty):
        raise _invalid(not_modelled_message(type(clause).__name__))


def _add_format(storage: dict[str, Any], file_format: exp.Expr) -> None:
    if isinstance(file_format, exp.InputOutputFormat):
        storage["InputFormat"] = file_format.args["input_format"].name
        storage["OutputFormat"] = file_format.args["output_format"].name
        return
    if file_format.name.upper() not in _STORAGE:
        raise _invalid(not_modelled_message(f"STORED AS {file_format.name.upper()}"))
    given_serde = storage["SerdeInfo"]
    storage |= _STORAGE[file_format.name.upper()]
    if given_serde is not _TEXT_STORAGE["SerdeInfo"]:
        storage["SerdeInfo"] = given_serde


def _columns(nodes: Iterable[exp.Expr]) -> list[dict[str, str]]:
    columns = []
    for node in nodes:
        kind = node.args.get("kind")
        constraints = [part.kind for part in node.args.get("constraints") or ()]
        comments = [
            part.name for part in constraints if isinstance(part, exp.CommentColumnConstraint)
        ]
        if kind is None or len(comments) < len(constraints):
            raise _invalid(f"mismatched input '{node.name}'. Expecting: a column and its type")
        comment = {"Comment": comments[0]} if comments else {}
        columns.append({"Name": node.name.lower(), "Type": hive_name(kind), **comment})
    return columns


def _pairs(nodes: Iterable[exp.Expr]) -> dict[str, str]:
    return {node.name: node.args["value"].name for node in nodes}


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidRequestException", message)


def create_table_lines(table: Table, definition: Mapping[str, Any]) -> list[str]:
    """Return the lines of SHOW CREATE TABLE; `definition` is the table as Glue returns it."""
    storage = definition["StorageDescriptor"]
    serde = storage.get("SerdeInfo", {})
    lines = [f"CREATE EXTERNAL TABLE `{table.database}.{table.name}`("]
    lines += _column_lines(table.columns)
    if table.parameters.get("comment"):
        lines.append(f"COMMENT {_quote(table.parameters['comment'])}")
    if table.keys:
        lines += ["PARTITIONED BY ( ", *_column_lines(table.keys)]
    lines += ["ROW FORMAT SERDE ", f"  {_quote(table.serde)} "]
    if serde.get("Parameters"):
        lines += ["WITH SERDEPROPERTIES ( ", *_property_lines(serde["Parameters"])]
    lines += ["STORED AS INPUTFORMAT ", f"  {_quote(storage.get('InputFormat', ''))} "]
    lines += ["OUTPUTFORMAT ", f"  {_quote(storage.get('OutputFormat', ''))}"]
    lines += ["LOCATION", f"  {_quote(table.location)}"]
    parameters = {key: value for key, value in table.parameters.items() if key not in _OWN_CLAUSES}
    return [*lines, "TBLPROPERTIES (", *_property_lines(parameters)] if parameters else lines


_OWN_CLAUSES = ("EXTERNAL", "comment")


def _column_lines(columns: Iterable[Column]) -> list[str]:
    lines = []
    for column in columns:
        comment = f" COMMENT {_quote(column.comment)}" if column.comment else ""
        lines.append(f"  `{column.name}` {column.type}{comment}, ")
    return [*lines[:-1], f"{lines[-1].removesuffix(', ')})"]


def _property_lines(parameters: Mapping[str, str]) -> list[str]:
    pairs = [f"  {_quote(key)}={_quote(value)}, " for key, value in sorted(parameters.items())]
    return [*pairs[:-1], f"{pairs[-1].removesuffix(', ')})"]


def _quote(text: str) -> str:
    return "'" + re.sub(r"(['\\])", r"\\\1", text) + "'"
