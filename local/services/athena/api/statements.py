"""Statements: queries, views, and the SHOW, DESCRIBE and DROP statements of the catalog."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from local.core.errors import not_modelled_message
from local.core.request import AwsError
from local.services.athena.api.parameters import with_parameters
from local.services.athena.api.results import Outcome, Row, write_text
from local.services.athena.backend.engine import Engine, OutputColumn
from local.services.athena.errors import QueryCancelled, QueryFailed
from local.services.athena.frontend.query import Query, parse_query
from local.services.athena.frontend.types import display_name, from_duckdb, to_hive
from local.services.athena.storage.glue_catalog import Catalog, Column, Table, View
from local.services.athena.storage.object_cache import ObjectCache
from local.services.athena.storage.partitions import Layout, parse_location

SCAN_LIMIT_EXCEEDED = "Bytes scanned limit was exceeded"


@dataclass(frozen=True, slots=True)
class Session:
    """The context of a statement; `scan_limit` is the workgroup's limit in bytes."""

    engine: Engine
    catalog: Catalog
    objects: ObjectCache
    database: str
    now: datetime
    file: Path
    scan_limit: int | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its type in Athena and the function that runs it."""

    kind: str
    substatement: str
    run: Callable[[Session], Outcome]

    @property
    def suffix(self) -> str:
        """The suffix of the result file."""
        return ".csv" if self.kind == "DML" else ".txt"


def parse_statement(sql: str, parameters: Sequence[str]) -> Statement:
    """Parse a statement, or raise Athena's InvalidRequestException."""
    text = _strip_comments(sql)
    for form in _STATEMENT_FORMS:
        match = form.pattern.fullmatch(text)
        if match:
            return Statement(form.kind, form.name, partial(form.run, match))
    view = _CREATE_VIEW.fullmatch(text)
    if view:
        return Statement(
            "DDL", "CREATE_VIEW", partial(_create_view, view, parse_query(view["query"]))
        )
    if not _QUERY.match(text):
        raise _unsupported(text)
    query = with_parameters(parse_query(text), parameters)
    return Statement("DML", "SELECT", partial(_select, query))


def _strip_comments(sql: str) -> str:
    """Remove the comments before a statement and the semicolon after it."""
    text = sql.strip()
    while comment := re.match(r"--[^\n]*(\n|$)|/\*.*?\*/", text, re.DOTALL):
        text = text[comment.end() :].strip()
    return re.sub(r"[;\s]+$", "", text)


def _unsupported(text: str) -> AwsError:
    word = text.split(maxsplit=1)[0] if text else "<EOF>"
    if word.upper() not in _ATHENA_KEYWORDS:
        known = ", ".join(_ATHENA_KEYWORDS)
        return AwsError(
            "InvalidRequestException",
            f"line 1:1: mismatched input '{word}'. Expecting: <query>, {known}",
        )
    return AwsError("InvalidRequestException", not_modelled_message(word.upper()))


_ATHENA_KEYWORDS = (
    "ALTER",
    "ANALYZE",
    "CALL",
    "CREATE",
    "DEALLOCATE",
    "DELETE",
    "DESCRIBE",
    "DROP",
    "EXECUTE",
    "EXPLAIN",
    "GRANT",
    "INSERT",
    "MERGE",
    "MSCK",
    "OPTIMIZE",
    "PREPARE",
    "SHOW",
    "UNLOAD",
    "UPDATE",
    "USE",
    "VACUUM",
)
_QUERY = re.compile(r"(SELECT|WITH|VALUES|TABLE|\()", re.IGNORECASE)


def _select(query: Query, session: Session) -> Outcome:
    plan = session.engine.plan(query, session.database, session.now)
    scanned_bytes = session.engine.write(plan, session.file)
    if session.scan_limit is not None and scanned_bytes > session.scan_limit:
        raise QueryCancelled(SCAN_LIMIT_EXCEEDED)
    return Outcome(plan.columns, ".csv", scanned_bytes)


