"""Views of the laptop's Athena: stored in Glue, updated with their sources, and stale."""

from collections.abc import Iterator

import pytest

from local.core.server import Cloud
from tests.support.athena_engine import not_null
from tests.support.athena_fixture import (
    athena_cloud,
    execute,
    failure_reason,
    object_size,
    query_rows,
    scanned_bytes,
)
from tests.support.laptop_cloud import aws

VIEW = """CREATE OR REPLACE VIEW seen AS
SELECT id, TRY_CAST(total AS decimal(18,4)) AS total, dt FROM (
    SELECT *, row_number() OVER (PARTITION BY dt, event ORDER BY id) AS n FROM changes
) WHERE n = 1"""


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    with athena_cloud() as cloud:
        yield cloud


def test_view_scans_only_the_selected_day() -> None:
    execute(VIEW)
    execute("CREATE OR REPLACE VIEW summed AS SELECT dt, sum(total) AS total FROM seen GROUP BY dt")
    day = object_size("lake/dt=2026-01-02/rows.gz")
    days = sum(object_size(f"lake/dt=2026-01-0{day}/rows.gz") for day in (1, 2, 3))
    assert scanned_bytes("SELECT count(*) FROM changes") == days
    for source in ("changes", "seen", "summed"):
        assert scanned_bytes(f"SELECT count(*) FROM {source} WHERE dt = '2026-01-02'") == day
        assert (
            scanned_bytes(f"SELECT dt FROM {source} WHERE dt BETWEEN '2026-01-02' AND '2026-01-09'")
            < days
        )
    assert (
        scanned_bytes("WITH s AS (SELECT * FROM seen) SELECT 1 FROM s WHERE dt = '2026-01-02'")
        == day
    )
    assert scanned_bytes("SELECT count(*) FROM seen WHERE dt > '2027'") == 0


def test_sources_are_found_however_they_are_named() -> None:
    execute(VIEW)
    sources = (
        "changes",
        "Sales.CHANGES AS b",
        '"awsdatacatalog"."sales"."seen"',
        "Seen AS changes",
    )
    counts = ", ".join(f"(SELECT count(*) FROM {source})" for source in sources)
    assert query_rows(f"SELECT {counts}, 'changes'")[1] == ["60", "60", "30", "30", "changes"]


def test_view_is_stored_in_athenas_form() -> None:
    execute(VIEW)
    table = aws("glue").get_table(DatabaseName="sales", Name="seen")["Table"]
    assert table["TableType"] == "VIRTUAL_VIEW"
    assert table["Parameters"]["presto_view"] == "true"
    assert table["ViewOriginalText"].startswith("/* Presto View: ")
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert columns == {"id": "string", "total": "decimal(18,4)", "dt": "string"}
    assert query_rows("SELECT count(*), max(total) FROM seen")[1] == ["30", "28.0500"]
    assert query_rows("SHOW CREATE VIEW seen")[0] == ["CREATE VIEW sales.seen AS"]
    assert ["seen"] in query_rows("SHOW VIEWS IN sales")


def test_show_create_view_keeps_the_text() -> None:
    execute("CREATE OR REPLACE VIEW quoting AS\nSELECT '\"' AS x,\n  'it''s \t\u00e9' AS \"y\"")
    lines = ["\t".join(map(not_null, row)) for row in query_rows("SHOW CREATE VIEW quoting")]
    assert lines == [
        "CREATE VIEW sales.quoting AS",
        "SELECT '\"' AS x,",
        "  'it''s \t\u00e9' AS \"y\"",
    ]


def test_view_uses_the_time_of_the_query(cloud: Cloud) -> None:
    columns = "current_date AS day, CAST(now() AS timestamp) AS created_at"
    execute(f"CREATE OR REPLACE VIEW clock AS SELECT {columns}")
    first = [not_null(cell) for cell in query_rows("SELECT day, created_at FROM clock")[1]]
    cloud.clock.advance(2 * 86_400)
    second = [not_null(cell) for cell in query_rows("SELECT day, created_at FROM clock")[1]]
    assert first[0] < second[0]
    assert first[1] < second[1]


def test_view_follows_changed_column_types() -> None:
    execute("CREATE OR REPLACE VIEW below AS SELECT 7 AS x")
    execute("CREATE OR REPLACE VIEW above AS SELECT x / 2 AS y FROM below")
    assert query_rows("SELECT y FROM above")[1] == ["3"]
    execute("CREATE OR REPLACE VIEW below AS SELECT 7e0 AS x")
    assert query_rows("SELECT y FROM above")[1] == ["3.5"]


def test_view_follows_a_changed_view() -> None:
    execute("CREATE OR REPLACE VIEW below AS SELECT 1 AS x")
    execute("CREATE OR REPLACE VIEW above AS SELECT x + 1 AS y FROM below")
    execute("CREATE OR REPLACE VIEW below AS SELECT 41 AS x")
    assert query_rows("SELECT y FROM above") == [["y"], ["42"]]
    assert "View already exists" in failure_reason("CREATE VIEW below AS SELECT 1 AS x")
    execute("DROP VIEW below")
    assert failure_reason("SELECT y FROM above").startswith("TABLE_NOT_FOUND: line 1:24: Table")
    assert failure_reason("DROP VIEW below").startswith("TABLE_NOT_FOUND")
    assert execute("DROP VIEW IF EXISTS below")["Status"]["State"] == "SUCCEEDED"


def test_view_columns_keep_their_types() -> None:
    execute(
        "CREATE OR REPLACE VIEW kinds AS SELECT TIMESTAMP '2026-01-02 03:04:05' AS created_at, "
        "DATE '2026-01-02' AS day, sum(1) AS n, ARRAY['a'] AS words, CAST(1 AS double) AS x"
    )
    rows = query_rows(
        "SELECT n / 2, words[1] || 'b', x / 2 FROM kinds WHERE created_at < current_timestamp "
        "AND created_at >= TIMESTAMP '2026-01-02 00:00:00' AND day = DATE '2026-01-02'"
    )
    assert rows[1] == ["0", "ab", "0.5"]


def test_view_with_changed_columns_is_stale() -> None:
    execute("CREATE OR REPLACE VIEW base AS SELECT 1 AS a")
    execute("CREATE OR REPLACE VIEW star AS SELECT * FROM base")
    execute("CREATE OR REPLACE VIEW base AS SELECT 1 AS a, 2 AS b")
    assert failure_reason("SELECT * FROM star").startswith("VIEW_IS_STALE")


def test_recursive_view_fails() -> None:
    execute("CREATE OR REPLACE VIEW snake AS SELECT 1 AS x")
    execute("CREATE OR REPLACE VIEW tail AS SELECT x FROM snake")
    assert failure_reason("CREATE OR REPLACE VIEW snake AS SELECT x FROM tail").startswith(
        "VIEW_IS_RECURSIVE: line 1:"
    )
    assert query_rows("SELECT x FROM tail")[1] == ["1"]


def test_view_rejects_unsupported_columns() -> None:
    create_view = "CREATE OR REPLACE VIEW zoned AS SELECT current_timestamp AS now"
    assert failure_reason(create_view).startswith(
        "NOT_SUPPORTED: Unsupported Hive type: timestamp(3) with time"
    )
    assert "is specified more than once" in failure_reason(
        "CREATE VIEW twice AS SELECT 1 AS a, 2 AS a"
    )
