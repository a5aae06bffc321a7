"""Attributes of any name: none can be taken for a word of the shipped SQL."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any

import boto3
import pytest
import sqlglot
from sqlglot import exp

from analytics.dashboard.facts import fact_queries
from analytics.named_queries import load_named_queries
from operations import lake as lake_queries
from operations.columns import DeclaredColumns
from operations.row_source import RowSource
from operations.verify.gaps import find_gaps, gaps_sql
from sales.order_lifecycle import OrderChange, Plan, generate_changes
from setup import names
from setup.columns import COLUMNS
from tests.support.documents import OWN_TABLE, blocks
from tests.support.lake_fixture import deliver, lake_with_views, query_rows, replace_lake
from tests.support.paths import PROJECT
from tests.support.profile import IS_THOROUGH

PLAN = Plan(4, 8, Fraction(1, 4), date(2026, 3, 10))
OPEN = names.CHANGES  # The only relation whose columns are named by anybody.
# Those that read the lake itself. A thorough run takes all: the others read only views, whose names
# are their own. Two queries list every attribute.
COMPARED_QUERIES = {"unfit_values", "duplicate_changes", "orders_as_of"}
if IS_THOROUGH:
    COMPARED_QUERIES = load_named_queries().keys() - {"new_attributes", "order_history"}
OWN_ATTRIBUTES = "SELECT order_id, status, total, removed, sold, changed_at FROM orders"
# Keywords that Trino reserves, by its documentation "Reserved keywords".
RESERVED = [
    "alter",
    "and",
    "as",
    "between",
    "by",
    "case",
    "cast",
    "constraint",
    "create",
    "cross",
    "cube",
    "current_catalog",
    "current_date",
    "current_path",
    "current_role",
    "current_schema",
    "current_time",
    "current_timestamp",
    "current_user",
    "deallocate",
    "delete",
    "describe",
    "distinct",
    "drop",
    "else",
    "end",
    "escape",
    "except",
    "exists",
    "extract",
    "false",
    "for",
    "from",
    "full",
    "group",
    "grouping",
    "having",
    "in",
    "inner",
    "insert",
    "intersect",
    "into",
    "is",
    "join",
    "json_array",
    "json_exists",
    "json_object",
    "json_query",
    "json_table",
    "json_value",
    "left",
    "like",
    "listagg",
    "localtime",
    "localtimestamp",
    "natural",
    "normalize",
    "not",
    "null",
    "on",
    "or",
    "order",
    "outer",
    "prepare",
    "recursive",
    "right",
    "rollup",
    "select",
    "skip",
    "table",
    "then",
    "trim",
    "true",
    "uescape",
    "union",
    "unnest",
    "using",
    "values",
    "when",
    "where",
    "with",
]


COPY = RowSource(names.HISTORY, "2026-03-01")


def shipped_sql() -> dict[str, str]:
    """Return all SQL that reads the lake: views, queries, facts, operations and documents."""
    views = {
        path.stem: path.read_text("utf-8") for path in (PROJECT / "analytics/views").glob("*.sql")
    }
    queries = {name: query.sql for name, query in load_named_queries().items()}
    documents = {
        f"{OWN_TABLE.name} {number}": block.text
        for number, block in enumerate(blocks(OWN_TABLE))
        if block.language == "sql"
    }
    columns = DeclaredColumns(("order_id", "status"))
    operations = {
        "gaps": gaps_sql(),
        "gaps in the copy": gaps_sql(source=COPY),
        "digests": lake_queries.DIGESTS_SQL.format(
            item_digest="cdc_image_digest",
            columns_digest=columns.digest_sql(),
            details="",
            rows=COPY.rows_sql([*lake_queries.ROW_COLUMNS, *columns.names]),
            condition="true",
        ),
    }
    facts = fact_queries(with_details=True) | {
        f"table {name}": sql for name, sql in fact_queries("table", with_details=True).items()
    }
    return views | queries | facts | documents | operations


SQL = shipped_sql()


def query_of(sql: str) -> exp.Expr:
    """Return the query of a statement, also that of CREATE VIEW."""
    text = re.sub(r"^(--[^\n]*\n)*CREATE OR REPLACE VIEW \w+ AS", "", sql)
    return sqlglot.parse_one(text, dialect="athena")


def is_open(source: exp.Expr | None, open_names: set[str]) -> bool:
    """Return whether a source has columns that anybody names: the lake, or a star over it."""
    if isinstance(source, exp.Table):
        return source.name in open_names
    if isinstance(source, exp.Subquery):
        query = source.this
        return isinstance(query, exp.Select) and is_open_select(query, open_names)
    return False


def sources_of(select: exp.Select) -> list[exp.Expr]:
    """Return what a SELECT reads, apart from UNNEST."""
    tables = [select.args.get("from_") or select.args.get("from")]
    joins = select.args.get("joins") or []
    return [source.this for source in [*tables, *joins] if source is not None]


def is_open_select(select: exp.Select, open_names: set[str]) -> bool:
    has_star = any(projection.is_star for projection in select.expressions)
    return has_star and any(is_open(source, open_names) for source in sources_of(select))


def ambiguous_names(sql: str) -> list[str]:
    """Return the names of the statement's own that an attribute's column could also have."""
    tree = query_of(sql)
    open_names = {OPEN}
    for cte in tree.find_all(exp.CTE):
        if isinstance(cte.this, exp.Select) and is_open_select(cte.this, open_names):
            open_names.add(cte.alias)
    own_names = []
    for select in tree.find_all(exp.Select):
        if not any(is_open(source, open_names) for source in sources_of(select)):
            continue
        if is_open_select(select, open_names):
            own_names += [output.alias for output in select.expressions if output.alias]
        own_names += [
            column.name
            for unnest in select.find_all(exp.Unnest)
            if unnest.find_ancestor(exp.Select) is select
            for column in (unnest.args["alias"].columns if unnest.args.get("alias") else [])
        ]
    return [name for name in own_names if not name.startswith("cdc_")]


@pytest.mark.parametrize("name", SQL)
def test_own_names_begin_with_cdc(name: str) -> None:
    assert ambiguous_names(SQL[name]) == []


@pytest.mark.parametrize(
    ("sql", "own_names"),
    [
        ("SELECT *, row_number() OVER () AS place FROM changes", ["place"]),
        ("SELECT *, row_number() OVER () AS cdc_place FROM changes", []),
        ("SELECT dt, row_number() OVER () AS place FROM changes", []),
        ("SELECT * FROM (SELECT *, 1 AS cdc_one FROM changes)", []),
        ("SELECT *, 2 AS two FROM (SELECT *, 1 AS cdc_one FROM changes)", ["two"]),
        ("WITH a AS (SELECT * FROM changes) SELECT *, 3 AS three FROM a", ["three"]),
        ("SELECT dt FROM changes CROSS JOIN UNNEST(ARRAY[1]) AS t(value)", ["value"]),
        ("SELECT *, 1 AS one FROM orders", []),
    ],
)
def test_ambiguous_names_are_recognized(sql: str, own_names: list[str]) -> None:
    assert ambiguous_names(sql) == own_names


@pytest.fixture(scope="module", autouse=True)
def lake() -> Iterator[None]:
    with lake_with_views():
        yield


def words() -> list[str]:
    """Return the names in the shipped SQL and reserved words that are not attributes of orders.

    A thorough run takes every reserved word: planning a query over so many columns is slow.
    """
    identifiers = {
        identifier.name.lower()
        for sql in SQL.values()
        for identifier in query_of(sql).find_all(exp.Identifier)
    }
    reserved = RESERVED if IS_THOROUGH else RESERVED[::6]
    orders = {name for change in generate_changes(PLAN) for name in change.after or {}}
    any_name = {"x" * 255, "Ünï cødé", "a.b", "0"}
    return sorted({*identifiers, *reserved, *any_name} - orders - set(COLUMNS))


def with_attributes(changes: list[OrderChange], attributes: dict[str, Any]) -> list[OrderChange]:
    """Return the changes of orders that also have these attributes."""

    def extended(order: Any) -> Any:
        return None if order is None else {**order, **attributes}

    return [
        replace(change, before=extended(change.before), after=extended(change.after))
        for change in changes
    ]


def declare_columns(lines: list[tuple[str, str]]) -> None:
    """Declare every column of the lines in the catalog, as a crawl does."""
    glue: Any = boto3.client("glue")
    table = glue.get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
    columns = table["StorageDescriptor"]["Columns"]
    present = {column["Name"] for column in columns}
    names_in_lines = {name for _, line in lines for name in json.loads(line)}
    columns += [{"Name": name, "Type": "string"} for name in sorted(names_in_lines - present)]
    members = ("Name", "TableType", "PartitionKeys", "Parameters", "StorageDescriptor")
    table_input = {member: table[member] for member in members}
    glue.update_table(DatabaseName=names.DATABASE, TableInput=table_input)


def outcomes() -> dict[str, object]:
    """Return what queries, facts and operations say about the lake, apart from its attributes."""
    rows: dict[str, object] = {"orders": sorted(query_rows(OWN_ATTRIBUTES), key=repr)}
    for name, query in load_named_queries().items():
        if name in COMPARED_QUERIES:
            parameters = query.parameter_values({})
            rows[name] = query_rows(query.sql, *parameters)
    for name, sql in fact_queries(with_details=True).items() if IS_THOROUGH else ():
        rows[f"fact {name}"] = sorted(query_rows(sql), key=repr)
    rows["gaps"] = list(find_gaps())
    keys = [key for key, _ in lake_queries.fetch_digests(DeclaredColumns.fetch())]
    rows["keys"] = sorted(keys)
    return rows


@pytest.mark.slow
def test_any_attributes_leave_every_answer_the_same() -> None:
    changes = generate_changes(PLAN)
    replace_lake(deliver(changes))
    expected = outcomes()
    lines = deliver(with_attributes(changes, dict.fromkeys(words(), "mine")))
    replace_lake(lines)
    declare_columns(lines)
    assert outcomes() == expected
