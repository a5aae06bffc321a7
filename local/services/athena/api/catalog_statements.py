"""Statements of the catalog: SHOW, DESCRIBE, CREATE, DROP and MSCK REPAIR."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import unquote

from local.services.athena.api.results import Outcome, Row
from local.services.athena.api.session import (
    Session,
    Statement,
    require_table,
    split_name,
    write_rows,
)
from local.services.athena.api.table_changes import (
    add_columns,
    add_partitions,
    drop_partitions,
    set_properties,
)
from local.services.athena.api.table_definitions import (
    TableDefinition,
    create_table_lines,
    parse_table,
)
from local.services.athena.errors import QueryFailed
from local.services.athena.storage.glue_catalog import Column, Table
from local.services.athena.storage.partitions import Layout, parse_location


def _drop(match: re.Match[str], session: Session) -> Outcome:
    database, name = split_name(match["name"], session.database)
    table = session.catalog.table(database, name)
    if table is None and not match["if_exists"]:
        raise QueryFailed("TABLE_NOT_FOUND", f"Table '{database}.{name}' does not exist")
    if table is not None and table.is_view != (match["kind"].upper() == "VIEW"):
        raise QueryFailed(
            "GENERIC_USER_ERROR", f"{database}.{name} is not a {match['kind'].lower()}"
        )
    if table is not None:
        session.catalog.delete_table(database, name)
    return write_rows(session, [], [])


def _show_tables(match: re.Match[str], session: Session) -> Outcome:
    database = split_name(match["database"] or session.database, "")[1]
    only_views = match["kind"].upper() == "VIEWS"
    pattern = _pattern((match["pattern"] or "*").strip("'"))
    names = [
        table["Name"]
        for table in session.catalog.list_tables(database)
        if pattern.fullmatch(table["Name"])
        and (not only_views or table.get("TableType") == "VIRTUAL_VIEW")
    ]
    heading = "views" if only_views else "tab_name"
    return write_rows(session, [heading], [(name,) for name in names])


def _pattern(text: str) -> re.Pattern[str]:
    """Compile the pattern of SHOW TABLES: a regular expression in which * matches any text."""
    try:
        return re.compile(text.replace("*", ".*"), re.IGNORECASE)
    except re.error as error:
        raise QueryFailed("GENERIC_USER_ERROR", f"'{text}' is not a pattern: {error}") from None


def _show_databases(_: re.Match[str], session: Session) -> Outcome:
    names = sorted(database["Name"] for database in session.catalog.list_databases())
    return write_rows(session, ["database_name"], [(name,) for name in names])


def _show_columns(match: re.Match[str], session: Session) -> Outcome:
    database = match["database"]
    table = require_table(session, f"{database}.{match['name']}" if database else match["name"])
    return write_rows(
        session, ["field"], [(column.name,) for column in (*table.columns, *table.keys)]
    )


def _describe(match: re.Match[str], session: Session) -> Outcome:
    table = require_table(session, match["name"])
    rows: list[Row] = [_description_row(column) for column in (*table.columns, *table.keys)]
    if table.keys:
        rows += [("", "", ""), ("# Partition Information", "", "")]
        rows += [_description_row(Column("# col_name", "data_type", "comment")), ("", "", "")]
        rows += [_description_row(column) for column in table.keys]
    return write_rows(session, ["col_name", "data_type", "comment"], rows)


def _description_row(column: Column) -> Row:
    return tuple(part.ljust(20) for part in (column.name, column.type, column.comment))


def _show_create_view(match: re.Match[str], session: Session) -> Outcome:
    table = require_table(session, match["name"])
    if not table.is_view:
        raise QueryFailed("NOT_SUPPORTED", f"{table.database}.{table.name} is not a view")
    lines = f"CREATE VIEW {table.database}.{table.name} AS\n{table.definition.sql}".split("\n")
    return write_rows(session, ["Create View"], [(line,) for line in lines])


def _show_create_table(match: re.Match[str], session: Session) -> Outcome:
    table = require_table(session, match["name"])
    if table.is_view:
        raise QueryFailed("NOT_SUPPORTED", f"{table.database}.{table.name} is not a table")
    definition = session.catalog.get_table(table.database, table.name) or {}
    lines = create_table_lines(table, definition)
    return write_rows(session, ["createtab_stmt"], [(line,) for line in lines])


def _show_properties(match: re.Match[str], session: Session) -> Outcome:
    parameters = require_table(session, match["name"]).parameters
    if match["key"]:
        rows: list[Row] = [(parameters.get(match["key"], ""),)]
    else:
        rows = [(f"{key}\t{value}",) for key, value in sorted(parameters.items())]
    return write_rows(session, ["prpt_name", "prpt_value"], rows)


def _create_database(match: re.Match[str], session: Session) -> Outcome:
    name = split_name(match["database"], "")[1]
    exists = session.catalog.has_database(name)
    if exists and not match["if_not_exists"]:
        raise QueryFailed("SCHEMA_ALREADY_EXISTS", f"Database {name} already exists")
    if not exists:
        session.catalog.create_database(name, match["comment"] or "", match["location"] or "")
    return write_rows(session, [], [])


def _drop_database(match: re.Match[str], session: Session) -> Outcome:
    name = split_name(match["database"], "")[1]
    if not session.catalog.has_database(name):
        if match["if_exists"]:
            return write_rows(session, [], [])
        raise QueryFailed("SCHEMA_NOT_FOUND", f"Database does not exist: {name}")
    if session.catalog.list_tables(name) and (match["cascade"] or "").upper() != "CASCADE":
        raise QueryFailed("SCHEMA_NOT_EMPTY", f"Database {name} is not empty")
    session.catalog.delete_database(name)
    return write_rows(session, [], [])


def parse_create_table(match: re.Match[str], _: Sequence[str]) -> Statement:
    """Parse CREATE EXTERNAL TABLE, or raise Athena's InvalidRequestException."""
    definition = parse_table(match[0])
    return Statement("DDL", "CREATE_TABLE", partial(_create_table, definition))


