"""Views of the laptop's Athena: they live in Glue, follow what is below them, and go stale."""

from collections.abc import Iterator

import pytest

from local.core.server import Cloud
from tests.support.athena_fixture import an_athena, executed, reason, rows, scanned, size
from tests.support.laptop_cloud import aws

VIEW = """CREATE OR REPLACE VIEW seen AS
SELECT id, TRY_CAST(total AS decimal(18,4)) AS total, dt FROM (
    SELECT *, row_number() OVER (PARTITION BY dt, event ORDER BY id) AS n FROM changes
) WHERE n = 1"""


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    """A cloud whose Athena has a lake of three days to ask about."""
    with an_athena() as cloud:
        yield cloud


def test_view_scans_only_the_selected_day() -> None:
    executed(VIEW)
    executed(
        "CREATE OR REPLACE VIEW summed AS SELECT dt, sum(total) AS total FROM seen GROUP BY dt"
    )
    day = size("lake/dt=2026-01-02/rows.gz")
    days = sum(size(f"lake/dt=2026-01-0{day}/rows.gz") for day in (1, 2, 3))
    assert scanned("SELECT count(*) FROM changes") == days
    for source in ("changes", "seen", "summed"):
        assert scanned(f"SELECT count(*) FROM {source} WHERE dt = '2026-01-02'") == day
        assert (
            scanned(f"SELECT dt FROM {source} WHERE dt BETWEEN '2026-01-02' AND '2026-01-09'")
            < days
        )
    assert scanned("WITH s AS (SELECT * FROM seen) SELECT 1 FROM s WHERE dt = '2026-01-02'") == day
    assert scanned("SELECT count(*) FROM seen WHERE dt > '2027'") == 0


def test_view_is_stored_in_athenas_form() -> None:
    executed(VIEW)
    kept = aws("glue").get_table(DatabaseName="sales", Name="seen")["Table"]
    assert kept["TableType"] == "VIRTUAL_VIEW"
    assert kept["Parameters"]["presto_view"] == "true"
    assert kept["ViewOriginalText"].startswith("/* Presto View: ")
    columns = {column["Name"]: column["Type"] for column in kept["StorageDescriptor"]["Columns"]}
    assert columns == {"id": "string", "total": "decimal(18,4)", "dt": "string"}
    assert rows("SELECT count(*), max(total) FROM seen")[1] == ["30", "28.0500"]
    assert rows("SHOW CREATE VIEW seen")[0] == ["CREATE VIEW sales.seen AS"]
    assert ["seen"] in rows("SHOW VIEWS IN sales")


def test_show_create_view_keeps_the_text() -> None:
    executed("CREATE OR REPLACE VIEW quoting AS\nSELECT '\"' AS x,\n  'it''s \t\u00e9' AS \"y\"")
    assert ["\t".join(row) for row in rows("SHOW CREATE VIEW quoting")] == [
        "CREATE VIEW sales.quoting AS",
        "SELECT '\"' AS x,",
        "  'it''s \t\u00e9' AS \"y\"",
    ]


def test_view_uses_the_time_of_the_query(cloud: Cloud) -> None:
    executed(
        "CREATE OR REPLACE VIEW clock AS SELECT current_date AS day, CAST(now() AS timestamp) AS at"
    )
    first = rows("SELECT day, at FROM clock")
    cloud.clock.advance(2 * 86_400)
    second = rows("SELECT day, at FROM clock")
    assert first[1][0] < second[1][0]
    assert first[1][1] < second[1][1]


def test_view_follows_changed_column_types() -> None:
    executed("CREATE OR REPLACE VIEW below AS SELECT 7 AS x")
    executed("CREATE OR REPLACE VIEW above AS SELECT x / 2 AS y FROM below")
    assert rows("SELECT y FROM above")[1] == ["3"]
    executed("CREATE OR REPLACE VIEW below AS SELECT 7e0 AS x")
    assert rows("SELECT y FROM above")[1] == ["3.5"]


def test_view_follows_a_changed_view() -> None:
    executed("CREATE OR REPLACE VIEW below AS SELECT 1 AS x")
    executed("CREATE OR REPLACE VIEW above AS SELECT x + 1 AS y FROM below")
    executed("CREATE OR REPLACE VIEW below AS SELECT 41 AS x")
    assert rows("SELECT y FROM above") == [["y"], ["42"]]
    assert "View already exists" in reason("CREATE VIEW below AS SELECT 1 AS x")
    executed("DROP VIEW below")
    assert reason("SELECT y FROM above").startswith("TABLE_NOT_FOUND: line 1:24: Table")
    assert reason("DROP VIEW below").startswith("TABLE_NOT_FOUND")
    assert executed("DROP VIEW IF EXISTS below")["Status"]["State"] == "SUCCEEDED"


def test_view_columns_keep_their_types() -> None:
    executed(
        "CREATE OR REPLACE VIEW kinds AS SELECT TIMESTAMP '2026-01-02 03:04:05' AS moment, "
        "DATE '2026-01-02' AS day, sum(1) AS n, ARRAY['a'] AS words, CAST(1 AS double) AS x"
    )
    found = rows(
        "SELECT n / 2, words[1] || 'b', x / 2 FROM kinds WHERE moment < current_timestamp "
        "AND moment >= TIMESTAMP '2026-01-02 00:00:00' AND day = DATE '2026-01-02'"
    )
    assert found[1] == ["0", "ab", "0.5"]


def test_view_with_changed_columns_is_stale() -> None:
    executed("CREATE OR REPLACE VIEW base AS SELECT 1 AS a")
    executed("CREATE OR REPLACE VIEW star AS SELECT * FROM base")
    executed("CREATE OR REPLACE VIEW base AS SELECT 1 AS a, 2 AS b")
    assert reason("SELECT * FROM star").startswith("VIEW_IS_STALE")


def test_recursive_view_fails() -> None:
    executed("CREATE OR REPLACE VIEW snake AS SELECT 1 AS x")
    executed("CREATE OR REPLACE VIEW tail AS SELECT x FROM snake")
    assert reason("CREATE OR REPLACE VIEW snake AS SELECT x FROM tail").startswith(
        "VIEW_IS_RECURSIVE: line 1:"
    )
    assert rows("SELECT x FROM tail")[1] == ["1"]


def test_view_rejects_unsupported_columns() -> None:
    made = "CREATE OR REPLACE VIEW zoned AS SELECT current_timestamp AS now"
    assert reason(made).startswith("NOT_SUPPORTED: Unsupported Hive type: timestamp(3) with time")
    assert "is specified more than once" in reason("CREATE VIEW twice AS SELECT 1 AS a, 2 AS a")
