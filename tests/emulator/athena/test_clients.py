"""Clients of Athena against the laptop cloud, unmodified; each test needs its client installed."""

import subprocess
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from shutil import which
from typing import Any

import pytest

from local.core.server import Cloud
from local.environment import REGION
from local.services.glue import Glue
from tests.support.athena_fixture import athena_cloud, query_rows
from tests.support.profile import IS_THOROUGH

HAS_CLIENT = IS_THOROUGH or any(map(find_spec, ("awswrangler", "pyathena")))
pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # Those of the clients are theirs.
    pytest.mark.skipif(not HAS_CLIENT, reason="no client is installed"),
]

RESULTS = "s3://lake/client/"
PRIMARY = {"workgroup": "primary", "s3_output": RESULTS}
COUNTS = "SELECT dt, count(*) AS n FROM changes GROUP BY dt ORDER BY dt"
EXPECTED = [("2026-01-01", 10), ("2026-01-02", 20), ("2026-01-03", 30)]
UNLOAD = {"ctas_approach": False, "unload_approach": True}


@pytest.fixture(scope="module", autouse=True)
def laptop_cloud() -> Iterator[Cloud]:
    with athena_cloud(Glue) as cloud:
        yield cloud


@pytest.mark.parametrize("workgroup", ["primary", "work"])
@pytest.mark.parametrize("approach", [{}, {"ctas_approach": False}, UNLOAD], ids=str)
def test_awswrangler_reads_queries(approach: dict[str, bool], workgroup: str) -> None:
    wr = pytest.importorskip("awswrangler")
    output = {"s3_output": f"s3://lake/{workgroup}-unload/"} if approach == UNLOAD else {}
    if workgroup == "primary":  # The other one enforces its own location.
        output.setdefault("s3_output", RESULTS)
    frame = wr.athena.read_sql_query(
        COUNTS, database="sales", workgroup=workgroup, **approach, **output
    )
    assert sorted(map(tuple, frame.to_numpy().tolist())) == EXPECTED
    assert query_rows("SHOW TABLES 'temp*'") == []


def test_awswrangler_manages_tables() -> None:
    wr = pytest.importorskip("awswrangler")
    frame = pytest.importorskip("pandas").DataFrame({"id": [1, 2], "day": ["a", "b"]})
    options = {"dataset": True, "database": "sales", "table": "frame", "partition_cols": ["day"]}
    wr.s3.to_parquet(frame, "s3://lake/frame/", **options)
    wr.athena.repair_table("frame", "sales", **PRIMARY)
    sql = "SELECT * FROM frame WHERE id = :id"
    assert len(wr.athena.read_sql_query(sql, "sales", params={"id": 2}, **PRIMARY)) == 1
    described = wr.athena.describe_table("frame", "sales", **PRIMARY)
    assert described["Column Name"].tolist() == ["id", "day"]
    statement = wr.athena.show_create_table("frame", "sales", **PRIMARY)
    assert statement.startswith("CREATE EXTERNAL TABLE `sales.frame`")
    wr.athena.create_ctas_table("SELECT 1 AS x", "sales", ctas_table="ctas", wait=True, **PRIMARY)
    unloaded = wr.athena.unload("SELECT * FROM frame", "s3://lake/unloaded/", "sales")
    assert unloaded.manifest_location.endswith("-manifest.csv")
    assert next(wr.catalog.search_tables(text="frame"))["Name"] == "frame"
    assert wr.catalog.delete_table_if_exists("sales", "frame")


def connect(**options: Any) -> Any:
    pyathena = pytest.importorskip("pyathena")
    return pyathena.connect(
        s3_staging_dir=RESULTS, region_name=REGION, schema_name="sales", **options
    )


