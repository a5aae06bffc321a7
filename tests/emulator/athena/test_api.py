"""Athena's API on the laptop: executions, results and named queries."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.athena import Athena
from local.services.athena.api import executions
from local.services.athena.backend.engine import Engine, Plan
from tests.support.athena_engine import not_null
from tests.support.athena_fixture import (
    athena_client,
    athena_cloud,
    create_table,
    execute,
    failure_reason,
    object_size,
    put_object,
    put_rows,
    query_rows,
    wait_until_finished,
    workgroup_configuration,
)
from tests.support.laptop_cloud import aws

FAILURES = [
    ("SELECT 1 FROM nope", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.sales.nope'"),
    ("SELECT 1 FROM nope.x", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nope' does not exist"),
    ("SELECT nope FROM changes", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
    ("SELECT 1 FROM changes WHERE total > 5", "TYPE_MISMATCH: line 1:29: Cannot apply operator"),
    ("SELECT CAST(event AS bigint) FROM changes", "INVALID_CAST_ARGUMENT: Cannot cast 'e0'"),
    ('SELECT 1 FROM "/etc/passwd"', "TABLE_NOT_FOUND"),
    ("SELECT 1 FROM other.sales.changes", "CATALOG_NOT_FOUND"),
]


@pytest.fixture(scope="module", autouse=True)
def cloud() -> Iterator[Cloud]:
    with athena_cloud() as cloud:
        yield cloud


@pytest.mark.parametrize(("sql", "expected"), FAILURES, ids=[case[0] for case in FAILURES])
def test_failed_query_has_its_reason(sql: str, expected: str) -> None:
    execution = execute(sql)
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"].startswith(expected)
    assert execution["Status"]["AthenaError"]["ErrorCategory"] == 2
    assert execution["Statistics"]["DataScannedInBytes"] == 0
    with pytest.raises(ClientError, match="did not finish successfully"):
        athena_client().get_query_results(QueryExecutionId=execution["QueryExecutionId"])


def test_unparsable_text_is_rejected_at_once() -> None:
    with pytest.raises(ClientError, match=r"InvalidRequestException.*line 1:1: mismatched input"):
        execute("selec 1")


@pytest.mark.parametrize("text", ["'\0'", "'\udcff'"])
def test_invalid_characters_are_rejected(text: str) -> None:
    with pytest.raises(ClientError, match=r"InvalidRequestException.*must not contain NUL"):
        execute(f"SELECT {text}")
    with pytest.raises(ClientError, match=r"InvalidRequestException.*must not contain NUL"):
        execute("SELECT ?", ExecutionParameters=[text])


def test_results_are_paged_with_one_header() -> None:
    create_table("many", "many/", {}, "id", "")
    put_rows("many/rows", [{"id": f'{n}"\n,é'} for n in range(2500)])
    execution = execute("SELECT id FROM many ORDER BY CAST(split_part(id, '\"', 1) AS integer)")
    execution_id = execution["QueryExecutionId"]
    paginator = athena_client().get_paginator("get_query_results")
    pages = list(paginator.paginate(QueryExecutionId=execution_id))
    assert [len(page["ResultSet"]["Rows"]) for page in pages] == [1000, 1000, 501]
    ids = [row["Data"][0]["VarCharValue"] for page in pages for row in page["ResultSet"]["Rows"]]
    assert ids == ["id", *(f'{n}"\n,é' for n in range(2500))]
    with pytest.raises(ClientError, match="MaxResults is more than maximum"):
        athena_client().get_query_results(QueryExecutionId=execution_id, MaxResults=1001)


@pytest.mark.parametrize("token", ["1", "9", "99", "one", "\u00b2", "9" * 5000])
def test_unknown_page_token_is_rejected(token: str) -> None:
    key = execute('SELECT \'"\' AS "\u00e9"""')["QueryExecutionId"]
    with pytest.raises(ClientError, match=r"InvalidRequestException.*NextToken .* is not valid"):
        athena_client().get_query_results(QueryExecutionId=key, NextToken=token)


def test_result_csv_distinguishes_null_from_empty() -> None:
    execution = execute("SELECT 'a\"b' AS x, NULL AS y, '' AS z, 1.50 AS d")
    location = execution["ResultConfiguration"]["OutputLocation"]
    key = location.removeprefix("s3://lake/")
    assert location == f"s3://lake/queries/{execution['QueryExecutionId']}.csv"
    body = aws("s3").get_object(Bucket="lake", Key=key)["Body"].read()
    assert body == b'"x","y","z","d"\n"a""b",,"","1.50"\n'
    assert object_size(key + ".metadata")


