"""Statements of the laptop's Athena that define and describe tables, and prepared statements."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.core.server import Cloud
from tests.support.athena_fixture import (
    athena_client,
    athena_cloud,
    execute,
    failure_reason,
    query_rows,
)
from tests.support.laptop_cloud import aws, code_of, message_of

DEFINITIONS = (
    """CREATE EXTERNAL TABLE `sales`.`first` (`id` string COMMENT 'it\\'s the key', total
    decimal(10,2), `timestamp` timestamp, tags struct<a:int,b:array<string>>)
    COMMENT 'all of them' PARTITIONED BY (dt string COMMENT 'the day', `hour` int)
    ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
    WITH SERDEPROPERTIES ('ignore.malformed.json' = 'true')
    STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
    OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
    LOCATION 's3://lake/first/' TBLPROPERTIES ('classification' = 'json', 'a' = 'it\\'s')""",
    "create external table if not exists sales.second (x bigint) stored as parquet "
    "location 's3://lake/second' tblproperties ('parquet.compression'='SNAPPY');",
)


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    with athena_cloud() as cloud:
        yield cloud


def definition(name: str) -> dict[str, Any]:
    table = aws("glue").get_table(DatabaseName="sales", Name=name)["Table"]
    names = ("StorageDescriptor", "PartitionKeys", "Parameters", "TableType")
    return {key: table[key] for key in names}


@pytest.mark.parametrize("sql", DEFINITIONS)
def test_shown_definition_creates_an_equal_table(sql: str) -> None:
    name = "first" if "first" in sql else "second"
    assert execute(sql)["SubstatementType"] == "CREATE_TABLE"
    created = definition(name)
    statement = "\n".join(
        str(line) for (line,) in query_rows(f"SHOW CREATE TABLE `sales`.`{name}`")
    )
    assert statement.startswith(f"CREATE EXTERNAL TABLE `sales.{name}`(\n  `")
    query_rows(f"DROP TABLE `sales`.`{name}`")
    query_rows(statement.replace(f"`sales.{name}`", f"`sales`.`{name}`"))
    assert definition(name) == created


def test_column_types_and_comments_are_stored() -> None:
    query_rows(DEFINITIONS[0].replace("first", "stored"))
    table = definition("stored")
    columns = {
        c["Name"]: (c["Type"], c.get("Comment")) for c in table["StorageDescriptor"]["Columns"]
    }
    assert columns == {
        "id": ("string", "it's the key"),
        "total": ("decimal(10,2)", None),
        "timestamp": ("timestamp", None),
        "tags": ("struct<a:int,b:array<string>>", None),
    }
    assert table["Parameters"] == {
        "EXTERNAL": "TRUE",
        "comment": "all of them",
        "classification": "json",
        "a": "it's",
    }
    assert ["comment\tall of them"] in query_rows("SHOW TBLPROPERTIES sales.stored")
    assert query_rows("SHOW TBLPROPERTIES stored('classification')") == [["json"]]


def test_tables_are_altered() -> None:
    query_rows(DEFINITIONS[1].replace("second", "altered"))
    query_rows("ALTER TABLE altered SET TBLPROPERTIES ('a' = 'it\\'s', \n'EXTERNAL'='TRUE')")
    assert query_rows("SHOW TBLPROPERTIES `sales`.`altered`('a')") == [["it's"]]
    execution = execute("ALTER TABLE sales.altered ADD COLUMNS (`y` decimal(10,2), z string)")
    assert execution["SubstatementType"] == "ALTER_TABLE_ADD_COLUMNS"
    assert query_rows("SHOW COLUMNS IN altered") == [["x"], ["y"], ["z"]]
    assert definition("altered")["Parameters"]["parquet.compression"] == "SNAPPY"


def test_partitions_are_added_and_dropped() -> None:
    query_rows(
        "CREATE EXTERNAL TABLE parts (x int) PARTITIONED BY (dt string, hour int) "
        "STORED AS PARQUET LOCATION 's3://lake/parts/'"
    )
    partitions = "PARTITION (dt = 'a', hour = 1) LOCATION 's3://lake/a/' PARTITION (hour=2, dt='b')"
    query_rows(f"ALTER TABLE parts ADD {partitions}")
    query_rows(f"ALTER TABLE parts ADD IF NOT EXISTS {partitions}")
    assert "already exists" in failure_reason(f"ALTER TABLE parts ADD {partitions}")
    table = {"DatabaseName": "sales", "TableName": "parts"}
    stored = aws("glue").get_partitions(**table)["Partitions"]
    locations = {tuple(p["Values"]): p["StorageDescriptor"]["Location"] for p in stored}
    assert locations == {
        ("a", "1"): "s3://lake/a/",
        ("b", "2"): "s3://lake/parts/dt=b/hour=2/",
    }
    query_rows("ALTER TABLE `parts` DROP PARTITION (dt = 'a', hour = '1')")
    assert query_rows("SHOW PARTITIONS parts") == [["dt=b/hour=2"]]
    assert "not found" in failure_reason("ALTER TABLE parts DROP PARTITION (dt='a', hour=1)")
    query_rows("ALTER TABLE parts DROP IF EXISTS PARTITION (dt='a', hour=1)")
    assert "non-partition" in failure_reason("ALTER TABLE parts ADD PARTITION (x = 1)")


