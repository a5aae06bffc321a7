"""A lake of three days in a catalog, and what the laptop's Athena says of it."""

import gzip
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from local.core.server import Cloud
from local.services.athena import Athena
from tests.support.laptop_cloud import aws, laptop
from tests.support.service_model import violations

JSON = "org.apache.hive.hcatalog.data.JsonSerDe"
PROJECTION = {
    "projection.enabled": "true",
    "projection.dt.type": "date",
    "projection.dt.range": "2026-01-01,NOW+1DAY",
    "projection.dt.format": "yyyy-MM-dd",
}
NO_QUERIES = ".NamedQueryIds: expected at least 1, found 0"  # AWS lists none all the same.


@contextmanager
def an_athena() -> Iterator[Cloud]:
    """Yield a cloud whose Athena has a lake of three days to ask about."""
    with laptop(Athena) as cloud:
        furnish()
        yield cloud
    assert not os.path.exists(cloud.service(Athena)._folder)


def furnish() -> None:
    """Make the bucket, the database, the table of changes and its objects."""
    aws("s3").create_bucket(Bucket="lake")
    aws("glue").create_database(DatabaseInput={"Name": "sales"})
    table("changes", "lake/", PROJECTION)
    for day in (1, 2, 3):
        rows = [{"id": f"{n}", "total": f"{n}.05", "event": f"e{n // 2}"} for n in range(10 * day)]
        put(f"lake/dt=2026-01-0{day}/rows.gz", rows)
    put("lake/dt=2020-01-01/old", [{"id": "before the projection's range"}])
    put("lake/dt=2026-01-01/.hidden", [{"id": "hidden"}])
    athena().create_work_group(Name="work", Configuration=results("s3://lake/queries/"))


def athena() -> Any:
    """Return a client whose answers are held against the service model."""
    client = aws("athena")

    def check(parsed: Mapping[str, Any], model: Any, **_: Any) -> None:
        told = {name: value for name, value in parsed.items() if name != "ResponseMetadata"}
        if "Error" not in told and model.output_shape is not None:
            assert set(violations(told, model.output_shape)) <= {NO_QUERIES}

    client.meta.events.register("after-call.athena.*", check, unique_id="model")
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
    aws("s3").put_object(Bucket="lake", Key=key, Body=body)


def table(
    name: str,
    prefix: str,
    parameters: Mapping[str, str],
    columns: str = "id total event",
    keys: str = "dt",
) -> None:
    """Make a table of text columns, unless a column says `name:type`."""
    aws("glue").create_table(
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
    return aws("s3").head_object(Bucket="lake", Key=key)["ContentLength"]
