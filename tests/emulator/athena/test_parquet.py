"""Parquet tables of the laptop's Athena: read, scanned, and written by statements."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.athena.backend.parquet import scanned_bytes as trino_bytes
from tests.support.athena_fixture import (
    athena_client,
    athena_cloud,
    execute,
    failure_reason,
    glue_columns,
    object_size,
    put_object,
    query_rows,
    scanned_bytes,
)
from tests.support.laptop_cloud import aws

MB = 1 << 20
KB = 1 << 10
FREE: dict[str, Any] = {
    "WorkGroup": "primary",
    "ResultConfiguration": {"OutputLocation": "s3://lake/results/"},
}
"""A workgroup that does not enforce its location."""
VALUES = (
    "CAST(1 AS tinyint) AS a, CAST(-2 AS bigint) AS b, CAST('1.05' AS decimal(38,2)) AS c,"
    " 1.5e0 AS d, true AS e, 'x''y' AS f, DATE '2026-01-02' AS g,"
    " TIMESTAMP '2026-01-02 03:04:05.678' AS h,"
    " ARRAY[1, NULL] AS i, MAP(ARRAY['k'], ARRAY[2]) AS j,"
    " CAST(ROW(1, ARRAY['z']) AS ROW(p integer, q ARRAY(varchar))) AS k, to_utf8('b') AS l,"
    " sum(3) AS m"
)


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    with athena_cloud() as cloud:
        yield cloud


def put_parquet(folder: Path, key: str, select: str, options: str = "") -> None:
    file = folder / "rows"
    duckdb.connect().execute(f"COPY ({select}) TO '{file}' (FORMAT parquet{options})")
    put_object(key, file.read_bytes())


def create_parquet_table(name: str, columns: str, keys: str = "", location: str = "") -> None:
    declared = ", ".join(f"{c['Name']} {c['Type']}" for c in glue_columns(columns))
    partitioned = f"PARTITIONED BY ({keys} string) " if keys else ""
    query_rows(
        f"CREATE EXTERNAL TABLE {name} ({declared}) {partitioned}STORED AS PARQUET "
        f"LOCATION 's3://lake/{location or name}/'"
    )


def keys_below(prefix: str) -> list[str]:
    page = aws("s3").list_objects_v2(Bucket="lake", Prefix=prefix)
    return [entry["Key"] for entry in page.get("Contents", [])]


def manifest(sql: str) -> list[str]:
    """Run a statement that writes, and return the keys in its manifest."""
    location = execute(sql)["Statistics"]["DataManifestLocation"]
    key = location.removeprefix("s3://lake/")
    body = aws("s3").get_object(Bucket="lake", Key=key)["Body"].read().decode()
    return [line.removeprefix("s3://lake/") for line in body.splitlines()]


def test_every_type_is_written_and_read_back() -> None:
    query = f"SELECT {VALUES} UNION ALL SELECT {', '.join(['NULL'] * 13)}"
    created = execute(f"CREATE TABLE every_type AS {query}")
    assert created["SubstatementType"] == "CREATE_TABLE_AS_SELECT"
    expected = sorted(query_rows(query), key=str)
    assert sorted(query_rows("SELECT * FROM every_type"), key=str) == expected
    client = athena_client()
    response = client.get_query_results(QueryExecutionId=created["QueryExecutionId"])
    assert response["UpdateCount"] == 2
    assert response["ResultSet"]["Rows"] == []
    table = aws("glue").get_table(DatabaseName="sales", Name="every_type")["Table"]
    types = {c["Name"]: c["Type"] for c in table["StorageDescriptor"]["Columns"]}
    assert (types["k"], types["m"]) == ("struct<p:int,q:array<string>>", "bigint")


def test_partition_values_are_written_and_read_back() -> None:
    values = ["'a/b=c %41'", "'ü \"q\"'", "'null'", "NULL"]
    rows = " UNION ALL ".join(f"SELECT {n} AS n, {v} AS p" for n, v in enumerate(values))
    keys = manifest(f"CREATE TABLE odd WITH (partitioned_by = ARRAY['p']) AS {rows}")
    assert len(keys) == len(values)
    stored = query_rows("SELECT p, n FROM odd ORDER BY n")[1:]
    assert [p for p, _ in stored] == ["a/b=c %41", 'ü "q"', "null", None]
    assert query_rows("SELECT n FROM odd WHERE p = 'a/b=c %41'")[1:] == [["0"]]
    assert query_rows("SELECT n FROM odd WHERE p IS NULL")[1:] == [["3"]]


def test_path_is_a_hidden_column() -> None:
    paths = "SELECT DISTINCT \"$path\" FROM changes WHERE dt = '2026-01-02'"
    assert query_rows(paths)[1:] == [["s3://lake/lake/dt=2026-01-02/rows.gz"]]
    star = query_rows('SELECT "$path" AS path, * FROM changes LIMIT 1')[0]
    assert star == ["path", "id", "total", "event", "dt"]
    path = query_rows("SELECT c.\"$path\" FROM changes c WHERE c.id = '25'")[1][0]
    assert path == "s3://lake/lake/dt=2026-01-03/rows.gz"
    count = f"SELECT count(*) FROM changes WHERE \"$path\" = '{path}'"
    assert query_rows(count)[1:] == [["30"]]
    assert scanned_bytes(count) == object_size("lake/dt=2026-01-03/rows.gz")
    query_rows('CREATE VIEW paths AS SELECT id, "$path" AS path FROM changes')
    joined = "SELECT count(*) FROM changes c JOIN paths p ON c.id = p.id WHERE p.path = '{}'"
    assert query_rows(joined.format(path))[1:] == [["60"]]


def test_only_selected_partitions_are_scanned() -> None:
    days = "CREATE TABLE days WITH (partitioned_by = ARRAY['dt']) AS SELECT id, dt FROM changes"
    first, second, _ = sorted(manifest(days))
    assert scanned_bytes("SELECT count(*) FROM days WHERE dt = '2026-01-01'") == object_size(first)
    assert scanned_bytes("SELECT max(id) FROM days WHERE dt = '2026-01-02'") == object_size(second)
    assert scanned_bytes("SELECT max(id) FROM days WHERE dt = 'never'") == 0
    join = "SELECT count(*) FROM days a JOIN days b ON a.id = b.id AND a.dt = b.dt"
    assert scanned_bytes(f"{join} WHERE a.dt = '2026-01-01'") == 2 * object_size(first)


def test_large_file_is_scanned_by_column(tmp_path: Path) -> None:
    """The columns a and c have 2 MB each, and the 3 MB of b lie between them."""
    random = "SELECT gen_random_uuid() AS a, gen_random_uuid() || 'b' AS b, gen_random_uuid() AS c"
    create_parquet_table("large", "a:binary b c:binary")
    select = f"SELECT a::VARCHAR::BLOB a, b, c::VARCHAR::BLOB c FROM ({random} FROM range(80000))"
    put_parquet(tmp_path, "large/rows", select, ", COMPRESSION uncompressed")
    size = object_size("large/rows")
    one = scanned_bytes("SELECT max(a) FROM large")
    both = scanned_bytes("SELECT max(a), max(c) FROM large")
    assert size / 4 < one < size / 2
    assert 1.9 * one < both < size
    assert 0 < scanned_bytes("SELECT count(*) FROM large") < 64 * KB


@pytest.mark.parametrize(
    ("size", "reads", "expected"),
    [
        (3 * MB, [(0, 10)], 3 * MB),
        (3 * MB, [(0, 10), (0, 10), (20, 5)], 6 * MB),
        (9 * MB, [], 0),
        (9 * MB, [(9 * MB - 100, 100)], 48 * KB),
        (9 * MB, [(4, 10), (14 + MB, 6)], 48 * KB + MB + 16),
        (9 * MB, [(4, 10), (15 + MB, 6)], 48 * KB + 16),
        (19 * MB, [(0, 5 * MB), (5 * MB + 10, 5 * MB)], 48 * KB + 10 * MB),
        (9 * MB, [(4, 10), (4, 10)], 48 * KB + 20),
    ],
)
def test_bytes_are_counted_as_by_trino(
    size: int, reads: list[tuple[int, int]], expected: int
) -> None:
    """Small files whole, gaps up to 1 MB read along in ranges up to 8 MB, and the footer."""
    assert trino_bytes(size, reads) == expected


def test_files_of_several_schemas_are_read(tmp_path: Path) -> None:
    create_parquet_table("evolved", "id:bigint total:decimal(10,2) note", "dt", "evolved")
    rows = ("1 AS ID", "2::INT AS id, 3.5::DECIMAL(4,1) AS total", "3 AS id, 'n' AS note")
    for day, select in enumerate(rows):
        put_parquet(tmp_path, f"evolved/dt={day}/rows", f"SELECT {select}")
    query_rows("MSCK REPAIR TABLE evolved")
    assert query_rows("SELECT * FROM evolved ORDER BY id")[1:] == [
        ["1", None, None, "0"],
        ["2", "3.50", None, "1"],
        ["3", None, "n", "2"],
    ]
    assert query_rows("SELECT count(*) FROM evolved WHERE dt = '1'")[1:] == [["1"]]


def test_unfit_file_fails_the_query(tmp_path: Path) -> None:
    create_parquet_table("unfit", "id:bigint")
    put_parquet(tmp_path, "unfit/rows", "SELECT 'x' AS id")
    assert failure_reason("SELECT id FROM unfit").startswith(
        "HIVE_BAD_DATA: Field id's type VARCHAR in parquet file s3://lake/unfit/rows is "
        "incompatible with type bigint defined in table schema"
    )
    put_object("unfit/rows", b"no parquet")
    reason = "HIVE_BAD_DATA: Not valid Parquet file: s3://lake/unfit/rows"
    assert failure_reason("SELECT id FROM unfit") == reason


def test_unload_writes_files_and_manifest() -> None:
    unload = "UNLOAD (SELECT id, dt FROM changes) TO 's3://lake/out/{}' WITH (format = 'PARQUET'{})"
    keys = manifest(unload.format("days/", ", partitioned_by = ARRAY['dt']"))
    folders = sorted(key.rpartition("/")[0] for key in keys)
    assert folders == [f"out/days/dt=2026-01-0{day}" for day in (1, 2, 3)]
    assert sorted(keys) == keys_below("out/days/")
    again = failure_reason(unload.format("days", ", compression = 'SNAPPY'"))
    assert again.startswith("HIVE_PATH_ALREADY_EXISTS: Target directory for table ")
    assert again.endswith("already exists: s3://lake/out/days/")
    empty = unload.format("none/", "").replace("FROM changes", "FROM changes WHERE id = 'absent'")
    assert manifest(empty) == []
    assert keys_below("out/none/") == []


def test_insert_adds_rows_and_partitions() -> None:
    query_rows(
        "CREATE TABLE target WITH (partitioned_by = ARRAY['dt']) AS "
        "SELECT id, CAST(total AS decimal(10,2)) AS total, dt FROM changes WITH NO DATA"
    )
    assert query_rows("SELECT * FROM target")[1:] == []
    inserted = execute("INSERT INTO target SELECT id, 1.5, dt FROM changes WHERE dt = '2026-01-01'")
    assert (inserted["StatementType"], inserted["SubstatementType"]) == ("DML", "INSERT")
    values = "('2026-01-01', 'x'), ('2026-01-09', ?)"
    sql = f"INSERT INTO sales.target (dt, id) VALUES {values}"
    query_rows(sql, ExecutionParameters=["'y'"])
    counts = "SELECT dt, count(*), count(total) FROM target GROUP BY 1 ORDER BY 1"
    assert query_rows(counts)[1:] == [
        ["2026-01-01", "11", "10"],
        ["2026-01-09", "1", "0"],
    ]
    assert query_rows("SHOW PARTITIONS target") == [["dt=2026-01-01"], ["dt=2026-01-09"]]


def test_insert_follows_the_projection() -> None:
    query_rows(
        "CREATE EXTERNAL TABLE projected (id string) PARTITIONED BY (dt string) STORED AS PARQUET "
        "LOCATION 's3://lake/projected/' TBLPROPERTIES ('projection.enabled' = 'true', "
        "'projection.dt.type' = 'enum', 'projection.dt.values' = 'a,b', "
        "'storage.location.template' = 's3://lake/projected/day-${dt}/')"
    )
    keys = manifest("INSERT INTO projected VALUES ('1', 'a'), ('2', 'never')")
    assert sorted(key.split("/")[1] for key in keys) == ["day-a", "day-never"]
    assert query_rows("SELECT id, dt FROM projected")[1:] == [["1", "a"]]
    assert query_rows("SHOW PARTITIONS projected") == []


SEQUENCE = "SELECT x, x AS y FROM UNNEST(sequence(1, 101)) AS s(x)"
UNMODIFIABLE = "NOT_SUPPORTED: Modifying Hive table rows is only supported for transactional tables"
REJECTED = {
    "CREATE TABLE changes AS SELECT 1 AS x": (
        "TABLE_ALREADY_EXISTS: line 1:1: Destination table 'awsdatacatalog.sales.changes' already"
    ),
    "CREATE TABLE absent.t AS SELECT 1 AS x": "SCHEMA_NOT_FOUND: Schema absent not found",
    "CREATE TABLE t AS SELECT 1": "MISSING_COLUMN_NAME: Column name not specified at position 1",
    "CREATE TABLE t AS SELECT 1 AS x, 2 AS x": "DUPLICATE_COLUMN_NAME: Column name 'x' is",
    "CREATE TABLE t AS SELECT now() AS x": "NOT_SUPPORTED: Unsupported Hive type: timestamp(3)",
    "CREATE TABLE t AS SELECT CAST('1' AS json) AS x": "NOT_SUPPORTED: Unsupported Hive type: json",
    f"CREATE TABLE t WITH (partitioned_by = ARRAY['x']) AS {SEQUENCE}": (
        "HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table and in "
        "the same order as the table properties: [x]"
    ),
    f"CREATE TABLE t WITH (partitioned_by = ARRAY['y']) AS {SEQUENCE}": (
        "HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers for partitions/buckets"
    ),
    "INSERT INTO changes SELECT '1', '2', '3', '2026-01-01'": (
        "NOT_SUPPORTED: INSERT INTO a table that does not store Parquet is not modelled"
    ),
    "INSERT INTO absent VALUES (1)": "TABLE_NOT_FOUND: Table 'sales.absent' does not exist",
    "INSERT INTO typed VALUES ('1')": (
        "TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [bigint], "
        "Query: [varchar]"
    ),
    "INSERT INTO typed VALUES (1, 2)": "TYPE_MISMATCH: line 1:1: Insert query has mismatched",
    "INSERT INTO typed (y) VALUES (1)": (
        "COLUMN_NOT_FOUND: line 1:1: Insert column name does not exist in target: y"
    ),
    "DELETE FROM typed WHERE x = 1": UNMODIFIABLE,
    "UPDATE typed SET x = 1": UNMODIFIABLE,
    "MERGE INTO typed USING s ON 1 = 1": UNMODIFIABLE,
}


@pytest.fixture(scope="module")
def typed(cloud: Cloud) -> None:
    create_parquet_table("typed", "x:bigint")


@pytest.mark.usefixtures("typed")
@pytest.mark.parametrize("sql", REJECTED)
def test_statement_fails_as_on_athena(sql: str) -> None:
    assert failure_reason(sql).startswith(REJECTED[sql])
    assert query_rows("SHOW TABLES LIKE 't'") == []


def test_location_of_a_new_table_may_be_chosen() -> None:
    create = "CREATE TABLE placed WITH (external_location = 's3://lake/placed') AS SELECT 1 AS x"
    with pytest.raises(ClientError, match="enforces a centralized output location"):
        execute(create)
    execute(create, **FREE)
    assert len(keys_below("placed/")) == 1
    query_rows("DROP TABLE placed")
    assert failure_reason(create, **FREE) == (
        "HIVE_PATH_ALREADY_EXISTS: Target directory for table 'sales.placed' already exists: "
        "s3://lake/placed/"
    )
    query_rows("CREATE TABLE IF NOT EXISTS changes AS SELECT 1 AS x")
