"""What the laptop's Athena reads: the objects that partitions and projection admit."""

import gzip
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest

from local.core.server import Cloud
from local.services.athena import Athena
from local.services.athena.storage.glue_catalog import table_from_glue
from local.services.athena.storage.partitions import projection_check
from tests.support.athena_fixture import (
    PROJECTION,
    an_athena,
    put,
    reason,
    rows,
    scanned,
    size,
    table,
)
from tests.support.laptop_cloud import aws


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    """A cloud whose Athena has a lake of three days to ask about."""
    with an_athena() as cloud:
        yield cloud


def test_projected_days_are_queried() -> None:
    assert rows("SELECT dt, count(*) AS n FROM changes GROUP BY dt ORDER BY dt") == [
        ["dt", "n"],
        ["2026-01-01", "10"],
        ["2026-01-02", "20"],
        ["2026-01-03", "30"],
    ]
    assert rows("SELECT count(*) FROM changes WHERE dt = '2020-01-01'") == [["_col0"], ["0"]]


def test_join_scans_each_table_once() -> None:
    table("others", "others/", PROJECTION)
    put("others/dt=2026-01-01/rows", [{"id": "1"}])
    put("others/dt=2026-01-02/rows", [{"id": "22"}])
    join = "SELECT count(*) FROM changes a JOIN others b ON a.id = b.id"
    where = " WHERE a.dt = '2026-01-03' AND b.dt = '2026-01-02'"
    assert scanned(join + where) == (
        size("lake/dt=2026-01-03/rows.gz") + size("others/dt=2026-01-02/rows")
    )
    assert rows(join + where)[1] == ["1"]


BROKEN = [
    (b'{"id":"1"}{"id":"2"}\n', "unexpected content after document"),
    (b'{"id":"1"}\n{"id":\n', "unexpected end of data"),
    (b'{\n"id": "1"\n}\n', "unexpected end of data"),
    (b'{"id":"1"}\n[]\n', "Row is not a valid JSON Object"),
    (b'{"Id":"1"}\n[]\n', "Row is not a valid JSON Object"),
    (b'{"Id":"1","id":"2"}\n', 'duplicate key "id"'),
    (b"\x1f\x8b not a gzip", "Row is not a valid JSON Object"),
]
GZIPPED = gzip.compress(random.Random(0).randbytes(200))
BROKEN_ZIPS = {
    "no zip": (b"nothing", "Not a gzipped file"),
    "cut off": (GZIPPED[:-20], "ended before the end-of-stream marker"),
    "spoilt": (GZIPPED[:10] + b"\x07" + GZIPPED[11:], "invalid block type"),
}


@pytest.mark.parametrize(("body", "expected"), BROKEN, ids=[repr(case[0]) for case in BROKEN])
def test_malformed_line_fails_the_query(body: bytes, expected: str) -> None:
    name = f"broken{BROKEN.index((body, expected))}"
    table(name, f"{name}/", PROJECTION, "id")
    put(f"{name}/dt=2026-01-01/good", [{"id": "1"}])
    put(f"{name}/dt=2026-01-02/bad", body)
    failed = reason(f"SELECT max(id) FROM {name}")
    assert failed.startswith("HIVE_CURSOR_ERROR")
    assert expected in failed
    assert f"s3://lake/{name}/dt=2026-01-02/bad" in failed
    assert rows(f"SELECT id FROM {name} WHERE dt = '2026-01-01'")[1] == ["1"]


@pytest.mark.parametrize("name", BROKEN_ZIPS)
def test_corrupt_gzip_fails_the_query(name: str) -> None:
    body, expected = BROKEN_ZIPS[name]
    table(name.replace(" ", "_"), f"{name}/", {}, "id", "")
    aws("s3").put_object(Bucket="lake", Key=f"{name}/rows.gz", Body=body)
    failed = reason(f"SELECT id FROM {name.replace(' ', '_')}")
    assert failed.startswith(f"HIVE_CURSOR_ERROR: s3://lake/{name}/rows.gz: ")
    assert expected in failed


def test_keys_match_in_any_case() -> None:
    table("cased", "cased/", {}, "orderid nested", "")
    put("cased/rows", b'{"orderId":"a","other":1}\n\n{"ORDERID":\r"b","Nested":{"X":[1]}}\n')
    assert rows("SELECT orderid, nested FROM cased ORDER BY 1")[1:] == [
        ["a", None],
        ["b", '{"X":[1]}'],
    ]


def test_typed_columns_are_read_as_their_types() -> None:
    table("typed", "typed/", {}, "n:bigint d:decimal(10,2) b:boolean t:timestamp l:array<int>", "")
    put("typed/rows", [{"n": "7", "d": "1.505", "b": "true", "t": "2026-01-01 00:00:00", "l": [1]}])
    assert rows("SELECT n + 1, d, b, t, l[1] FROM typed")[1] == [
        *("8", "1.51", "true", "2026-01-01 00:00:00.000", "1")
    ]
    put("typed/rows", [{"n": "7.5"}])
    assert reason("SELECT n FROM typed").startswith(
        "HIVE_BAD_DATA: Error parsing field value '7.5'"
    )