def test_databases_are_created_and_dropped() -> None:
    query_rows("CREATE DATABASE `shop` COMMENT 'a shop' LOCATION 's3://lake/shop/'")
    database = aws("glue").get_database(Name="shop")["Database"]
    assert (database["Description"], database["LocationUri"]) == ("a shop", "s3://lake/shop/")
    query_rows("CREATE SCHEMA IF NOT EXISTS shop")
    query_rows("CREATE EXTERNAL TABLE shop.t (x int) STORED AS PARQUET LOCATION 's3://lake/t/'")
    assert "shop is not empty" in failure_reason("DROP DATABASE shop")
    assert "already exists" in failure_reason("CREATE DATABASE shop")
    query_rows("DROP SCHEMA shop CASCADE")
    query_rows("DROP DATABASE IF EXISTS shop")
    assert "does not exist: shop" in failure_reason("DROP DATABASE shop")


def test_quoted_names_may_have_a_database() -> None:
    for quote in ("`", '"'):
        name = f"{quote}sales{quote}.{quote}changes{quote}"
        described = query_rows(f"DESCRIBE {name}")
        assert described == query_rows("DESCRIBE sales.changes")
        assert query_rows(f"SHOW COLUMNS IN {name}")[0] == ["id"]
        query_rows(f"MSCK REPAIR TABLE {name}")
        assert ["dt=2026-01-01"] in query_rows(f"SHOW PARTITIONS {name}")
    assert query_rows("SHOW TABLES IN `sales` 'chan*'") == [["changes"]]
    database = {"Database": "`sales`"}  # As awswrangler sends it.
    assert query_rows("SHOW TABLES 'chan*'", QueryExecutionContext=database) == [["changes"]]


def test_view_and_table_are_shown_as_what_they_are() -> None:
    query_rows("CREATE VIEW `seen` AS SELECT id FROM changes")
    assert query_rows('SHOW CREATE VIEW "sales"."seen"')[0] == ["CREATE VIEW sales.seen AS"]
    assert "is not a table" in failure_reason("SHOW CREATE TABLE seen")
    assert "is not a view" in failure_reason("SHOW CREATE VIEW changes")


def test_query_is_explained_without_a_scan() -> None:
    execution = execute("EXPLAIN SELECT count(*) FROM changes")
    assert execution["SubstatementType"] == "EXPLAIN"
    assert execution["Statistics"]["DataScannedInBytes"] == 0
    assert query_rows("EXPLAIN (FORMAT TEXT) SELECT count(*) AS n FROM changes")[0] == [
        "Query Plan"
    ]
    assert query_rows("EXPLAIN (TYPE VALIDATE) SELECT id FROM changes") == [["Valid"], ["true"]]
    assert "COLUMN_NOT_FOUND" in failure_reason("EXPLAIN SELECT absent FROM changes")


def test_prepared_statement_is_executed() -> None:
    query_rows("PREPARE by_day FROM SELECT count(*) AS n, ? AS text FROM changes WHERE dt = ?")
    execution = execute("EXECUTE by_day USING 'x, ''y', '2026-01-02'")
    assert execution["SubstatementType"] == "EXECUTE"
    rows = query_rows("EXECUTE by_day USING 'x, ''y', '2026-01-02'")
    assert rows == [["n", "text"], ["20", "x, 'y"]]
    assert "expected 2 but found 1" in failure_reason("EXECUTE by_day USING 1")
    query_rows("DEALLOCATE PREPARE by_day")
    assert "No Prepared Statement with statement name by_day" in failure_reason("EXECUTE by_day")


def test_prepared_statements_have_their_calls() -> None:
    client = athena_client()
    key = {"StatementName": "by_id", "WorkGroup": "work"}
    client.create_prepared_statement(**key, QueryStatement="SELECT 1 AS x")
    client.update_prepared_statement(**key, QueryStatement="SELECT ? AS x", Description="a query")
    stored = client.get_prepared_statement(**key)["PreparedStatement"]
    assert (stored["QueryStatement"], stored["Description"]) == ("SELECT ? AS x", "a query")
    listed = client.list_prepared_statements(WorkGroup="work")["PreparedStatements"]
    assert [statement["StatementName"] for statement in listed] == ["by_id"]
    assert query_rows("EXECUTE by_id USING 7")[1:] == [["7"]]
    assert "No Prepared Statement" in failure_reason(
        "EXECUTE by_id USING 7",
        WorkGroup="primary",
        ResultConfiguration={"OutputLocation": "s3://lake/r/"},
    )
    message = message_of(client.create_prepared_statement, **key, QueryStatement="SELECT 1 AS x")
    assert "already exists" in message
    client.delete_prepared_statement(**key)
    assert code_of(client.get_prepared_statement, **key) == "ResourceNotFoundException"
