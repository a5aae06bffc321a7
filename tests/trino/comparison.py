"""Comparison of Trino with the laptop's Athena: the same lake, views, questions, facts and gaps."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from analytics.athena import literal, run_query
from analytics.check import EXPECTATION_FOLDER
from analytics.dashboard.facts import fact_queries
from analytics.named_queries import load_named_queries
from operations.compact.compaction import Compaction
from operations.verify.gaps import gaps_sql
from sales.order_lifecycle import OrderChange, Plan, generate_changes
from setup import names
from setup.lib.views import describe_table, update_table
from tests.support.lake_fixture import deliver, replace_lake
from tests.trino.client import Client, Row, TrinoError
from tests.trino.odd_orders import odd_changes

GOOD_ORDERS = Plan(120, 30, Fraction(1, 10), date(2026, 3, 10))
ODD_ORDERS = 300
ODD_SEEDS = (1, 2, 3)
DAYS = "2026-02-27,2026-03-20"
AFTER_LAST_DAY = date(2026, 3, 25)
JSON = (names.CHANGES, names.RECENT)
REQUIRED_PARAMETERS = {"order_id": "ODD-1"}


@dataclass(frozen=True, slots=True)
class Query:
    """A query and its parameters; `has_order` tells whether its rows have one order."""

    name: str
    sql: str
    parameters: Sequence[str] = ()
    has_order: bool = True


def project_few_days() -> None:
    """Narrow the tables' projections to the days of the lakes: Trino lists each day's folder."""
    for name in (names.CHANGES, names.RECENT):
        table = describe_table(name)
        days = {"projection.dt.range": DAYS}
        update_table({**table, "Parameters": {**table.get("Parameters", {}), **days}})


def lakes() -> Iterator[tuple[str, list[OrderChange]]]:
    """Yield the changes of each lake that is compared: of good orders, and with odd ones too."""
    good = generate_changes(GOOD_ORDERS)
    yield "good orders", good
    for seed in ODD_SEEDS:
        yield f"odd orders, seed {seed}", [*good, *odd_changes(good, ODD_ORDERS, seed)]


def compared_queries() -> Iterator[Query]:
    """Yield everything that reads the lake."""
    for name in (names.CHANGES, *names.VIEWS):
        yield Query(name, f"SELECT * FROM {name}", has_order=False)
    for name, query in load_named_queries().items():
        values = query.parameter_values(
            {
                key: REQUIRED_PARAMETERS[key]
                for key in query.parameters
                if key in REQUIRED_PARAMETERS
            }
        )
        yield Query(name, query.sql, values)
    for page in ("shop", "table"):
        for name, sql in fact_queries(page, with_details=True).items():
            yield Query(f"fact {name} of the {page}", sql)
    for name, query in load_named_queries(EXPECTATION_FOLDER).items():
        yield Query(f"expectation {name}", query.sql, query.parameter_values({}))
    yield Query("gaps", gaps_sql())


def find_differences(trino: Client, changes: Sequence[OrderChange]) -> Iterator[tuple[str, str]]:
    """Yield each query that Trino and the laptop answer differently over a lake of changes."""
    replace_lake(deliver(list(changes)))
    yield from different_answers(trino)


def find_differences_with_copy(trino: Client) -> Iterator[tuple[str, str]]:
    """Yield the same once the days of the lake are copied, and no query reads their JSON."""
    for _ in range(2):
        Compaction(AFTER_LAST_DAY, lambda _: None).run()
    yield from different_answers(trino)


def different_answers(trino: Client) -> Iterator[tuple[str, str]]:
    """Yield each query that Trino and the laptop answer differently, with what differs."""
    for query in compared_queries():
        laptop_rows = list(run_query(query.sql, query.parameters).rows)
        try:
            trino_rows = trino.query(_with_parameters(query))
        except TrinoError as error:
            yield query.name, str(error)
            continue
        difference = _difference(query, laptop_rows, trino_rows)
        if difference:
            yield query.name, difference


def _with_parameters(query: Query) -> str:
    if not query.parameters:
        return query.sql
    values = ", ".join(map(literal, query.parameters))
    return f"EXECUTE IMMEDIATE {literal(query.sql)} USING {values}"


def _difference(query: Query, laptop_rows: list[Row], trino_rows: list[Row]) -> str:
    """Return the first rows that only one of the two has, or "" if they agree."""
    if laptop_rows == trino_rows:
        return ""
    only_laptop = list((Counter(laptop_rows) - Counter(trino_rows)).elements())
    only_trino = list((Counter(trino_rows) - Counter(laptop_rows)).elements())
    if only_laptop or only_trino:
        return (
            f"{len(only_laptop)} rows only on the laptop, {len(only_trino)} only in Trino: "
            f"{only_laptop[:1]} {only_trino[:1]}"
        )
    return "another order of rows" if query.has_order else ""


def unpruned(trino: Client) -> Iterator[str]:
    """Yield each relation of which a condition on dt does not select the partitions."""
    day = "2026-03-02"
    for name in (names.CHANGES, "order_changes"):
        sql = f"SELECT count(*) FROM {name} WHERE dt = '{day}'"
        ((plan,),) = trino.query(f"EXPLAIN (TYPE IO, FORMAT JSON) {sql}")
        # The copy has dt as a column: of the JSON, the condition selects folders.
        tables = json.loads(plan or "")["inputTableColumnInfos"]
        (table,) = (table for table in tables if table["table"]["schemaTable"]["table"] in JSON)
        constraints = table["constraint"]["columnConstraints"]
        days = {
            value["low"]["value"]
            for constraint in constraints
            if constraint["columnName"] == "dt"
            for value in constraint["domain"]["ranges"]
        }
        if days != {day}:
            yield f"{name}: {constraints}"
