"""ALTER TABLE: changes of a table's properties, partitions and columns."""

import re
from typing import Any

from local.services.athena.api.results import Outcome
from local.services.athena.api.session import Session, require_table, write_rows
from local.services.athena.api.table_definitions import parse_columns
from local.services.athena.errors import QueryFailed
from local.services.athena.storage.glue_catalog import Table, TableChange
from local.services.athena.storage.partitions import PartitionValues, partition_location

_TEXT = r"'((?:[^'\\]|\\.)*)'"
_PROPERTY = re.compile(rf"{_TEXT}\s*=\s*{_TEXT}")
_PARTITION = re.compile(rf"PARTITION\s*\(([^)]*)\)(?:\s*LOCATION\s*{_TEXT})?", re.IGNORECASE)
_VALUE = re.compile(rf"`?(\w+)`?\s*=\s*(?:{_TEXT}|(-?\d+))")


def set_properties(match: re.Match[str], session: Session) -> Outcome:
    """Set or replace properties of a table."""
    pairs = {key: _unescape(value) for key, value in _PROPERTY.findall(match["properties"])}

    def change(definition: dict[str, Any]) -> None:
        definition["Parameters"] = {**definition.get("Parameters", {}), **pairs}

    return _change(match, session, change)


def add_columns(match: re.Match[str], session: Session) -> Outcome:
    """Add columns after those that a table has."""
    columns = parse_columns(match["columns"])

    def change(definition: dict[str, Any]) -> None:
        storage = definition["StorageDescriptor"]
        definition["StorageDescriptor"] = {**storage, "Columns": [*storage["Columns"], *columns]}

    return _change(match, session, change)


def add_partitions(match: re.Match[str], session: Session) -> Outcome:
    """Register partitions, at the location that each names, or below the table."""
    table = require_table(session, match["name"])
    known = {values for values, _ in session.catalog.list_partitions(table)}
    locations: dict[PartitionValues, str] = {}
    for values, location in _partitions(table, match["partitions"]):
        if values not in known:
            locations[values] = location or partition_location(table, values)
        elif not match["if_not_exists"]:
            raise QueryFailed(
                "GENERIC_USER_ERROR", "AlreadyExistsException: Partition already exists."
            )
    session.catalog.add_partitions(table, locations)
    return write_rows(session, [], [])


def drop_partitions(match: re.Match[str], session: Session) -> Outcome:
    """Delete partitions from the catalog; their objects stay."""
    table = require_table(session, match["name"])
    known = {values for values, _ in session.catalog.list_partitions(table)}
    given = [values for values, _ in _partitions(table, match["partitions"])]
    if not match["if_exists"] and not known.issuperset(given):
        raise QueryFailed("GENERIC_USER_ERROR", "EntityNotFoundException: Partition not found.")
    session.catalog.delete_partitions(table, [values for values in given if values in known])
    return write_rows(session, [], [])


def _partitions(table: Table, text: str) -> list[tuple[PartitionValues, str]]:
    """Return the values and the location of each PARTITION clause; a location may be empty."""
    partitions = []
    for clause in _PARTITION.finditer(text):
        values = {m[1].lower(): _unescape(m[2] or m[3] or "") for m in _VALUE.finditer(clause[1])}
        if sorted(values) != sorted(key.name for key in table.keys):
            raise QueryFailed(
                "GENERIC_USER_ERROR", f"Partition spec {clause[1]} contains non-partition columns"
            )
        partitions.append((tuple(values[key.name] for key in table.keys), clause[2] or ""))
    return partitions


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _change(match: re.Match[str], session: Session, change: TableChange) -> Outcome:
    table = require_table(session, match["name"])
    session.catalog.update_table(table, change)
    return write_rows(session, [], [])
