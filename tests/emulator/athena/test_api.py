"""The laptop's Athena answers as AWS's does: executions, results, workgroups, named queries."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.athena import Athena
from local.services.athena.backend.engine import Engine
from tests.support.athena_fixture import (
    an_athena,
    athena,
    ended,
    executed,
    put,
    reason,
    results,
    rows,
    size,
    table,
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
    """A cloud whose Athena has a lake of three days to ask about."""
    with an_athena() as cloud:
        yield cloud


@pytest.mark.parametrize(("sql", "expected"), FAILURES, ids=[case[0] for case in FAILURES])
def test_failed_query_has_its_reason(sql: str, expected: str) -> None:
    execution = executed(sql)
    assert execution["Status"]["State"] == "FAILED"
    assert execution["Status"]["StateChangeReason"].startswith(expected)
    assert execution["Status"]["AthenaError"]["ErrorCategory"] == 2
    assert execution["Statistics"]["DataScannedInBytes"] == 0
    with pytest.raises(ClientError, match="did not finish successfully"):
        athena().get_query_results(QueryExecutionId=execution["QueryExecutionId"])


def test_unparsable_text_is_rejected_at_once() -> None:
    with pytest.raises(ClientError, match=r"InvalidRequestException.*line 1:1: mismatched input"):
        executed("selec 1")


@pytest.mark.parametrize("text", ["'\0'", "'\udcff'"])
def test_invalid_characters_are_rejected(text: str) -> None:
    for given in ({"sql": f"SELECT {text}"}, {"sql": "SELECT ?", "ExecutionParameters": [text]}):
        with pytest.raises(ClientError, match=r"InvalidRequestException.*must not contain NUL"):
            executed(**given)


def test_results_are_paged_with_one_header() -> None:
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


@pytest.mark.parametrize("token", ["1", "9", "99", "one", "\u00b2", "9" * 5000])
def test_unknown_page_token_is_rejected(token: str) -> None:
    key = executed('SELECT \'"\' AS "\u00e9"""')["QueryExecutionId"]
    with pytest.raises(ClientError, match=r"InvalidRequestException.*NextToken .* is not valid"):
        athena().get_query_results(QueryExecutionId=key, NextToken=token)


def test_result_csv_distinguishes_null_from_empty() -> None:
    execution = executed("SELECT 'a\"b' AS x, NULL AS y, '' AS z, 1.50 AS d")
    location = execution["ResultConfiguration"]["OutputLocation"]
    key = location.removeprefix("s3://lake/")
    assert location == f"s3://lake/queries/{execution['QueryExecutionId']}.csv"
    body = aws("s3").get_object(Bucket="lake", Key=key)["Body"].read()
    assert body == b'"x","y","z","d"\n"a""b",,"","1.50"\n'
    assert size(key + ".metadata")