def test_repair_registers_new_partitions() -> None:
    table("registered", "registered/", {}, "id", "day")
    put("registered/day=a%20b/rows", [{"id": "1"}])
    put("registered/day=c/rows.gz", [{"id": "2"}])
    for number, value in enumerate(("null", "NULL", "__HIVE_DEFAULT_PARTITION__"), start=3):
        put(f"registered/day={value}/rows", [{"id": str(number)}])
    assert rows("SELECT id FROM registered") == [["id"]]
    assert len(rows("MSCK REPAIR TABLE registered")) == 5
    days = [["1", "a b"], ["2", "c"], ["3", "null"], ["4", "NULL"], ["5", None]]
    assert rows("SELECT id, day FROM registered ORDER BY id")[1:] == days
    assert rows("SELECT id FROM registered WHERE day IS NULL")[1:] == [["5"]]
    assert rows("SELECT id FROM registered WHERE day = 'a b'")[1:] == [["1"]]
    assert rows("MSCK REPAIR TABLE registered") == []
    assert len(rows("SHOW PARTITIONS registered")) == 5
    assert scanned("SELECT id FROM registered WHERE day = 'c'") == size("registered/day=c/rows.gz")


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
    table("hours", "hours/", parameters, "id", "region hour:int")
    for path in ("EU/02", "US/10", "EU/03", "EU/2", "JP/02", "EU/12"):
        put(f"hours/{path}/rows", [{"id": path}])
    found = rows("SELECT id FROM hours WHERE hour > 1 ORDER BY hour")
    assert found[1:] == [["EU/02"], ["US/10"]]
    assert scanned("SELECT id FROM hours WHERE hour = 10") == size("hours/US/10/rows")


def test_projection_without_a_column_fails() -> None:
    table("lacking", "lacking/", {"projection.enabled": "true"}, "id")
    assert "missing projection configuration: [dt]" in reason("SELECT id FROM lacking")


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
    table(name, "lake/", parameters)
    failure = reason(f"SELECT id FROM {name}")
    subject = f"Table sales.{name} has an invalid projection.dt: "
    assert failure.startswith(f"HIVE_METASTORE_ERROR: {subject}")
    assert message in failure


def test_relative_range_clamps_to_month_end() -> None:
    now = datetime(2027, 3, 31, 12, tzinfo=timezone.utc)
    settings = {**PROJECTION, "projection.dt.range": "NOW-1MONTH,NOW+1YEAR"}
    described = {"Name": "t", "Parameters": settings}
    admits = projection_check(table_from_glue(described, "sales"), "dt", now)
    days = ("2027-02-27", "2027-02-28", "2028-03-31", "2028-04-01")
    assert [admits(day) for day in days] == [False, True, True, False]


def test_new_day_is_included_once_it_starts(cloud: Cloud) -> None:
    table("days", "days/", {**PROJECTION, "projection.dt.range": "2026-01-01,NOW"}, "id")
    later = time.gmtime((cloud.clock.now()) + timedelta(days=2).total_seconds())
    put(f"days/dt={time.strftime('%Y-%m-%d', later)}/rows", [{"id": "1"}])
    assert rows("SELECT id FROM days") == [["id"]]
    cloud.clock.advance(timedelta(days=2).total_seconds())
    assert rows("SELECT id FROM days") == [["id"], ["1"]]


def test_changed_and_deleted_objects_are_noticed() -> None:
    table("moving", "moving/", {}, "id", "")
    for number in ("1", "2"):
        put("moving/rows", [{"id": number}])
        assert rows("SELECT id FROM moving")[1:] == [[number]]
    aws("s3").delete_object(Bucket="lake", Key="moving/rows")
    assert rows("SELECT id FROM moving") == [["id"]]


def test_tables_can_share_objects() -> None:
    table("whole", "lake/", {}, "id", "")
    table("latest", "lake/", {**PROJECTION, "projection.dt.range": "2026-01-03,NOW"}, "id")
    everything = [["_col0"], ["61"]]  # Of any day, and of none.
    for _ in range(2):
        assert rows("SELECT count(*) FROM changes")[1] == ["60"]
        assert rows("SELECT count(*) FROM whole") == everything
        assert rows("SELECT count(*) FROM latest")[1] == ["30"]
    joined = "SELECT count(DISTINCT a.id), count(DISTINCT b.id) FROM changes a, latest b, whole c"
    assert rows(joined)[1] == ["30", "30"]


def test_cache_keeps_only_listed_objects(cloud: Cloud) -> None:
    cache = cloud.service(Athena)._folder / "objects"
    table("cached", "cached/", {}, "id", "")
    before = len(list(cache.iterdir()))
    for number in range(3):
        put("cached/rows", [{"id": str(number)}])
        rows("SELECT id FROM cached")
    assert len(list(cache.iterdir())) == before + 1
