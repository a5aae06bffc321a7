"""The dbt project of examples/dbt, built by an installed dbt against the laptop cloud."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from datetime import date
from fractions import Fraction

import pytest

from sales.order_lifecycle import Plan, generate_changes
from tests.support.documents import DBT_EXAMPLE, commands
from tests.support.lake_fixture import deliver, lake_with_views, query_rows, replace_lake
from tests.support.paths import PROJECT

pytestmark = pytest.mark.skipif(shutil.which("dbt") is None, reason="dbt is not installed")

FRESHNESS, BUILD = commands(DBT_EXAMPLE)[1:]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Yield the environment of a dbt that writes nothing into the project."""
    folder = tmp_path_factory.mktemp("dbt")
    with lake_with_views():
        replace_lake(deliver(generate_changes(Plan(20, 3, Fraction(0), date(2026, 3, 10)))))
        yield {"DBT_TARGET_PATH": str(folder / "target"), "DBT_LOG_PATH": str(folder / "logs")}


def run_dbt(command: str, folders: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **folders, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    arguments = shlex.split(command)
    return subprocess.run(
        arguments, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )


def test_dbt_builds_the_example(folders: Mapping[str, str]) -> None:
    """The second build replaces the newest days of the incremental table."""
    for _ in range(2):
        build = run_dbt(BUILD, folders)
        assert build.returncode == 0, build.stdout
        assert "PASS=17 WARN=0 ERROR=0" in build.stdout
        changes = "SELECT sum(changes) FROM sales_dbt.daily_changes"
        assert query_rows(changes) == query_rows("SELECT count(*) FROM order_changes")
    sold = "SELECT count(*) FROM orders WHERE sold"
    assert query_rows("SELECT count(*) FROM sales_dbt.sold_orders") == query_rows(sold)
    current = "SELECT count(*) FROM current_orders"
    assert query_rows("SELECT count(*) FROM sales_dbt.order_states") == query_rows(current)
    revenue = "SELECT sum(revenue) FROM sales_dbt.customer_cohorts"
    assert query_rows(revenue) == query_rows("SELECT sum(total) FROM orders WHERE sold")


def test_dbt_sees_that_a_source_is_stale(folders: Mapping[str, str]) -> None:
    """The lake's last change is months old."""
    freshness = run_dbt(FRESHNESS, folders)
    assert freshness.returncode == 1
    assert "ERROR STALE freshness of sales_cdc.order_changes" in freshness.stdout
