"""The laptop's Athena answers as AWS's does: its API, its tables, its views and its files."""

import gzip
import json
import os
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.athena import Athena
from local.cloud import Cloud
from tests.laptop import laptop
from tests.service_model import violations

JSON = "org.apache.hive.hcatalog.data.JsonSerDe"
PROJECTION = {
    "projection.enabled": "true",
    "projection.dt.type": "date",
    "projection.dt.range": "2026-01-01,NOW+1DAY",
    "projection.dt.format": "yyyy-MM-dd",
}
NO_QUERIES = ".NamedQueryIds: expected at least 1, found 0"  # AWS lists none all the same.
VIEW = """CREATE OR REPLACE VIEW seen AS
SELECT id, TRY_CAST(total AS decimal(18,4)) AS total, dt FROM (
    SELECT *, row_number() OVER (PARTITION BY dt, event ORDER BY id) AS n FROM changes
) WHERE n = 1"""


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    """A cloud whose Athena has a lake of three days to ask about."""
    with laptop(Athena) as cloud:
        furnish()
        yield cloud
    assert not os.path.exists(cloud.part(Athena)._folder)


def furnish() -> None:
    """Make the bucket, the database, the table of changes and its objects."""
    boto3.client("s3").create_bucket(Bucket="lake")
    boto3.client("glue").create_database(DatabaseInput={"Name": "sales"})
    table("changes", "lake/", PROJECTION)
    for day in (1, 2, 3):
        rows = [{"id": f"{n}", "total": f"{n}.05", "event": f"e{n // 2}"} for n in range(10 * day)]
        put(f"lake/dt=2026-01-0{day}/rows.gz", rows)
    put("lake/dt=2020-01-01/old", [{"id": "before the projection's range"}])
    put("lake/dt=2026-01-01/.hidden", [{"id": "hidden"}])
    athena().create_work_group(Name="work", Configuration=results("s3://lake/queries/"))


