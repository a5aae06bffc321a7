"""Other engines read the lake with the code of docs/engines.md, from a copy of its folders."""

import gzip
import json
from collections import Counter
from datetime import date
from fractions import Fraction
from typing import Any

import duckdb
import pytest

from sales.order_lifecycle import Plan, generate_changes
from tests.support.documents import ENGINES, documented_block
from tests.support.lake_fixture import deliver

PLAN = Plan(20, 5, Fraction(0), date(2026, 11, 10))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The lake's rows, some of them twice, with their day and the folder of the copy."""
    folder = tmp_path_factory.mktemp("lake")
    rows = []
    for number, (day, line) in enumerate(deliver(generate_changes(PLAN))):
        november = day.replace("2026-03", "2026-11")
        path = folder / f"dt={november}" / f"{number}.gz"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(line.encode()))
        rows.append({**json.loads(line), "dt": november, "folder": folder})
    return rows


def changes_by(rows: list[dict[str, Any]], column: str) -> list[tuple[str, int]]:
    """Return how many changes have each value of a column, without duplicates."""
    changes = {(row[column], row["cdc_key"], row["cdc_event_id"]) for row in rows}
    return sorted(Counter(value for value, *_ in changes).items())


def test_duckdb_reads_every_row(rows: list[dict[str, Any]]) -> None:
    *_, query = documented_block(ENGINES, "sql").partition("SELECT")
    folder = str(rows[0]["folder"])
    sql = "SELECT" + query.replace("s3://BUCKET/lake", folder)
    assert duckdb.connect().execute(sql).fetchall() == changes_by(rows, "cdc_operation")


def test_spark_reads_every_row(rows: list[dict[str, Any]]) -> None:
    sql = pytest.importorskip("pyspark.sql")
    spark = sql.SparkSession.builder.master("local[1]").getOrCreate()
    try:
        code = documented_block(ENGINES, "python").replace(
            "s3a://BUCKET/lake", str(rows[0]["folder"])
        )
        *statements, query = code.rstrip().splitlines()
        names = {"spark": spark}
        exec("\n".join(statements), names)  # noqa: S102 - It is the code of our own document.
        counts = [(str(day), count) for day, count in eval(query, names).collect()]  # noqa: S307
        assert counts == changes_by(rows, "dt")
    finally:
        spark.stop()