def _create_table(definition: TableDefinition, session: Session) -> Outcome:
    database = definition.database or session.database
    name = definition.table_input["Name"]
    if not session.catalog.has_database(database):
        raise QueryFailed("SCHEMA_NOT_FOUND", f"Database does not exist: {database}")
    if session.catalog.get_table(database, name) is None:
        session.catalog.create_table(database, definition.table_input)
    elif not definition.if_not_exists:
        raise QueryFailed("TABLE_ALREADY_EXISTS", f"Table {name} already exists")
    return write_rows(session, [], [])


def _show_partitions(match: re.Match[str], session: Session) -> Outcome:
    table = require_table(session, match["name"])
    rows = [_partition_name(table, values) for values, _ in session.catalog.list_partitions(table)]
    return write_rows(session, ["partition"], [(row,) for row in sorted(rows)])


def _partition_name(table: Table, values: Sequence[str]) -> str:
    names = (key.name for key in table.keys)
    return "/".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def _repair(match: re.Match[str], session: Session) -> Outcome:
    """Register the partitions that have a folder below the table but are not in the catalog."""
    table = require_table(session, match["name"])
    names = [key.name for key in table.keys]
    root = parse_location(table.location)
    folder = re.compile(re.escape(root.key_prefix) + "".join(f"{name}=([^/]+)/" for name in names))

    def values_of(_: Any, key: str) -> tuple[str, ...] | None:
        folder_match = folder.match(key)
        return folder_match.groups() if folder_match else None

    known_values = {values for values, _ in session.catalog.list_partitions(table)}
    objects = session.objects.list_objects(Layout([root], values_of))
    missing: dict[tuple[str, ...], str] = {}
    for quoted_values in sorted({lake_object.values for lake_object in objects}):
        values = tuple(map(unquote, quoted_values))
        if values not in known_values:
            missing[values] = _partition_name(table, quoted_values)
    session.catalog.add_partitions(
        table, {values: f"{root.location}{name}/" for values, name in missing.items()}
    )
    rows = [(f"Partitions not in metastore: {table.name}:{name}",) for name in missing.values()]
    return write_rows(session, ["result"], rows)