def _create_view(match: re.Match[str], query: Query, session: Session) -> Outcome:
    name = _split_name(match["name"], session.database)
    plan = session.engine.plan(query, session.database, session.now, name)
    columns = [
        Column(column.name, to_hive(column.type), display_name(from_duckdb(column.type)))
        for column in plan.columns
    ]
    _reject_duplicate_columns(columns)
    _reject_zoned_columns(plan.columns)
    view = View(query.text, session.database)
    session.catalog.put_view(name, view, columns, replace=bool(match["replace"]))
    return _write_rows(session, [], [])


def _reject_duplicate_columns(columns: Sequence[Column]) -> None:
    names = [column.name for column in columns]
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise QueryFailed(
            "DUPLICATE_COLUMN_NAME", f"Column name '{duplicate}' is specified more than once"
        )


def _reject_zoned_columns(columns: Sequence[OutputColumn]) -> None:
    """Reject timestamps with time zone, for which Hive has no type."""
    for column in columns:
        if column.type == "TIMESTAMP WITH TIME ZONE":
            raise QueryFailed(
                "NOT_SUPPORTED",
                "Unsupported Hive type: timestamp(3) with time zone: cast the view's column "
                f"{column.name} to timestamp",
            )


def _write_rows(session: Session, names: Sequence[str], rows: Sequence[Row]) -> Outcome:
    write_text(session.file, rows)
    return Outcome(tuple(OutputColumn(name, "string") for name in names), ".txt")


def _split_name(name: str, database: str) -> tuple[str, str]:
    """Return the database and the name of a table, as DDL spells them."""
    parts = [part.strip('`"').lower() for part in re.findall(r'`[^`]+`|"[^"]+"|[^.`"]+', name)]
    return (parts[-2] if len(parts) > 1 else database), parts[-1]


def _require_table(session: Session, name: str) -> Table:
    database, table_name = _split_name(name, session.database)
    table = session.catalog.table(database, table_name)
    if table is None:
        raise QueryFailed("TABLE_NOT_FOUND", f"Table '{database}.{table_name}' does not exist")
    return table


def _drop(match: re.Match[str], session: Session) -> Outcome:
    database, name = _split_name(match["name"], session.database)
    table = session.catalog.table(database, name)
    if table is None and not match["if_exists"]:
        raise QueryFailed("TABLE_NOT_FOUND", f"Table '{database}.{name}' does not exist")
    if table is not None and table.is_view != (match["kind"].upper() == "VIEW"):
        raise QueryFailed(
            "GENERIC_USER_ERROR", f"{database}.{name} is not a {match['kind'].lower()}"
        )
    if table is not None:
        session.catalog.delete_table(database, name)
    return _write_rows(session, [], [])


def _show_tables(match: re.Match[str], session: Session) -> Outcome:
    database = _split_name(match["database"] or session.database, "")[1]
    only_views = match["kind"].upper() == "VIEWS"
    pattern = _pattern((match["pattern"] or "*").strip("'"))
    names = [
        table["Name"]
        for table in session.catalog.list_tables(database)
        if pattern.fullmatch(table["Name"])
        and (not only_views or table.get("TableType") == "VIRTUAL_VIEW")
    ]
    heading = "views" if only_views else "tab_name"
    return _write_rows(session, [heading], [(name,) for name in names])


def _pattern(text: str) -> re.Pattern[str]:
    """Compile the pattern of SHOW TABLES: a regular expression in which * matches any text."""
    try:
        return re.compile(text.replace("*", ".*"), re.IGNORECASE)
    except re.error as error:
        raise QueryFailed("GENERIC_USER_ERROR", f"'{text}' is not a pattern: {error}") from None


def _show_databases(_: re.Match[str], session: Session) -> Outcome:
    names = sorted(database["Name"] for database in session.catalog.list_databases())
    return _write_rows(session, ["database_name"], [(name,) for name in names])


def _show_columns(match: re.Match[str], session: Session) -> Outcome:
    database = match["database"]
    table = _require_table(session, f"{database}.{match['name']}" if database else match["name"])
    return _write_rows(
        session, ["field"], [(column.name,) for column in (*table.columns, *table.keys)]
    )