def test_pyathena_reads_and_writes() -> None:
    with connect() as connection, connection.cursor() as cursor:
        assert cursor.execute(COUNTS).fetchall() == EXPECTED
        assert cursor.execute("SELECT %(day)s", {"day": "x'y"}).fetchall() == [("x'y",)]
        sql = "SELECT total FROM changes WHERE id = ? AND dt = ?"
        cursor.execute(sql, ["'1'", "'2026-01-01'"], paramstyle="qmark")
        assert cursor.fetchall() == [("1.05",)]
        cursor.execute("CREATE TABLE py AS SELECT 1 AS x")
        cursor.execute("INSERT INTO py VALUES (2)")
        assert cursor.rowcount == 1
        assert sorted(cursor.execute("SELECT x FROM py").fetchall()) == [(1,), (2,)]
        assert cursor.execute("SHOW TABLES LIKE 'py'").fetchall() == [("py",)]
        cursor.execute("DROP TABLE py")


@pytest.mark.parametrize("unload", [False, True])
@pytest.mark.parametrize("kind", ["Pandas", "Arrow"])
def test_pyathena_reads_frames(
    laptop_cloud: Cloud, kind: str, unload: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client in pyarrow does not read AWS_ENDPOINT_URL: it is told the address here."""
    pytest.importorskip("pandas")
    pytest.importorskip("pyathena")
    file_systems = pytest.importorskip("pyarrow.fs")
    address = {"endpoint_override": laptop_cloud.endpoint.partition("//")[2], "scheme": "http"}
    s3 = partial(file_systems.S3FileSystem, **address)
    monkeypatch.setattr(file_systems, "S3FileSystem", s3)
    cursors = pytest.importorskip(f"pyathena.{kind.lower()}.cursor")
    with connect(cursor_class=getattr(cursors, f"{kind}Cursor")) as connection:
        cursor = connection.cursor(unload=unload)
        assert sorted(cursor.execute(COUNTS).fetchall()) == EXPECTED


def test_sqlalchemy_reflects_and_writes() -> None:
    pytest.importorskip("pyathena")
    sa = pytest.importorskip("sqlalchemy")
    query_rows("CREATE VIEW seen AS SELECT id FROM changes")
    host = f"athena.{REGION}.amazonaws.com:443"
    engine = sa.create_engine(f"awsathena+rest://@{host}/sales?s3_staging_dir={RESULTS}")
    inspector = sa.inspect(engine)
    assert inspector.has_table("changes")
    assert not inspector.has_table("absent")
    assert "sales" in inspector.get_schema_names()
    assert inspector.get_view_names() == ["seen"]
    assert inspector.get_view_definition("seen").endswith("SELECT id FROM changes")
    metadata = sa.MetaData()
    options = {"awsathena_location": "s3://lake/made/", "awsathena_file_format": "PARQUET"}
    columns = sa.Column("x", sa.Integer), sa.Column("y", sa.String)
    table = sa.Table("made", metadata, *columns, **options)
    with engine.connect() as connection:
        changes = sa.Table("changes", metadata, autoload_with=connection)
        assert connection.execute(sa.select(sa.func.count()).select_from(changes)).scalar() == 60
        table.create(connection)
        connection.execute(table.insert().values(x=1, y="a"))
        assert connection.execute(sa.select(table)).fetchall() == [(1, "a")]
        table.drop(connection)


def test_pandas_writes_a_table() -> None:
    util = pytest.importorskip("pyathena.pandas.util")
    frame = pytest.importorskip("pandas").DataFrame({"a": [1, 2], "b": ["x", "y"]})
    with connect() as connection:
        util.to_sql(frame, "made_by_pandas", connection, "s3://lake/pandas/", schema="sales")
        rows = connection.cursor().execute("SELECT * FROM made_by_pandas").fetchall()
    assert sorted(rows) == [(1, "x"), (2, "y")]


@pytest.mark.skipif(not IS_THOROUGH or which("aws") is None, reason="starts the aws CLI")
def test_cli_needs_the_address_of_queues(laptop_cloud: Cloud) -> None:
    """Version 1 of the CLI has a fixed address for SQS, unless a command names another."""
    address = ("--endpoint-url", laptop_cloud.endpoint)
    for arguments in (("sqs", "list-queues", *address), ("glue", "search-tables")):
        assert subprocess.run(["aws", *arguments], capture_output=True, check=False).returncode == 0