NAME = r'(?P<name>(?:`[^`]+`|"[^"]+"|\w+)(?:\.(?:`[^`]+`|"[^"]+"|\w+)){0,2})'
_DATABASE = r'(?P<database>`[^`]+`|"[^"]+"|\w+)'
_LIKE = r"(?: (?:LIKE )?(?P<pattern>'[^']*'))?"


def form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE | re.DOTALL)


_PARTITIONS = "(?P<partitions>PARTITION.+)"
_FORMS: dict[str, tuple[str, Callable[[re.Match[str], Session], Outcome]]] = {
    "CREATE_DATABASE": (
        rf"CREATE (?:DATABASE|SCHEMA)(?P<if_not_exists> IF NOT EXISTS)? {_DATABASE}"
        r"(?: COMMENT '(?P<comment>[^']*)')?(?: LOCATION '(?P<location>[^']*)')?",
        _create_database,
    ),
    "DROP_DATABASE": (
        rf"DROP (?:DATABASE|SCHEMA)(?P<if_exists> IF EXISTS)? {_DATABASE}"
        "(?: (?P<cascade>CASCADE|RESTRICT))?",
        _drop_database,
    ),
    "DROP_TABLE": (rf"DROP (?P<kind>TABLE)(?P<if_exists> IF EXISTS)? {NAME}", _drop),
    "DROP_VIEW": (rf"DROP (?P<kind>VIEW)(?P<if_exists> IF EXISTS)? {NAME}", _drop),
    "SHOW_TABLES": (rf"SHOW (?P<kind>TABLES)(?: (?:IN|FROM) {_DATABASE})?{_LIKE}", _show_tables),
    "SHOW_VIEWS": (rf"SHOW (?P<kind>VIEWS)(?: (?:IN|FROM) {_DATABASE})?{_LIKE}", _show_tables),
    "SHOW_DATABASES": ("SHOW (?:DATABASES|SCHEMAS)", _show_databases),
    "SHOW_COLUMNS": (
        rf"SHOW COLUMNS (?:IN|FROM) {NAME}(?: (?:IN|FROM) {_DATABASE})?",
        _show_columns,
    ),
    "SHOW_CREATE_VIEW": (rf"SHOW CREATE VIEW {NAME}", _show_create_view),
    "SHOW_CREATE_TABLE": (rf"SHOW CREATE TABLE {NAME}", _show_create_table),
    "SHOW_TBLPROPERTIES": (
        rf"SHOW TBLPROPERTIES {NAME}(?:\s*\('(?P<key>[^']*)'\))?",
        _show_properties,
    ),
    "SHOW_PARTITIONS": (rf"SHOW PARTITIONS {NAME}", _show_partitions),
    "DESCRIBE_TABLE": (rf"(?:DESCRIBE|DESC) {NAME}", _describe),
    "ALTER_TABLE_SET_TBLPROPERTIES": (
        rf"ALTER TABLE {NAME} SET TBLPROPERTIES\s*\((?P<properties>.+)\)",
        set_properties,
    ),
    "ALTER_TABLE_ADD_COLUMNS": (
        rf"ALTER TABLE {NAME} ADD COLUMNS\s*\((?P<columns>.+)\)",
        add_columns,
    ),
    "ALTER_TABLE_ADD_PARTITION": (
        rf"ALTER TABLE {NAME} ADD(?P<if_not_exists> IF NOT EXISTS)? {_PARTITIONS}",
        add_partitions,
    ),
    "ALTER_TABLE_DROP_PARTITION": (
        rf"ALTER TABLE {NAME} DROP(?P<if_exists> IF EXISTS)? {_PARTITIONS}",
        drop_partitions,
    ),
    "MSCK_REPAIR": (rf"MSCK REPAIR TABLE {NAME}", _repair),
}
"""A statement's SubstatementType → its form, and the function that runs it."""
_PATTERNS = {name: form(pattern) for name, (pattern, _) in _FORMS.items()}


def parse_catalog_statement(text: str) -> Statement | None:
    """Parse a statement of the catalog; return None if the text is of another kind."""
    for name, pattern in _PATTERNS.items():
        match = pattern.fullmatch(text)
        if match:
            kind = "UTILITY" if name.startswith(("SHOW", "DESCRIBE")) else "DDL"
            return Statement(kind, name, partial(_FORMS[name][1], match))
    return None