def _describe(match: re.Match[str], session: Session) -> Outcome:
    table = _require_table(session, match["name"])
    rows: list[Row] = [_description_row(column) for column in (*table.columns, *table.keys)]
    if table.keys:
        rows += [("", "", ""), ("# Partition Information", "", "")]
        rows += [_description_row(Column("# col_name", "data_type", "comment")), ("", "", "")]
        rows += [_description_row(column) for column in table.keys]
    return _write_rows(session, ["col_name", "data_type", "comment"], rows)


def _description_row(column: Column) -> Row:
    return tuple(part.ljust(20) for part in (column.name, column.type, column.comment))


def _show_create_view(match: re.Match[str], session: Session) -> Outcome:
    table = _require_table(session, match["name"])
    if not table.is_view:
        raise QueryFailed("NOT_SUPPORTED", f"{table.database}.{table.name} is not a view")
    lines = f"CREATE VIEW {table.database}.{table.name} AS\n{table.definition.sql}".split("\n")
    return _write_rows(session, ["Create View"], [(line,) for line in lines])


def _show_partitions(match: re.Match[str], session: Session) -> Outcome:
    table = _require_table(session, match["name"])
    rows = [_partition_name(table, values) for values, _ in session.catalog.list_partitions(table)]
    return _write_rows(session, ["partition"], [(row,) for row in sorted(rows)])


def _partition_name(table: Table, values: Sequence[str]) -> str:
    names = (key.name for key in table.keys)
    return "/".join(f"{name}={value}" for name, value in zip(names, values, strict=True))


def _repair(match: re.Match[str], session: Session) -> Outcome:
    """Register the partitions that have a folder below the table but are not in the catalog."""
    table = _require_table(session, match["name"])
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
    return _write_rows(session, ["result"], rows)


_NAME = r'(?P<name>(?:`[^`]+`|"[^"]+"|\w+)(?:\.(?:`[^`]+`|"[^"]+"|\w+)){0,2})'
_DATABASE = r'(?P<database>`[^`]+`|"[^"]+"|\w+)'
_LIKE = r"(?: (?:LIKE )?(?P<pattern>'[^']*'))?"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace(" ", r"\s+"), re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Form:
    """One form of statement other than a query."""

    pattern: re.Pattern[str]
    kind: str
    name: str
    run: Callable[[re.Match[str], Session], Outcome]


_CREATE_VIEW = _form(rf"CREATE(?P<replace> OR REPLACE)? VIEW {_NAME} AS(?=[\s(])\s*(?P<query>.+)")
_STATEMENT_FORMS = (
    Form(
        _form(rf"DROP (?P<kind>VIEW|TABLE)(?P<if_exists> IF EXISTS)? {_NAME}"),
        "DDL",
        "DROP",
        _drop,
    ),
    Form(
        _form(rf"SHOW (?P<kind>TABLES|VIEWS)(?: (?:IN|FROM) {_DATABASE})?{_LIKE}"),
        "UTILITY",
        "SHOW_TABLES",
        _show_tables,
    ),
    Form(_form("SHOW (?:DATABASES|SCHEMAS)"), "UTILITY", "SHOW_DATABASES", _show_databases),
    Form(
        _form(rf"SHOW COLUMNS (?:IN|FROM) {_NAME}(?: (?:IN|FROM) {_DATABASE})?"),
        "UTILITY",
        "SHOW_COLUMNS",
        _show_columns,
    ),
    Form(_form(rf"SHOW CREATE VIEW {_NAME}"), "UTILITY", "SHOW_CREATE_VIEW", _show_create_view),
    Form(_form(rf"SHOW PARTITIONS {_NAME}"), "UTILITY", "SHOW_PARTITIONS", _show_partitions),
    Form(_form(rf"(?:DESCRIBE|DESC) {_NAME}"), "UTILITY", "DESCRIBE_TABLE", _describe),
    Form(_form(rf"MSCK REPAIR TABLE {_NAME}"), "DDL", "MSCK_REPAIR", _repair),
)