def athena() -> Any:
    """Return a client whose answers are held against the service model."""
    client = boto3.client("athena")

    def check(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        told = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        if "Error" not in told and model.output_shape is not None:
            assert set(violations(told, model.output_shape)) <= {NO_QUERIES}

    client.meta.events.register("after-call.athena.*", check)
    return client


def results(location: str, **settings: Any) -> dict[str, Any]:
    """Return a workgroup's configuration."""
    return {"ResultConfiguration": {"OutputLocation": location}, **settings}


def put(key: str, rows: list[dict[str, Any]] | bytes) -> None:
    """Write an object of the lake: rows as JSON lines, compressed where its name says so."""
    body = rows
    if isinstance(rows, list):
        body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    if key.endswith(".gz"):
        body = gzip.compress(body)
    boto3.client("s3").put_object(Bucket="lake", Key=key, Body=body)


def table(
    name: str,
    prefix: str,
    parameters: Mapping[str, str],
    columns: str = "id total event",
    keys: str = "dt",
) -> None:
    """Make a table of text columns, unless a column says `name:type`."""
    boto3.client("glue").create_table(
        DatabaseName="sales",
        TableInput={
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": typed(keys),
            "Parameters": dict(parameters),
            "StorageDescriptor": {
                "Location": f"s3://lake/{prefix}",
                "Columns": typed(columns),
                "SerdeInfo": {"SerializationLibrary": JSON},
            },
        },
    )


def typed(columns: str) -> list[dict[str, str]]:
    """Return Glue's columns."""
    pairs = (column.partition(":") for column in columns.split())
    return [{"Name": name, "Type": kind or "string"} for name, _, kind in pairs]


def executed(sql: str, **params: Any) -> dict[str, Any]:
    """Run a query to its end and return its execution."""
    client = athena()
    given = {"WorkGroup": "work", "QueryExecutionContext": {"Database": "sales"}, **params}
    key = client.start_query_execution(QueryString=sql, **given)["QueryExecutionId"]
    return ended(key)


def ended(key: str) -> dict[str, Any]:
    """Wait for an execution's end."""
    client, deadline = athena(), time.monotonic() + 60
    while time.monotonic() < deadline:
        execution = client.get_query_execution(QueryExecutionId=key)["QueryExecution"]
        if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return execution
        time.sleep(0.01)
    raise TimeoutError(key)


def rows(sql: str, **params: Any) -> list[list[str | None]]:
    """Return what a query gives, with the names of its columns in front."""
    execution = executed(sql, **params)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    answer = athena().get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    return [
        [cell.get("VarCharValue") for cell in row["Data"]] for row in answer["ResultSet"]["Rows"]
    ]


def scanned(sql: str) -> int:
    """Return the bytes that a query reads."""
    return executed(sql)["Statistics"]["DataScannedInBytes"]


def reason(sql: str, state: str = "FAILED", **params: Any) -> str:
    """Return why a query did not succeed."""
    status = executed(sql, **params)["Status"]
    assert status["State"] == state
    return status["StateChangeReason"]


def size(key: str) -> int:
    """Return the size of an object in S3."""
    return boto3.client("s3").head_object(Bucket="lake", Key=key)["ContentLength"]


def test_a_query_counts_the_rows_of_the_projected_days() -> None:
    assert rows("SELECT dt, count(*) AS n FROM changes GROUP BY dt ORDER BY dt") == [
        ["dt", "n"],
        ["2026-01-01", "10"],
        ["2026-01-02", "20"],
        ["2026-01-03", "30"],
    ]
    assert rows("SELECT count(*) FROM changes WHERE dt = '2020-01-01'") == [["_col0"], ["0"]]


def test_a_day_costs_its_own_bytes_even_through_views() -> None:
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


def test_each_table_of_a_join_costs_what_it_reads() -> None:
    table("others", "others/", PROJECTION)
    put("others/dt=2026-01-01/rows", [{"id": "1"}])
    put("others/dt=2026-01-02/rows", [{"id": "22"}])
    join = "SELECT count(*) FROM changes a JOIN others b ON a.id = b.id"
    where = " WHERE a.dt = '2026-01-03' AND b.dt = '2026-01-02'"
    assert scanned(join + where) == (
        size("lake/dt=2026-01-03/rows.gz") + size("others/dt=2026-01-02/rows")
    )
    assert rows(join + where)[1] == ["1"]


def test_a_view_is_kept_in_glue_as_athena_keeps_it() -> None:
    executed(VIEW)
    kept = boto3.client("glue").get_table(DatabaseName="sales", Name="seen")["Table"]
    assert kept["TableType"] == "VIRTUAL_VIEW"
    assert kept["Parameters"]["presto_view"] == "true"
    assert kept["ViewOriginalText"].startswith("/* Presto View: ")
    columns = {column["Name"]: column["Type"] for column in kept["StorageDescriptor"]["Columns"]}
    assert columns == {"id": "string", "total": "decimal(18,4)", "dt": "string"}
    assert rows("SELECT count(*), max(total) FROM seen")[1] == ["30", "28.0500"]
    assert rows("SHOW CREATE VIEW seen")[0] == ["CREATE VIEW sales.seen AS"]
    assert ["seen"] in rows("SHOW VIEWS IN sales")


def test_a_view_follows_the_view_below_it() -> None:
    executed("CREATE OR REPLACE VIEW below AS SELECT 1 AS x")
    executed("CREATE OR REPLACE VIEW above AS SELECT x + 1 AS y FROM below")
    executed("CREATE OR REPLACE VIEW below AS SELECT 41 AS x")
    assert rows("SELECT y FROM above") == [["y"], ["42"]]
    assert "View already exists" in reason("CREATE VIEW below AS SELECT 1 AS x")
    executed("DROP VIEW below")
    assert reason("SELECT y FROM above").startswith("TABLE_NOT_FOUND: line 1:24: Table")
    assert reason("DROP VIEW below").startswith("TABLE_NOT_FOUND")
    assert executed("DROP VIEW IF EXISTS below")["Status"]["State"] == "SUCCEEDED"


def test_a_views_columns_keep_their_types() -> None:
    executed(
        "CREATE OR REPLACE VIEW kinds AS SELECT TIMESTAMP '2026-01-02 03:04:05' AS moment, "
        "DATE '2026-01-02' AS day, sum(1) AS n, ARRAY['a'] AS words, CAST(1 AS double) AS x"
    )
    found = rows(
        "SELECT n / 2, words[1] || 'b', x / 2 FROM kinds WHERE moment < current_timestamp "
        "AND moment >= TIMESTAMP '2026-01-02 00:00:00' AND day = DATE '2026-01-02'"
    )
    assert found[1] == ["0", "ab", "0.5"]


def test_a_view_whose_columns_are_no_longer_its_own_is_stale() -> None:
    executed("CREATE OR REPLACE VIEW base AS SELECT 1 AS a")
    executed("CREATE OR REPLACE VIEW star AS SELECT * FROM base")
    executed("CREATE OR REPLACE VIEW base AS SELECT 1 AS a, 2 AS b")
    assert reason("SELECT * FROM star").startswith("VIEW_IS_STALE")


def test_a_view_that_reads_itself_fails() -> None:
    executed("CREATE OR REPLACE VIEW snake AS SELECT 1 AS x")
    executed("CREATE OR REPLACE VIEW tail AS SELECT x FROM snake")
    assert reason("CREATE OR REPLACE VIEW snake AS SELECT x FROM tail").startswith(
        "VIEW_IS_RECURSIVE: line 1:"
    )
    assert rows("SELECT x FROM tail")[1] == ["1"]


def test_a_view_cannot_hold_what_glue_has_no_type_for() -> None:
    made = "CREATE OR REPLACE VIEW zoned AS SELECT current_timestamp AS now"
    assert reason(made).startswith("NOT_SUPPORTED: Unsupported Hive type: timestamp(3) with time")
    assert "given twice" in reason("CREATE VIEW twice AS SELECT 1 AS a, 2 AS a")


FAILURES = [
    ("SELECT 1 FROM nope", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.sales.nope'"),
    ("SELECT 1 FROM nope.x", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nope' does not exist"),
    ("SELECT nope FROM changes", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
    ("SELECT 1 FROM changes WHERE total > 5", "TYPE_MISMATCH: line 1:29: Cannot apply operator"),
    ("SELECT CAST(event AS bigint) FROM changes", "INVALID_CAST_ARGUMENT: Cannot cast 'e0'"),
    ('SELECT 1 FROM "/etc/passwd"', "TABLE_NOT_FOUND"),
    ("SELECT 1 FROM other.sales.changes", "CATALOG_NOT_FOUND"),
]


@pytest.mark.parametrize(("sql", "expected"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_query_that_cannot_run_fails_with_its_reason(sql: str, expected: str) -> None:
    execution = executed(sql)
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"].startswith(expected)
    assert execution["Status"]["AthenaError"]["ErrorCategory"] == 2
    assert execution["Statistics"]["DataScannedInBytes"] == 0
    with pytest.raises(ClientError, match="did not finish successfully"):
        athena().get_query_results(QueryExecutionId=execution["QueryExecutionId"])


def test_text_that_is_no_query_is_refused_at_once() -> None:
    with pytest.raises(ClientError, match=r"InvalidRequestException.*line 1:1: mismatched input"):
        executed("selec 1")


BROKEN = [
    (b'{"id":"1"}{"id":"2"}\n', "unexpected content after document"),
    (b'{"id":"1"}\n{"id":\n', "unexpected end of data"),
    (b'{\n"id": "1"\n}\n', "unexpected end of data"),
    (b'{"id":"1"}\n[]\n', "Row is not a valid JSON Object"),
    (b"\x1f\x8b not a gzip", "Row is not a valid JSON Object"),
]


@pytest.mark.parametrize(("body", "expected"), BROKEN, ids=[repr(case[0]) for case in BROKEN])
def test_a_malformed_line_fails_the_query_that_reads_it(body: bytes, expected: str) -> None:
    name = f"broken{BROKEN.index((body, expected))}"
    table(name, f"{name}/", PROJECTION, "id")
    put(f"{name}/dt=2026-01-01/good", [{"id": "1"}])
    put(f"{name}/dt=2026-01-02/bad", body)
    failed = reason(f"SELECT max(id) FROM {name}")
    assert failed.startswith("HIVE_CURSOR_ERROR")
    assert expected in failed
    assert f"s3://lake/{name}/dt=2026-01-02/bad" in failed
    assert rows(f"SELECT id FROM {name} WHERE dt = '2026-01-01'")[1] == ["1"]


def test_keys_are_matched_in_any_case_and_unknown_ones_are_left_out() -> None:
    table("cased", "cased/", {}, "orderid nested", "")
    put("cased/rows", [{"orderId": "a", "other": 1}, {"ORDERID": "b", "Nested": {"X": [1]}}])
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


def test_registered_partitions_are_the_only_ones_until_a_repair() -> None:
    table("registered", "registered/", {}, "id", "day")
    put("registered/day=a%20b/rows", [{"id": "1"}])
    put("registered/day=c/rows.gz", [{"id": "2"}])
    assert rows("SELECT id FROM registered") == [["id"]]
    assert len(rows("MSCK REPAIR TABLE registered")) == 2
    assert rows("SELECT id FROM registered ORDER BY id")[1:] == [["1"], ["2"]]
    assert len(rows("SHOW PARTITIONS registered")) == 2
    assert scanned("SELECT id FROM registered WHERE day = 'c'") == size("registered/day=c/rows.gz")


def test_projection_of_numbers_and_lists_admits_only_its_values() -> None:
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


def test_a_projection_that_lacks_a_column_fails() -> None:
    table("lacking", "lacking/", {"projection.enabled": "true"}, "id")
    assert "missing projection configuration: [dt]" in reason("SELECT id FROM lacking")


def test_a_new_day_is_seen_when_its_time_has_come(cloud: Cloud) -> None:
    table("days", "days/", {**PROJECTION, "projection.dt.range": "2026-01-01,NOW"}, "id")
    later = time.gmtime((cloud.clock.now()) + timedelta(days=2).total_seconds())
    put(f"days/dt={time.strftime('%Y-%m-%d', later)}/rows", [{"id": "1"}])
    assert rows("SELECT id FROM days") == [["id"]]
    cloud.clock.advance(timedelta(days=2).total_seconds())
    assert rows("SELECT id FROM days") == [["id"], ["1"]]


def test_a_changed_object_is_read_anew_and_a_deleted_one_no_more() -> None:
    table("moving", "moving/", {}, "id", "")
    for number in ("1", "2"):
        put("moving/rows", [{"id": number}])
        assert rows("SELECT id FROM moving")[1:] == [[number]]
    boto3.client("s3").delete_object(Bucket="lake", Key="moving/rows")
    assert rows("SELECT id FROM moving") == [["id"]]


def test_the_cache_keeps_only_what_is_listed(cloud: Cloud) -> None:
    cache = cloud.part(Athena)._folder / "objects"
    table("cached", "cached/", {}, "id", "")
    before = len(list(cache.iterdir()))
    for number in range(3):
        put("cached/rows", [{"id": str(number)}])
        rows("SELECT id FROM cached")
    assert len(list(cache.iterdir())) == before + 1


def test_results_come_in_pages_of_a_thousand_with_one_header() -> None:
    table("many", "many/", {}, "id", "")
    put("many/rows", [{"id": f'{n}"\n,é'} for n in range(2500)])
    key = executed("SELECT id FROM many ORDER BY CAST(split_part(id, '\"', 1) AS integer)")
    pages = list(
        athena()
        .get_paginator("get_query_results")
        .paginate(QueryExecutionId=key["QueryExecutionId"])
    )
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    found = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert found == ["id", *(f'{n}"\n,é' for n in range(2500))]
    with pytest.raises(ClientError, match="MaxResults is more than maximum"):
        athena().get_query_results(QueryExecutionId=key["QueryExecutionId"], MaxResults=1001)


def test_a_result_is_a_csv_in_s3_that_tells_null_from_empty() -> None:
    execution = executed("SELECT 'a\"b' AS x, NULL AS y, '' AS z, 1.50 AS d")
    location = execution["ResultConfiguration"]["OutputLocation"]
    key = location.removeprefix("s3://lake/")
    assert location == f"s3://lake/queries/{execution['QueryExecutionId']}.csv"
    body = boto3.client("s3").get_object(Bucket="lake", Key=key)["Body"].read()
    assert body == b'"x","y","z","d"\n"a""b",,"","1.50"\n'
    assert size(key + ".metadata")


def test_a_result_outlives_the_laptops_copy_of_it(cloud: Cloud) -> None:
    key = executed("SELECT 7 AS x")["QueryExecutionId"]
    for file in (cloud.part(Athena)._folder / "results").iterdir():
        file.unlink()
    answer = athena().get_query_results(QueryExecutionId=key)
    assert answer["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "7"}]


def test_columns_are_described_by_athenas_types() -> None:
    sql = (
        "SELECT 1 AS i, 1.5 AS d, 'a' AS s, true AS b, 1e0 AS f, current_timestamp AS z, DATE "
        "'2026-01-01' AS day, ARRAY[1] AS l, TIMESTAMP '2026-01-01 00:00:00' AS t, sum(1) AS n"
    )
    key = executed(sql)["QueryExecutionId"]
    told = athena().get_query_results(QueryExecutionId=key)["ResultSet"]["ResultSetMetadata"]
    kinds = {column["Name"]: column["Type"] for column in told["ColumnInfo"]}
    assert list(kinds.values()) == [
        *("integer", "decimal", "varchar", "boolean", "double", "timestamp with time zone"),
        *("date", "array", "timestamp", "bigint"),
    ]
    decimal = told["ColumnInfo"][1]
    assert (decimal["Precision"], decimal["Scale"]) == (2, 1)


def test_tables_are_described() -> None:
    described = rows("DESCRIBE changes")
    assert [cell.strip() for cell in described[0]] == ["id", "string", ""]
    assert rows("SHOW COLUMNS IN changes") == [["id"], ["total"], ["event"], ["dt"]]
    assert ["changes"] in rows("SHOW TABLES")
    assert rows("SHOW TABLES 'chang*'") == [["changes"]]
    assert ["sales"] in rows("SHOW DATABASES")
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'changes'"
    assert rows(columns + " ORDER BY ordinal_position")[1:] == [
        ["id"],
        ["total"],
        ["event"],
        ["dt"],
    ]


def test_a_query_over_its_workgroups_limit_is_cancelled() -> None:
    limited = results("s3://lake/queries/", BytesScannedCutoffPerQuery=10_000_000)
    athena().create_work_group(Name="limited", Configuration=limited)
    table("heavy", "heavy/", {}, "id", "")
    put("heavy/rows", b'{"id":"' + b"x" * 10_000_100 + b'"}\n')
    assert reason("SELECT length(id) FROM heavy", "CANCELLED", WorkGroup="limited") == (
        "Bytes scanned limit was exceeded"
    )
    assert executed("SELECT 1", WorkGroup="limited")["Status"]["State"] == "SUCCEEDED"


def endless_queries() -> list[str]:
    """Start two queries that take long, and return their ids once the first one runs."""
    client = athena()
    numbers = "UNNEST(sequence(1, 100000))"
    endless = f"SELECT sum(a * b % 7) FROM {numbers} AS t(a) CROSS JOIN {numbers} AS u(b)"
    keys = [
        client.start_query_execution(QueryString=endless, WorkGroup="work")["QueryExecutionId"]
        for _ in range(2)
    ]
    while client.get_query_execution(QueryExecutionId=keys[0])["QueryExecution"]["Status"][
        "State"
    ] == ("QUEUED"):
        time.sleep(0.01)
    return keys


def test_what_runs_and_waits_when_athena_is_killed_fails_and_the_rest_stays(cloud: Cloud) -> None:
    before = executed("SELECT count(*) FROM changes", WorkGroup="work")["QueryExecutionId"]
    keys = endless_queries()
    cloud.part(Athena).restart()
    for key in keys:
        status = ended(key)["Status"]
        assert status["State"] == "FAILED"
        assert status["StateChangeReason"].startswith("GENERIC_INTERNAL_ERROR")
    assert ended(before)["Status"]["State"] == "SUCCEEDED"
    assert athena().get_query_results(QueryExecutionId=before)["ResultSet"]["Rows"]
    assert rows("SELECT count(*) FROM changes")[1] == ["60"]


def test_a_running_query_can_be_stopped() -> None:
    keys = endless_queries()
    for key in reversed(keys):
        athena().stop_query_execution(QueryExecutionId=key)
    assert {ended(key)["Status"]["State"] for key in keys} == {"CANCELLED"}
    assert rows("SELECT 1")[1] == ["1"]


def test_a_request_token_starts_one_query() -> None:
    client, token = athena(), "t" * 40
    started = [
        client.start_query_execution(
            QueryString="SELECT 1", WorkGroup="work", ClientRequestToken=token
        )["QueryExecutionId"]
        for _ in range(2)
    ]
    assert started[0] == started[1]
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        client.start_query_execution(
            QueryString="SELECT 2", WorkGroup="work", ClientRequestToken=token
        )


def test_parameters_take_the_places_of_question_marks() -> None:
    sql = "SELECT count(*) FROM changes WHERE dt BETWEEN ? AND ? AND id = ?"
    given = ["'2026-01-02'", "'2026-01-03'", "'9'"]
    assert rows(sql, ExecutionParameters=given)[1] == ["2"]
    with pytest.raises(ClientError, match="expected 3 but found 1"):
        executed(sql, ExecutionParameters=given[:1])
    with pytest.raises(ClientError, match="is not a literal"):
        executed(sql, ExecutionParameters=["'2026-01-02'", "dt", "'9' OR 1 = 1"])


def test_a_query_goes_where_its_workgroup_says() -> None:
    own = {"OutputLocation": "s3://lake/mine"}
    athena().create_work_group(
        Name="free", Configuration=results("s3://lake/q/", EnforceWorkGroupConfiguration=False)
    )

    def location(group: str, **params: Any) -> str:
        found = executed("SELECT 1", WorkGroup=group, **params)
        return found["ResultConfiguration"]["OutputLocation"].rpartition("/")[0]

    assert location("work", ResultConfiguration=own) == "s3://lake/queries"
    assert location("free", ResultConfiguration=own) == "s3://lake/mine"
    assert location("free") == "s3://lake/q"
    with pytest.raises(ClientError, match="No output location provided"):
        executed("SELECT 1", WorkGroup="primary")
    with pytest.raises(ClientError, match="Unable to verify/create output bucket absent"):
        executed(
            "SELECT 1", WorkGroup="primary", ResultConfiguration={"OutputLocation": "s3://absent/"}
        )


def test_a_workgroup_lives() -> None:
    client = athena()
    assert client.get_work_group(WorkGroup="primary")["WorkGroup"]["State"] == "ENABLED"
    with pytest.raises(ClientError, match=r"WorkGroup absent is not found\."):
        client.get_work_group(WorkGroup="absent")
    tags = [{"Key": "pipeline", "Value": "x"}]
    client.create_work_group(Name="brief", Configuration=results("s3://lake/a/"), Tags=tags)
    with pytest.raises(ClientError, match=r"InvalidRequestException.*already created"):
        client.create_work_group(Name="brief")
    client.update_work_group(
        WorkGroup="brief",
        ConfigurationUpdates={
            "ResultConfigurationUpdates": {"OutputLocation": "s3://lake/b/"},
            "BytesScannedCutoffPerQuery": 20_000_000,
            "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
        },
    )
    found = client.get_work_group(WorkGroup="brief")["WorkGroup"]["Configuration"]
    assert found["ResultConfiguration"] == {"OutputLocation": "s3://lake/b/"}
    assert found["BytesScannedCutoffPerQuery"] == 20_000_000
    assert found["EnforceWorkGroupConfiguration"] is True
    arn = "arn:aws:athena:us-east-1:123456789012:workgroup/brief"
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == tags
    client.untag_resource(ResourceARN=arn, TagKeys=["pipeline"])
    assert client.list_tags_for_resource(ResourceARN=arn)["Tags"] == []
    assert "brief" in [group["Name"] for group in client.list_work_groups()["WorkGroups"]]
    client.create_named_query(Name="q", Database="sales", QueryString="SELECT 1", WorkGroup="brief")
    with pytest.raises(ClientError, match="is not empty"):
        client.delete_work_group(WorkGroup="brief")
    client.delete_work_group(WorkGroup="brief", RecursiveDeleteOption=True)
    with pytest.raises(ClientError, match="is not found"):
        client.delete_work_group(WorkGroup="brief")


def test_a_limit_below_ten_megabytes_is_refused() -> None:
    careless = boto3.client("athena", config=Config(parameter_validation=False))
    with pytest.raises(ClientError, match="at least 10000000"):
        careless.create_work_group(
            Name="x", Configuration={"BytesScannedCutoffPerQuery": 9_999_999}
        )


def test_a_named_query_lives() -> None:
    client = athena()
    given = {"Name": "count", "Database": "sales", "QueryString": "SELECT 1", "WorkGroup": "work"}
    key = client.create_named_query(**given, ClientRequestToken="n" * 32)["NamedQueryId"]
    assert client.create_named_query(**given, ClientRequestToken="n" * 32)["NamedQueryId"] == key
    client.update_named_query(NamedQueryId=key, Name="counted", QueryString="SELECT 2")
    assert client.get_named_query(NamedQueryId=key)["NamedQuery"]["QueryString"] == "SELECT 2"
    found = client.batch_get_named_query(NamedQueryIds=[key, "absent"])
    assert [query["Name"] for query in found["NamedQueries"]] == ["counted"]
    assert [told["NamedQueryId"] for told in found["UnprocessedNamedQueryIds"]] == ["absent"]
    assert client.list_named_queries(WorkGroup="work")["NamedQueryIds"] == [key]
    client.delete_named_query(NamedQueryId=key)
    assert client.list_named_queries(WorkGroup="work")["NamedQueryIds"] == []


def test_executions_are_listed_the_newest_first() -> None:
    athena().create_work_group(Name="listed", Configuration=results("s3://lake/queries/"))
    keys = [executed("SELECT 1", WorkGroup="listed")["QueryExecutionId"] for _ in range(3)]
    client = athena()
    pages = client.get_paginator("list_query_executions").paginate(
        WorkGroup="listed", PaginationConfig={"PageSize": 2}
    )
    assert [key for page in pages for key in page["QueryExecutionIds"]] == keys[::-1]
    found = client.batch_get_query_execution(QueryExecutionIds=[*keys, "absent"])
    assert [told["QueryExecutionId"] for told in found["QueryExecutions"]] == keys
    assert len(found["UnprocessedQueryExecutionIds"]) == 1
    assert client.get_query_runtime_statistics(QueryExecutionId=keys[0])["QueryRuntimeStatistics"]


def test_the_catalog_can_be_looked_into() -> None:
    client, where = athena(), {"CatalogName": "AwsDataCatalog"}
    assert client.list_data_catalogs()["DataCatalogsSummary"][0]["CatalogName"] == "AwsDataCatalog"
    assert {"Name": "sales"} in client.list_databases(**where)["DatabaseList"]
    assert client.get_database(**where, DatabaseName="sales")["Database"] == {"Name": "sales"}
    found = client.get_table_metadata(**where, DatabaseName="sales", TableName="changes")
    assert found["TableMetadata"]["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    listed = client.list_table_metadata(**where, DatabaseName="sales", Expression="chang.*")
    assert [told["Name"] for told in listed["TableMetadataList"]] == ["changes"]
    with pytest.raises(ClientError, match="MetadataException"):
        client.get_table_metadata(**where, DatabaseName="sales", TableName="absent")


def test_what_is_not_modelled_is_refused() -> None:
    with pytest.raises(ClientError, match="is not modelled by the laptop's Athena"):
        athena().list_engine_versions()
    with pytest.raises(ClientError, match="ManagedQueryResultsConfiguration is not modelled"):
        athena().create_work_group(
            Name="m", Configuration={"ManagedQueryResultsConfiguration": {"Enabled": True}}
        )


def test_a_fault_of_our_own_ends_the_query_too(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.athena.executions.metadata", lambda _: 1 / 0)
    assert reason("SELECT 1") == "GENERIC_INTERNAL_ERROR: ZeroDivisionError: division by zero"
