"""Laptop Athena over a lake of three days, and helpers to query it."""

import gzip
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from local.core.server import Cloud
from local.core.service import Service
from local.services.athena import Athena
from tests.support.laptop_cloud import aws, laptop
from tests.support.service_model import violations

JSON_SERDE = "org.apache.hive.hcatalog.data.JsonSerDe"
PROJECTION = {
    "projection.enabled": "true",
    "projection.dt.type": "date",
    "projection.dt.range": "2026-01-01,NOW+1DAY",
    "projection.dt.format": "yyyy-MM-dd",
}
EMPTY_ID_LIST = ".NamedQueryIds: expected at least 1, found 0"  # AWS lists none all the same.
TIMEOUT_SECONDS = 60


@contextmanager
def athena_cloud(*others: type[Service]) -> Iterator[Cloud]:
    """Yield a cloud whose Athena has a lake of three days, beside other services."""
    with laptop(Athena, *others, shares_duckdb=False) as cloud:
        create_lake()
        yield cloud
    assert not Path(cloud.service(Athena)._folder).exists()


def create_lake() -> None:
    """Create the bucket, the database, the table of changes, its objects and a workgroup."""
    aws("s3").create_bucket(Bucket="lake")
    aws("glue").create_database(DatabaseInput={"Name": "sales"})
    create_table("changes", "lake/", PROJECTION)
    for day in (1, 2, 3):
        rows = [{"id": f"{n}", "total": f"{n}.05", "event": f"e{n // 2}"} for n in range(10 * day)]
        put_rows(f"lake/dt=2026-01-0{day}/rows.gz", rows)
    put_rows("lake/dt=2020-01-01/old", [{"id": "before the projection's range"}])
    put_rows("lake/dt=2026-01-01/.hidden", [{"id": "hidden"}])
    athena_client().create_work_group(
        Name="work", Configuration=workgroup_configuration("s3://lake/queries/")
    )


def athena_client() -> Any:
    """Return a client that checks each response against the service model."""
    client = aws("athena")

    def check(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        response = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        if "Error" not in response and model.output_shape is not None:
            assert set(violations(response, model.output_shape)) <= {EMPTY_ID_LIST}

    client.meta.events.register("after-call.athena.*", check, unique_id="model")
    return client


def workgroup_configuration(location: str, **settings: Any) -> dict[str, Any]:
    """Return a workgroup's configuration with this location for results."""
    return {"ResultConfiguration": {"OutputLocation": location}, **settings}


def put_rows(key: str, rows: list[dict[str, Any]]) -> None:
    """Write rows as JSON lines into an object of the lake, compressed if its key ends in .gz."""
    body = "".join(json.dumps(row) + "\n" for row in rows).encode()
    put_object(key, gzip.compress(body) if key.endswith(".gz") else body)


def put_object(key: str, body: bytes) -> None:
    """Write an object of the lake."""
    aws("s3").put_object(Bucket="lake", Key=key, Body=body)


def create_table(
    name: str,
    prefix: str,
    parameters: Mapping[str, str],
    columns: str = "id total event",
    keys: str = "dt",
) -> None:
    """Create a table; its columns are strings, unless one is spelled `name:type`."""
    aws("glue").create_table(
        DatabaseName="sales",
        TableInput={
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "PartitionKeys": glue_columns(keys),
            "Parameters": dict(parameters),
            "StorageDescriptor": {
                "Location": f"s3://lake/{prefix}",
                "Columns": glue_columns(columns),
                "SerdeInfo": {"SerializationLibrary": JSON_SERDE},
            },
        },
    )


def glue_columns(columns: str) -> list[dict[str, str]]:
    """Return columns in Glue's form."""
    pairs = (column.partition(":") for column in columns.split())
    return [{"Name": name, "Type": kind or "string"} for name, _, kind in pairs]


def execute(sql: str, **params: Any) -> dict[str, Any]:
    """Run a query to its end and return its execution."""
    defaults = {"WorkGroup": "work", "QueryExecutionContext": {"Database": "sales"}}
    response = athena_client().start_query_execution(QueryString=sql, **{**defaults, **params})
    return wait_until_finished(response["QueryExecutionId"])


def wait_until_finished(execution_id: str) -> dict[str, Any]:
    """Wait until an execution is in a final state, and return it."""
    client = athena_client()
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        response: dict[str, Any] = client.get_query_execution(QueryExecutionId=execution_id)
        execution: dict[str, Any] = response["QueryExecution"]
        if execution["Status"]["State"] not in ("QUEUED", "RUNNING"):
            return execution
        time.sleep(0.01)
    raise TimeoutError(execution_id)


def query_rows(sql: str, **params: Any) -> list[list[str | None]]:
    """Return the rows of a query's result; the first one has the names of the columns."""
    execution = execute(sql, **params)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    response = athena_client().get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    return [
        [cell.get("VarCharValue") for cell in row["Data"]] for row in response["ResultSet"]["Rows"]
    ]


def scanned_bytes(sql: str) -> int:
    """Return the number of bytes that a query scans."""
    return int(execute(sql)["Statistics"]["DataScannedInBytes"])


def failure_reason(sql: str, state: str = "FAILED", **params: Any) -> str:
    """Return the reason of a query that must end in this state."""
    status = execute(sql, **params)["Status"]
    assert status["State"] == state
    return str(status["StateChangeReason"])


def object_size(key: str) -> int:
    """Return the size of an object of the lake."""
    return int(aws("s3").head_object(Bucket="lake", Key=key)["ContentLength"])
