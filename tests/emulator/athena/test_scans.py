"""Scans of the laptop's Athena: the objects that partitions and projection include."""

import gzip
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from local.core.server import Cloud
from local.services.athena import Athena
from local.services.athena.storage.glue_catalog import table_from_glue
from local.services.athena.storage.partitions import projection_check
from tests.support.athena_fixture import (
    PROJECTION,
    athena_cloud,
    create_table,
    failure_reason,
    object_size,
    put_object,
    put_rows,
    query_rows,
    scanned_bytes,
)
from tests.support.laptop_cloud import aws


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    with athena_cloud() as cloud:
        yield cloud


def test_projected_days_are_queried() -> None:
    assert query_rows("SELECT dt, count(*) AS n FROM changes GROUP BY dt ORDER BY dt") == [
        ["dt", "n"],
        ["2026-01-01", "10"],
        ["2026-01-02", "20"],
        ["2026-01-03", "30"],
    ]
    assert query_rows("SELECT count(*) FROM changes WHERE dt = '2020-01-01'") == [["_col0"], ["0"]]


def test_join_scans_each_table_once() -> None:
    create_table("others", "others/", PROJECTION)
    put_rows("others/dt=2026-01-01/rows", [{"id": "1"}])
    put_rows("others/dt=2026-01-02/rows", [{"id": "22"}])
    join = "SELECT count(*) FROM changes a JOIN others b ON a.id = b.id"
    where = " WHERE a.dt = '2026-01-03' AND b.dt = '2026-01-02'"
    assert scanned_bytes(join + where) == (
        object_size("lake/dt=2026-01-03/rows.gz") + object_size("others/dt=2026-01-02/rows")
    )
    assert query_rows(join + where)[1] == ["1"]


@pytest.mark.parametrize("day", ["2026-01-01", "2026-01-0' OR '1'='1"])
def test_condition_twice_on_a_partition_scans_once(day: str) -> None:
    """DuckDB's plan shows both conditions, and its text was run as SQL."""
    days = "dt IN ('{}')".format(day.replace("'", "''"))
    window = "row_number() OVER (PARTITION BY dt, event ORDER BY id) AS copy"
    rows = f"SELECT *, {window} FROM changes WHERE {days}"
    sql = f"SELECT count(*) FROM ({rows}) WHERE copy = 1 AND {days}"
    expected = object_size("lake/dt=2026-01-01/rows.gz") if day == "2026-01-01" else 0
    assert scanned_bytes(sql) == expected


MALFORMED_BODIES = [
    (b'{"id":"1"}{"id":"2"}\n', "unexpected content after document"),
    (b'{"id":"1"}\n{"id":\n', "unexpected end of data"),
    (b'{\n"id": "1"\n}\n', "unexpected end of data"),
    (b'{"id":"1"}\n[]\n', "Row is not a valid JSON Object"),
    (b'{"Id":"1"}\n[]\n', "Row is not a valid JSON Object"),
    (b'{"Id":"1","id":"2"}\n', 'duplicate key "id"'),
    (b"\x1f\x8b not a gzip", "Row is not a valid JSON Object"),
]
GZIPPED = gzip.compress(random.Random(0).randbytes(200))
CORRUPT_GZIPS = {
    "plain text": (b"nothing", "Not a gzipped file"),
    "truncated": (GZIPPED[:-20], "ended before the end-of-stream marker"),
    "damaged": (GZIPPED[:10] + b"\x07" + GZIPPED[11:], "invalid block type"),
}


@pytest.mark.parametrize(
    ("body", "expected"), MALFORMED_BODIES, ids=[repr(case[0]) for case in MALFORMED_BODIES]
)
def test_malformed_line_fails_the_query(body: bytes, expected: str) -> None:
    name = f"malformed{MALFORMED_BODIES.index((body, expected))}"
    create_table(name, f"{name}/", PROJECTION, "id")
    put_rows(f"{name}/dt=2026-01-01/good", [{"id": "1"}])
    put_object(f"{name}/dt=2026-01-02/bad", body)
    reason = failure_reason(f"SELECT max(id) FROM {name}")
    assert reason.startswith("HIVE_CURSOR_ERROR")
    assert expected in reason
    assert f"s3://lake/{name}/dt=2026-01-02/bad" in reason
    assert query_rows(f"SELECT id FROM {name} WHERE dt = '2026-01-01'")[1] == ["1"]


