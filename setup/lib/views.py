"""Views over the lake: creates each in Athena, or keeps it pending while it lacks a column.

A view may name the column of an attribute that no item had when the columns were added. Athena
refuses it, which is no error of setup: the view is pending. The missing column is kept in a
parameter of the table over the lake, with the digest of the view, so that the view is tried again
once the column exists, and `setup --check` and status need no query to know about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from setup.columns import COLUMNS, PARTITION_KEYS
from setup.lib.athena import run_statement
from setup.lib.comparison import matches_desired
from setup.lib.descriptions import Entry, columns_of, is_from_user, parse_header, with_comments
from setup.lib.resources import describe_or_none
from setup.lib.waiters import SetupError
from setup.names import CHANGES, DATABASE, HISTORY, RECENT, STATE, VIEWS

if TYPE_CHECKING:
    from types_boto3_glue.type_defs import TableTypeDef

ANALYTICS = Path(__file__).resolve().parents[2] / "analytics"
DIGEST_PARAMETER = "statements.sha256"
TEXT_DIGEST_PARAMETER = "view.sha256"
PENDING_PARAMETER = "pending.{}"
# Athena gives a view no owner, and Trino reads no view without one: it runs as its owner.
OWNER = "hadoop"
# Trino does not see a view whose description is not Athena's own: this parameter has ours.
DESCRIPTION = "description"
SOURCE = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)")
MISSING_COLUMN = re.compile(r"Column '(?:[^']*\.)?([^'.]+)' cannot be resolved")
MISSING_TABLE = re.compile(r"TABLE_NOT_FOUND: .*\.([^'.]+)' does not exist")
# The members of the catalog's description of a table that UpdateTable accepts.
TABLE_MEMBERS = (
    "Name",
    "Description",
    "Owner",
    "TableType",
    "PartitionKeys",
    "StorageDescriptor",
    "Parameters",
    "ViewOriginalText",
    "ViewExpandedText",
)


@dataclass(frozen=True, slots=True)
class View:
    """A view as its file defines it; the digest covers the views before it, which it may use."""

    name: str
    statement: str
    digest: str
    description: str
    comments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PendingView:
    """A view that is not created yet, and the column that it waits for."""

    name: str
    column: str

    def __str__(self) -> str:
        return (
            f"view {self.name} is pending: table {CHANGES} has no column {self.column} yet "
            f"(python setup/10_glue.py --crawl adds columns for the attributes in the lake)"
        )


def put_views() -> list[PendingView]:
    """Create or replace each view that needs it, and return those that lack a column."""
    changes = describe_table(CHANGES)

    def missing_column(view: View, pending: list[PendingView]) -> str | None:
        return recorded_column(changes, view) or put_view(view, pending)

    return visit_views(missing_column)


def pending_views() -> list[PendingView]:
    """Return the views that setup could not create and whose column the table still lacks."""
    changes = get_table(CHANGES)
    if changes is None:
        return []
    return visit_views(lambda view, _: recorded_column(changes, view))


def visit_views(
    missing_column: Callable[[View, list[PendingView]], str | None],
) -> list[PendingView]:
    """Return the views for which the function names a column; it is also given those before."""
    statements = sha256()
    lake_comments = {**COLUMNS, **PARTITION_KEYS}
    comments: dict[str, Mapping[str, str]] = {
        CHANGES: lake_comments,
        HISTORY: lake_comments,
        STATE: lake_comments,
        RECENT: lake_comments,
    }
    pending: list[PendingView] = []
    for name in VIEWS:
        statement = (ANALYTICS / "views" / f"{name}.sql").read_text("utf-8")
        description, own_comments = parse_header(statement)
        comments[name] = {**inherited_comments(statement, comments), **own_comments}
        # A view must be recreated when one that it uses changes, so its digest covers those too.
        statements.update(statement.encode())
        view = View(name, statement, statements.hexdigest(), description, comments[name])
        column = missing_column(view, pending)
        if column is not None:
            pending.append(PendingView(name, column))
            statements.update(column.encode())  # So those after it are recreated when it is made.
    return pending


def inherited_comments(
    statement: str, comments: Mapping[str, Mapping[str, str]]
) -> Mapping[str, str]:
    """Return the comments of the columns of the tables and views that a statement reads."""
    inherited: dict[str, str] = {}
    for source in SOURCE.findall(statement):
        inherited |= comments.get(source, {})
    return inherited


def recorded_column(changes: TableTypeDef, view: View) -> str | None:
    """Return the column that the view waits for, if it was tried before and is still missing."""
    record = changes.get("Parameters", {}).get(PENDING_PARAMETER.format(view.name), "")
    digest, _, column = record.partition(" ")
    names = {existing["Name"] for existing in columns_of(changes)}
    return column if digest == view.digest and column not in names else None


def put_view(view: View, pending: list[PendingView]) -> str | None:
    """Create or replace the view and describe it, unless the catalog has it like that.

    Return the column that the view lacks, if Athena refuses it for that.
    """
    previous = get_table(view.name)
    current = previous
    if previous is None or not matches_desired(view_digests(previous, view.digest), previous):
        column = create_view(view, pending)
        if column is not None:
            return column
        current = describe_table(view.name)
    desired = described_view(view, current or {}, previous or {})
    if desired != current:
        update_table(desired)
    return None


def create_view(view: View, pending: list[PendingView]) -> str | None:
    """Create or replace the view, or keep and return the column for lack of which it is refused."""
    status = run_statement(f"view {view.name}", view.statement)["Status"]
    if status["State"] == "SUCCEEDED":
        return None
    reason = status.get("StateChangeReason", "no reason given")
    column = lacking_column(reason, pending)
    if column is None:
        raise SetupError(f"view {view.name}: expected SUCCEEDED, found {status['State']}: {reason}")
    changes = describe_table(CHANGES)
    record = {PENDING_PARAMETER.format(view.name): f"{view.digest} {column}"}
    update_table({**changes, "Parameters": {**changes.get("Parameters", {}), **record}})
    return column


def described_view(view: View, current: Entry, previous: Entry) -> Entry:
    """Return a view with its descriptions and digests, and with what users had written before.

    Athena rewrites a view's text, so the digests of the source and of that text are kept as
    parameters. It also drops comments, parameters and the owner of a view that it replaces.
    """
    own = {**view_digests(current, view.digest)["Parameters"], DESCRIPTION: view.description}
    parameters = {**previous.get("Parameters", {}), **current.get("Parameters", {}), **own}
    old_columns = {column["Name"]: column for column in columns_of(previous)}
    columns = [{**old_columns.get(column["Name"], {}), **column} for column in columns_of(current)]
    table = {
        **current,
        "Owner": previous.get("Owner") or current.get("Owner") or OWNER,
        "Parameters": parameters,
        "StorageDescriptor": {
            **current["StorageDescriptor"],
            "Columns": with_comments(columns, view.comments),
        },
    }
    table.pop("Description", None)
    if is_from_user(previous, "Description"):
        table["Description"] = previous["Description"]
    return table


def lacking_column(reason: str, pending: list[PendingView]) -> str | None:
    """Return the column for lack of which Athena refused a view, also if another view lacks it."""
    column = MISSING_COLUMN.search(reason)
    if column:
        return column[1]
    table = MISSING_TABLE.search(reason)
    columns = {view.name: view.column for view in pending}
    return columns.get(table[1]) if table else None


def get_table(name: str) -> TableTypeDef | None:
    """Return the catalog's description of a table or view, or None if it does not exist."""
    return describe_or_none(describe_table, name)


def describe_table(name: str) -> TableTypeDef:
    """Return the catalog's description of a table or view."""
    return boto3.client("glue").get_table(DatabaseName=DATABASE, Name=name)["Table"]


def view_digests(view: Entry, digest: str) -> dict[str, dict[str, str]]:
    """Return the parameters of a view that is as setup made it."""
    text = view.get("ViewOriginalText", "")
    return {
        "Parameters": {
            DIGEST_PARAMETER: digest,
            TEXT_DIGEST_PARAMETER: sha256(text.encode()).hexdigest(),
        }
    }


def update_table(table: Entry, **condition: Any) -> None:
    """Replace the catalog's description of a table or view, perhaps only if it has a VersionId."""
    # TABLE_MEMBERS select by name what is common to GetTable's output and UpdateTable's input.
    table_input: Any = {member: table[member] for member in TABLE_MEMBERS if member in table}
    boto3.client("glue").update_table(DatabaseName=DATABASE, TableInput=table_input, **condition)