def test_result_is_read_from_s3_without_local_copy(cloud: Cloud) -> None:
    key = executed("SELECT 7 AS x")["QueryExecutionId"]
    for file in (cloud.service(Athena)._folder / "results").iterdir():
        file.unlink()
    answer = athena().get_query_results(QueryExecutionId=key)
    assert answer["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "7"}]


def test_columns_have_athena_types() -> None:
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
    assert "'[' is not a pattern" in reason("SHOW TABLES '['")


def test_wide_table_keeps_its_column_order() -> None:
    names = [f"c{number}" for number in range(12)]
    table("wide", "wide/", {}, " ".join(names), "dt")
    told = "SELECT column_name FROM information_schema.columns WHERE table_name = 'wide'"
    assert rows(f"{told} ORDER BY ordinal_position")[1:] == [[name] for name in (*names, "dt")]
    assert rows(f"{told} AND ordinal_position > 12")[1:] == [["dt"]]


def test_query_over_scan_limit_is_cancelled() -> None:
    limited = results("s3://lake/queries/", BytesScannedCutoffPerQuery=10_000_000)
    athena().create_work_group(Name="limited", Configuration=limited)
    table("heavy", "heavy/", {}, "id", "")
    put("heavy/rows", b'{"id":"' + b"x" * 10_000_100 + b'"}\n')
    assert reason("SELECT length(id) FROM heavy", "CANCELLED", WorkGroup="limited") == (
        "Bytes scanned limit was exceeded"
    )
    assert executed("SELECT 1", WorkGroup="limited")["Status"]["State"] == "SUCCEEDED"


NUMBERS = "UNNEST(sequence(1, 10000))"
ENDLESS = (
    f"SELECT sum(a * b % 7) FROM {NUMBERS} AS t(a) CROSS JOIN {NUMBERS} AS u(b) "
    f"CROSS JOIN {NUMBERS} AS v(c)"
)


def endless_queries() -> list[str]:
    """Start two queries that take long, and return their ids once the first one runs."""
    client = athena()
    keys = [
        client.start_query_execution(QueryString=ENDLESS, WorkGroup="work")["QueryExecutionId"]
        for _ in range(2)
    ]
    while client.get_query_execution(QueryExecutionId=keys[0])["QueryExecution"]["Status"][
        "State"
    ] == ("QUEUED"):
        time.sleep(0.01)
    return keys


def test_restart_fails_only_unfinished_queries(cloud: Cloud) -> None:
    before = executed("SELECT count(*) FROM changes", WorkGroup="work")["QueryExecutionId"]
    keys = endless_queries()
    cloud.service(Athena).restart()
    for key in keys:
        status = ended(key)["Status"]
        assert status["State"] == "FAILED"
        assert status["StateChangeReason"].startswith("GENERIC_INTERNAL_ERROR")
    assert ended(before)["Status"]["State"] == "SUCCEEDED"
    assert athena().get_query_results(QueryExecutionId=before)["ResultSet"]["Rows"]
    assert rows("SELECT count(*) FROM changes")[1] == ["60"]


def test_running_query_can_be_stopped() -> None:
    keys = endless_queries()
    for key in reversed(keys):
        athena().stop_query_execution(QueryExecutionId=key)
    assert {ended(key)["Status"]["State"] for key in keys} == {"CANCELLED"}
    assert rows("SELECT 1")[1] == ["1"]


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """An event that comes a moment before DuckDB begins with a query, when it does nothing."""
    found, write = threading.Event(), Engine.write

    def later(*given: Any) -> None:
        found.set()
        time.sleep(0.2)
        write(*given)

    monkeypatch.setattr(Engine, "write", later)
    return found


def test_query_stopped_early_frees_the_engine(
    planned: threading.Event,
) -> None:
    key = athena().start_query_execution(QueryString=ENDLESS, WorkGroup="work")["QueryExecutionId"]
    assert planned.wait(60)
    athena().stop_query_execution(QueryExecutionId=key)
    status = ended(key)["Status"]
    assert (status["State"], "AthenaError" in status) == ("CANCELLED", False)
    assert rows("SELECT 1")[1] == ["1"]


def test_close_ends_a_query_in_any_state(cloud: Cloud, planned: threading.Event) -> None:
    another = Athena(cloud)
    place = {"OutputLocation": "s3://lake/queries/"}
    another._start_query_execution({"QueryString": ENDLESS, "ResultConfiguration": place})
    assert planned.wait(60)
    closing = threading.Thread(target=another.close, daemon=True)
    closing.start()
    closing.join(60)
    assert not closing.is_alive()


def test_request_token_starts_one_query() -> None:
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


def test_parameters_replace_question_marks() -> None:
    sql = "SELECT count(*) FROM changes WHERE dt BETWEEN ? AND ? AND id = ?"
    given = ["'2026-01-02'", "'2026-01-03'", "'9'"]
    assert rows(sql, ExecutionParameters=given)[1] == ["2"]
    with pytest.raises(ClientError, match="expected 3 but found 1"):
        executed(sql, ExecutionParameters=given[:1])
    with pytest.raises(ClientError, match="is not a literal"):
        executed(sql, ExecutionParameters=["'2026-01-02'", "dt", "'9' OR 1 = 1"])


def test_workgroup_sets_the_result_location() -> None:
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
    with pytest.raises(ClientError, match="Unable to verify/create output bucket no bucket"):
        executed(
            "SELECT 1", WorkGroup="free", ResultConfiguration={"OutputLocation": "s3://no bucket/"}
        )


def test_workgroup_lifecycle() -> None:
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
    wrong = {
        "RemoveBytesScannedCutoffPerQuery": True,
        "ResultConfigurationUpdates": {"OutputLocation": "nowhere"},
    }
    with pytest.raises(ClientError, match="Invalid output location nowhere"):
        client.update_work_group(WorkGroup="brief", ConfigurationUpdates=wrong)
    assert client.get_work_group(WorkGroup="brief")["WorkGroup"]["Configuration"] == found
    client.update_work_group(
        WorkGroup="brief", ConfigurationUpdates={"RemoveBytesScannedCutoffPerQuery": True}
    )
    found = client.get_work_group(WorkGroup="brief")["WorkGroup"]["Configuration"]
    assert "BytesScannedCutoffPerQuery" not in found
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


def test_limit_below_ten_megabytes_is_rejected() -> None:
    careless = boto3.client("athena", config=Config(parameter_validation=False))
    with pytest.raises(ClientError, match="at least 10000000"):
        careless.create_work_group(
            Name="x", Configuration={"BytesScannedCutoffPerQuery": 9_999_999}
        )


def test_named_query_lifecycle() -> None:
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


def test_executions_are_listed_newest_first() -> None:
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


def test_catalog_metadata_is_listed() -> None:
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
    with pytest.raises(ClientError, match=r"InvalidRequestException.*not a regular expression"):
        client.list_table_metadata(**where, DatabaseName="sales", Expression="*")


def test_unmodelled_operations_are_rejected() -> None:
    with pytest.raises(ClientError, match="is not modelled by the laptop cloud"):
        athena().list_engine_versions()
    with pytest.raises(ClientError, match="ManagedQueryResultsConfiguration is not modelled"):
        athena().create_work_group(
            Name="m", Configuration={"ManagedQueryResultsConfiguration": {"Enabled": True}}
        )


def test_unexpected_error_fails_the_query(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("local.services.athena.api.executions.metadata", lambda _: 1 / 0)
    assert reason("SELECT 1") == "GENERIC_INTERNAL_ERROR: ZeroDivisionError: division by zero"