@pytest.mark.parametrize("name", CORRUPT_GZIPS)
def test_corrupt_gzip_fails_the_query(name: str) -> None:
    body, expected = CORRUPT_GZIPS[name]
    create_table(name.replace(" ", "_"), f"{name}/", {}, "id", "")
    put_object(f"{name}/rows.gz", body)
    reason = failure_reason(f"SELECT id FROM {name.replace(' ', '_')}")
    assert reason.startswith(f"HIVE_CURSOR_ERROR: s3://lake/{name}/rows.gz: ")
    assert expected in reason


def test_keys_match_in_any_case() -> None:
    create_table("cased", "cased/", {}, "orderid nested", "")
    put_object("cased/rows", b'{"orderId":"a","other":1}\n\n{"ORDERID":\r"b","Nested":{"X":[1]}}\n')
    assert query_rows("SELECT orderid, nested FROM cased ORDER BY 1")[1:] == [
        ["a", None],
        ["b", '{"X":[1]}'],
    ]


def test_typed_columns_are_read_as_their_types() -> None:
    create_table(
        "typed", "typed/", {}, "n:bigint d:decimal(10,2) b:boolean t:timestamp l:array<int>", ""
    )
    put_rows(
        "typed/rows", [{"n": "7", "d": "1.505", "b": "true", "t": "2026-01-01 00:00:00", "l": [1]}]
    )
    assert query_rows("SELECT n + 1, d, b, t, l[1] FROM typed")[1] == [
        "8",
        "1.51",
        "true",
        "2026-01-01 00:00:00.000",
        "1",
    ]
    put_rows("typed/rows", [{"n": "7.5"}])
    assert failure_reason("SELECT n FROM typed").startswith(
        "HIVE_BAD_DATA: Error parsing field value '7.5'"
    )


def test_repair_registers_new_partitions() -> None:
    create_table("registered", "registered/", {}, "id", "day")
    put_rows("registered/day=a%20b/rows", [{"id": "1"}])
    put_rows("registered/day=c/rows.gz", [{"id": "2"}])
    for number, value in enumerate(("null", "NULL", "__HIVE_DEFAULT_PARTITION__"), start=3):
        put_rows(f"registered/day={value}/rows", [{"id": str(number)}])
    assert query_rows("SELECT id FROM registered") == [["id"]]
    assert len(query_rows("MSCK REPAIR TABLE registered")) == 5
    days = [["1", "a b"], ["2", "c"], ["3", "null"], ["4", "NULL"], ["5", None]]
    assert query_rows("SELECT id, day FROM registered ORDER BY id")[1:] == days
    assert query_rows("SELECT id FROM registered WHERE day IS NULL")[1:] == [["5"]]
    assert query_rows("SELECT id FROM registered WHERE day = 'a b'")[1:] == [["1"]]
    assert query_rows("MSCK REPAIR TABLE registered") == []
    assert len(query_rows("SHOW PARTITIONS registered")) == 5
    assert scanned_bytes("SELECT id FROM registered WHERE day = 'c'") == object_size(
        "registered/day=c/rows.gz"
    )


def test_integer_and_enum_projection() -> None:
    parameters = {
        "projection.enabled": "true",
        "projection.hour.type": "integer",
        "projection.hour.range": "0,10",
        "projection.hour.interval": "2",
        "projection.hour.digits": "2",
        "projection.region.type": "enum",
        "projection.region.values": "EU,US",
        "storage.location.template": "s3://lake/hours/${region}/${hour}/",
    }
    create_table("hours", "hours/", parameters, "id", "region hour:int")
    for path in ("EU/02", "US/10", "EU/03", "EU/2", "JP/02", "EU/12"):
        put_rows(f"hours/{path}/rows", [{"id": path}])
    rows = query_rows("SELECT id FROM hours WHERE hour > 1 ORDER BY hour")
    assert rows[1:] == [["EU/02"], ["US/10"]]
    assert scanned_bytes("SELECT id FROM hours WHERE hour = 10") == object_size("hours/US/10/rows")


def test_projection_without_a_column_fails() -> None:
    create_table("unconfigured", "unconfigured/", {"projection.enabled": "true"}, "id")
    assert "missing projection configuration: [dt]" in failure_reason("SELECT id FROM unconfigured")


