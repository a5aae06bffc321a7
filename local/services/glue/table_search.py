"""Search of tables by text, by properties and in an order, as SearchTables does it."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from local.core.errors import not_modelled_message
from local.services.glue.validation import invalid_input

Params = Mapping[str, Any]
GlueTable = Mapping[str, Any]
_MAX_RESULTS = 1000
_PROPERTIES = ("Name", "DatabaseName", "Description", "Owner", "TableType")


def search_tables(glue: Any, params: Params) -> dict[str, Any]:
    """Return the tables that match the text and every filter, one page of them."""
    for name in ("CatalogId", "ResourceShareType"):
        if name in params:
            raise invalid_input(not_modelled_message(name))
    tables = [
        table
        for table in _tables(glue)
        if _has_text(table, params.get("SearchText", ""))
        and all(_passes(table, condition) for condition in params.get("Filters", ()))
    ]
    for criterion in params.get("SortCriteria", ()):  # At most one.
        name = _property(criterion["FieldName"])
        is_descending = criterion.get("Sort") == "DESC"
        tables.sort(key=lambda table: table.get(name, ""), reverse=is_descending)
    token = params.get("NextToken", "0")
    if not re.fullmatch(r"\d{1,18}", token):
        raise invalid_input("The NextToken is not valid.")
    end = int(token) + params.get("MaxResults", _MAX_RESULTS)
    page = {"TableList": [_encodable(table) for table in tables[int(token) : end]]}
    return {**page, "NextToken": str(end)} if end < len(tables) else page


def _encodable(table: GlueTable) -> GlueTable:
    """Return a table with its times in seconds, as the API's JSON has them."""
    times = {name: time.timestamp() for name, time in table.items() if isinstance(time, datetime)}
    return {**table, **times}


def _tables(glue: Any) -> Iterator[GlueTable]:
    for page in glue.get_paginator("get_databases").paginate():
        for database in page["DatabaseList"]:
            tables = glue.get_paginator("get_tables").paginate(DatabaseName=database["Name"])
            for table_page in tables:
                yield from table_page["TableList"]


def _has_text(table: GlueTable, text: str) -> bool:
    """Return whether a value of a table is the quoted text, or contains each word of it."""
    values = [value.lower() for value in _texts(table)]
    quoted = re.fullmatch(r'"(.*)"', text)
    if quoted:
        return quoted[1].lower() in values
    return all(any(word in value for value in values) for word in text.lower().split())


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _passes(table: GlueTable, condition: Params) -> bool:
    if condition.get("Comparator", "EQUALS") != "EQUALS":
        raise invalid_input(not_modelled_message(f"The comparator {condition['Comparator']}"))
    return str(table.get(_property(condition["Key"]), "")) == str(condition.get("Value", ""))


def _property(key: str) -> str:
    for name in _PROPERTIES:
        if name.lower() == key.lower():
            return name
    raise invalid_input(not_modelled_message(f"SearchTables by {key}"))