def test_evicted_result_is_read_from_s3(cloud: Cloud) -> None:
    key = execute("SELECT 7 AS x")["QueryExecutionId"]
    for file in (cloud.service(Athena)._folder / "results").iterdir():
        file.unlink()
    response = athena_client().get_query_results(QueryExecutionId=key)
    assert response["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "7"}]


def test_columns_have_athena_types() -> None:
    sql = (
        "SELECT 1 AS i, 1.5 AS d, 'a' AS s, true AS b, 1e0 AS f, current_timestamp AS z, DATE "
        "'2026-01-01' AS day, ARRAY[1] AS l, TIMESTAMP '2026-01-01 00:00:00' AS t, sum(1) AS n"
    )
    key = execute(sql)["QueryExecutionId"]
    result_set = athena_client().get_query_results(QueryExecutionId=key)["ResultSet"]
    columns = result_set["ResultSetMetadata"]["ColumnInfo"]
    assert [column["Type"] for column in columns] == [
        "integer",
        "decimal",
        "varchar",
        "boolean",
        "double",
        "timestamp with time zone",
        "date",
        "array",
        "timestamp",
        "bigint",
    ]
    decimal = columns[1]
    assert (decimal["Precision"], decimal["Scale"]) == (2, 1)


def test_tables_are_described() -> None:
    (first_column,) = query_rows("DESCRIBE changes")[0]
    assert not_null(first_column).split("\t") == [f"{'id':20}", f"{'string':20}", " " * 20]
    assert query_rows("SHOW COLUMNS IN changes") == [["id"], ["total"], ["event"], ["dt"]]
    assert ["changes"] in query_rows("SHOW TABLES")
    assert query_rows("SHOW TABLES 'chang*'") == [["changes"]]
    assert ["sales"] in query_rows("SHOW DATABASES")
    assert "'[' is not a pattern" in failure_reason("SHOW TABLES '['")


def test_wide_table_keeps_its_column_order() -> None:
    names = [f"c{number}" for number in range(12)]
    create_table("wide", "wide/", {}, " ".join(names), "dt")
    sql = "SELECT column_name FROM information_schema.columns WHERE table_name = 'wide'"
    rows = query_rows(f"{sql} ORDER BY ordinal_position")
    assert rows[1:] == [[name] for name in (*names, "dt")]
    assert query_rows(f"{sql} AND ordinal_position > 12")[1:] == [["dt"]]


def test_query_over_scan_limit_is_cancelled() -> None:
    configuration = workgroup_configuration(
        "s3://lake/queries/", BytesScannedCutoffPerQuery=10_000_000
    )
    athena_client().create_work_group(Name="limited", Configuration=configuration)
    create_table("heavy", "heavy/", {}, "id", "")
    put_object("heavy/rows", b'{"id":"' + b"x" * 10_000_100 + b'"}\n')
    assert failure_reason("SELECT length(id) FROM heavy", "CANCELLED", WorkGroup="limited") == (
        "Bytes scanned limit was exceeded"
    )
    create = "CREATE TABLE copied AS SELECT id FROM heavy"
    assert failure_reason(create, "CANCELLED", WorkGroup="limited")
    assert query_rows("SHOW TABLES LIKE 'copied'") == []
    assert execute("SELECT 1", WorkGroup="limited")["Status"]["State"] == "SUCCEEDED"


NUMBERS = "UNNEST(sequence(1, 10000))"
ENDLESS = (
    f"SELECT sum(a * b % 7) FROM {NUMBERS} AS t(a) CROSS JOIN {NUMBERS} AS u(b) "
    f"CROSS JOIN {NUMBERS} AS v(c)"
)


def start_endless_query() -> str:
    """Start a query that runs for hours, and return its id."""
    response = athena_client().start_query_execution(QueryString=ENDLESS, WorkGroup="work")
    return str(response["QueryExecutionId"])


def start_endless_queries() -> list[str]:
    """Start two endless queries, and return their ids once the first one runs."""
    keys = [start_endless_query() for _ in range(2)]
    while state_of(keys[0]) == "QUEUED":
        time.sleep(0.01)
    return keys


def state_of(key: str) -> str:
    """Return the state of an execution."""
    response = athena_client().get_query_execution(QueryExecutionId=key)
    return str(response["QueryExecution"]["Status"]["State"])


def test_a_poll_waits_for_the_end_of_a_query(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executions, "POLL_SECONDS", 60)
    response = athena_client().start_query_execution(QueryString="SELECT 1", WorkGroup="work")
    assert state_of(response["QueryExecutionId"]) == "SUCCEEDED"


def test_tables_are_read_again_after_a_change(cloud: Cloud) -> None:
    reads: list[str] = []

    def record(params: dict[str, Any], **_: object) -> None:
        reads.append(params["Name"])

    def reads_of_a_query() -> list[str]:
        reads.clear()
        execute("SELECT count(*) FROM changes")
        return list(reads)

    events = cloud.client("glue").meta.events
    events.register("before-parameter-build.glue.GetTable", record)
    create_table("unrelated", "unrelated/", {})
    counts = [reads_of_a_query() for _ in range(2)]
    aws("glue").delete_table(DatabaseName="sales", Name="unrelated")
    counts.append(reads_of_a_query())
    events.unregister("before-parameter-build.glue.GetTable", record)
    assert counts == [["changes"], [], ["changes"]]


@pytest.mark.slow
def test_restart_fails_only_unfinished_queries(cloud: Cloud) -> None:
    finished_id = execute("SELECT count(*) FROM changes", WorkGroup="work")["QueryExecutionId"]
    keys = start_endless_queries()
    cloud.service(Athena).restart()
    for key in keys:
        status = wait_until_finished(key)["Status"]
        assert status["State"] == "FAILED"
        assert status["StateChangeReason"].startswith("GENERIC_INTERNAL_ERROR")
    assert state_of(finished_id) == "SUCCEEDED"
    assert athena_client().get_query_results(QueryExecutionId=finished_id)["ResultSet"]["Rows"]
    assert query_rows("SELECT count(*) FROM changes")[1] == ["60"]


def test_running_query_can_be_stopped() -> None:
    keys = start_endless_queries()
    for key in reversed(keys):
        athena_client().stop_query_execution(QueryExecutionId=key)
    assert {wait_until_finished(key)["Status"]["State"] for key in keys} == {"CANCELLED"}
    assert query_rows("SELECT 1")[1] == ["1"]


@pytest.fixture
def idle_before_write(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """An event that is set while a planned query waits to start and DuckDB is idle."""
    is_idle = threading.Event()
    write = Engine.write

    def write_later(engine: Engine, plan: Plan, file: Path) -> None:
        is_idle.set()
        time.sleep(0.2)
        write(engine, plan, file)

    monkeypatch.setattr(Engine, "write", write_later)
    return is_idle


def test_query_stopped_early_frees_the_engine(idle_before_write: threading.Event) -> None:
    key = start_endless_query()
    assert idle_before_write.wait(60)
    athena_client().stop_query_execution(QueryExecutionId=key)
    status = wait_until_finished(key)["Status"]
    assert (status["State"], "AthenaError" in status) == ("CANCELLED", False)
    assert query_rows("SELECT 1")[1] == ["1"]


def test_close_ends_a_query_in_any_state(cloud: Cloud, idle_before_write: threading.Event) -> None:
    service = Athena(cloud)
    results = {"OutputLocation": "s3://lake/queries/"}
    service._start_query_execution({"QueryString": ENDLESS, "ResultConfiguration": results})
    assert idle_before_write.wait(60)
    closing = threading.Thread(target=service.close, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()


def test_request_token_starts_one_query() -> None:
    params = {"WorkGroup": "work", "ClientRequestToken": "t" * 40}
    client = athena_client()
    first = client.start_query_execution(QueryString="SELECT 1", **params)
    second = client.start_query_execution(QueryString="SELECT 1", **params)
    assert first["QueryExecutionId"] == second["QueryExecutionId"]
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        client.start_query_execution(QueryString="SELECT 2", **params)


def test_parameters_replace_question_marks() -> None:
    sql = "SELECT count(*) FROM changes WHERE dt BETWEEN ? AND ? AND id = ?"
    parameters = ["'2026-01-02'", "'2026-01-03'", "'9'"]
    assert query_rows(sql, ExecutionParameters=parameters)[1] == ["2"]
    with pytest.raises(ClientError, match="expected 3 but found 1"):
        execute(sql, ExecutionParameters=parameters[:1])
    with pytest.raises(ClientError, match="is not a literal"):
        execute(sql, ExecutionParameters=["'2026-01-02'", "dt", "'9' OR 1 = 1"])


def test_named_query_lifecycle() -> None:
    client = athena_client()
    params = {
        "Name": "count",
        "Database": "sales",
        "QueryString": "SELECT 1",
        "WorkGroup": "work",
        "ClientRequestToken": "n" * 32,
    }
    key = client.create_named_query(**params)["NamedQueryId"]
    assert client.create_named_query(**params)["NamedQueryId"] == key
    client.update_named_query(NamedQueryId=key, Name="counted", QueryString="SELECT 2")
    assert client.get_named_query(NamedQueryId=key)["NamedQuery"]["QueryString"] == "SELECT 2"
    response = client.batch_get_named_query(NamedQueryIds=[key, "absent"])
    assert [query["Name"] for query in response["NamedQueries"]] == ["counted"]
    assert [entry["NamedQueryId"] for entry in response["UnprocessedNamedQueryIds"]] == ["absent"]
    assert client.list_named_queries(WorkGroup="work")["NamedQueryIds"] == [key]
    client.delete_named_query(NamedQueryId=key)
    assert client.list_named_queries(WorkGroup="work")["NamedQueryIds"] == []


def test_executions_are_listed_newest_first() -> None:
    athena_client().create_work_group(
        Name="listed", Configuration=workgroup_configuration("s3://lake/queries/")
    )
    keys = [execute("SELECT 1", WorkGroup="listed")["QueryExecutionId"] for _ in range(3)]
    client = athena_client()
    pages = client.get_paginator("list_query_executions").paginate(
        WorkGroup="listed", PaginationConfig={"PageSize": 2}
    )
    assert [key for page in pages for key in page["QueryExecutionIds"]] == keys[::-1]
    response = client.batch_get_query_execution(QueryExecutionIds=[*keys, "absent"])
    assert [execution["QueryExecutionId"] for execution in response["QueryExecutions"]] == keys
    assert len(response["UnprocessedQueryExecutionIds"]) == 1
    assert client.get_query_runtime_statistics(QueryExecutionId=keys[0])["QueryRuntimeStatistics"]


def test_catalog_metadata_is_listed() -> None:
    client = athena_client()
    catalog = {"CatalogName": "AwsDataCatalog"}
    assert client.list_data_catalogs()["DataCatalogsSummary"][0]["CatalogName"] == "AwsDataCatalog"
    assert {"Name": "sales"} in client.list_databases(**catalog)["DatabaseList"]
    assert client.get_database(**catalog, DatabaseName="sales")["Database"] == {"Name": "sales"}
    response = client.get_table_metadata(**catalog, DatabaseName="sales", TableName="changes")
    assert response["TableMetadata"]["PartitionKeys"] == [{"Name": "dt", "Type": "string"}]
    response = client.list_table_metadata(**catalog, DatabaseName="sales", Expression="chang.*")
    assert [table["Name"] for table in response["TableMetadataList"]] == ["changes"]
    with pytest.raises(ClientError, match=r"MetadataException.*Code: EntityNotFoundException;"):
        client.get_table_metadata(**catalog, DatabaseName="sales", TableName="absent")
    with pytest.raises(ClientError, match=r"InvalidRequestException.*not a regular expression"):
        client.list_table_metadata(**catalog, DatabaseName="sales", Expression="*")


def test_unmodelled_operations_are_rejected() -> None:
    with pytest.raises(ClientError, match="is not modelled by the laptop cloud"):
        athena_client().list_engine_versions()
    with pytest.raises(ClientError, match="ManagedQueryResultsConfiguration is not modelled"):
        athena_client().create_work_group(
            Name="m", Configuration={"ManagedQueryResultsConfiguration": {"Enabled": True}}
        )


def test_unexpected_error_fails_the_query(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.services.athena.api.executions.metadata", lambda _: 1 / 0)
    assert (
        failure_reason("SELECT 1") == "GENERIC_INTERNAL_ERROR: ZeroDivisionError: division by zero"
    )