INVALID_PROJECTIONS = [
    ({"range": ""}, "range must be two bounds such as 1,9, not ''"),
    ({"range": "2026-01-01"}, "two bounds"),
    ({"range": "2026-01-01,soon"}, "range bound 'soon' does not match the format"),
    ({"range": "NOW-3FORTNIGHTS,NOW"}, "'FORTNIGHTS' is not a unit of time"),
    ({"range": "NOW-3000YEARS,NOW"}, "year -974 is out of range"),
    ({"range": "2026-01-01,NOW+99999999999DAYS"}, "too large"),
    ({"format": ""}, "format is missing"),
    ({"interval": "0"}, "interval must be a positive integer, not '0'"),
    ({"interval.unit": "EPOCHS"}, "'EPOCHS' is not a unit of time"),
    ({"type": "integer", "range": "1,x"}, "invalid literal"),
]


@pytest.mark.parametrize(("settings", "message"), INVALID_PROJECTIONS, ids=str)
def test_invalid_projection_is_explained(settings: dict[str, str], message: str) -> None:
    parameters = PROJECTION | {f"projection.dt.{name}": value for name, value in settings.items()}
    name = f"invalid{INVALID_PROJECTIONS.index((settings, message))}"
    create_table(name, "lake/", parameters)
    reason = failure_reason(f"SELECT id FROM {name}")
    subject = f"Table sales.{name} has an invalid projection.dt: "
    assert reason.startswith(f"HIVE_METASTORE_ERROR: {subject}")
    assert message in reason


def test_relative_range_clamps_to_month_end() -> None:
    now = datetime(2027, 3, 31, 12, tzinfo=UTC)
    settings = {**PROJECTION, "projection.dt.range": "NOW-1MONTH,NOW+1YEAR"}
    table = table_from_glue({"Name": "t", "Parameters": settings}, "sales")
    is_projected = projection_check(table, "dt", now)
    days = ("2027-02-27", "2027-02-28", "2028-03-31", "2028-04-01")
    assert [is_projected(day) for day in days] == [False, True, True, False]


def test_new_day_is_included_once_it_starts(cloud: Cloud) -> None:
    create_table("days", "days/", {**PROJECTION, "projection.dt.range": "2026-01-01,NOW"}, "id")
    new_day = time.gmtime(cloud.clock.now() + timedelta(days=2).total_seconds())
    put_rows(f"days/dt={time.strftime('%Y-%m-%d', new_day)}/rows", [{"id": "1"}])
    assert query_rows("SELECT id FROM days") == [["id"]]
    cloud.clock.advance(timedelta(days=2).total_seconds())
    assert query_rows("SELECT id FROM days") == [["id"], ["1"]]


def test_changed_and_deleted_objects_are_noticed() -> None:
    create_table("moving", "moving/", {}, "id", "")
    for number in ("1", "2"):
        put_rows("moving/rows", [{"id": number}])
        assert query_rows("SELECT id FROM moving")[1:] == [[number]]
    aws("s3").delete_object(Bucket="lake", Key="moving/rows")
    assert query_rows("SELECT id FROM moving") == [["id"]]


def test_tables_can_share_objects() -> None:
    create_table("whole", "lake/", {}, "id", "")
    create_table("latest", "lake/", {**PROJECTION, "projection.dt.range": "2026-01-03,NOW"}, "id")
    all_rows = [["_col0"], ["61"]]  # Those outside the projection, too.
    for _ in range(2):
        assert query_rows("SELECT count(*) FROM changes")[1] == ["60"]
        assert query_rows("SELECT count(*) FROM whole") == all_rows
        assert query_rows("SELECT count(*) FROM latest")[1] == ["30"]
    join = "SELECT count(DISTINCT a.id), count(DISTINCT b.id) FROM changes a, latest b, whole c"
    assert query_rows(join)[1] == ["30", "30"]


def test_cache_keeps_only_listed_objects(cloud: Cloud) -> None:
    cache = cloud.service(Athena)._folder / "objects"
    create_table("cached", "cached/", {}, "id", "")
    before = len(list(cache.iterdir()))
    for number in range(3):
        put_rows("cached/rows", [{"id": str(number)}])
        query_rows("SELECT id FROM cached")
    assert len(list(cache.iterdir())) == before + 1
