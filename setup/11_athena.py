"""Create the Athena workgroup, the views over the lake, and the named queries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup import names
from setup.lib import views
from setup.lib.cli import run_script
from setup.lib.comparison import matches_desired
from setup.lib.resources import describe_or_none, require
from setup.lib.tags import ensure_tags
from setup.names import CHANGES, DATABASE, QUERIES, TAG_LIST, VIEWS, WORKGROUP, arn, bucket
from terminal.text import count

if TYPE_CHECKING:
    from types_boto3_athena.client import AthenaClient
    from types_boto3_athena.type_defs import (
        EncryptionConfigurationTypeDef,
        ResultConfigurationTypeDef,
    )


def create() -> str:
    """Create or update workgroup, views and named queries, and return their line."""
    athena = boto3.client("athena")
    glue = boto3.client("glue")
    require(f"table {CHANGES}", "10_glue", glue.get_table, DatabaseName=DATABASE, Name=CHANGES)
    put_workgroup(athena)
    query_paths = sorted((views.ANALYTICS / "queries").glob("*.sql"))
    put_named_queries(athena, {path.stem: path.read_text("utf-8") for path in query_paths})
    pending = views.put_views()
    line = (
        f"workgroup {WORKGROUP} has {count(len(VIEWS) - len(pending), 'view')} and "
        f"{count(len(query_paths), 'named query', 'named queries')}"
    )
    return "; ".join([line, *map(str, pending)])


def put_workgroup(athena: AthenaClient) -> None:
    """Create or update the workgroup: where results go, and how much a query may read."""
    results: ResultConfigurationTypeDef = {
        "OutputLocation": f"s3://{bucket()}/{QUERIES}",
        "EncryptionConfiguration": result_encryption(),
    }
    # The API has one type to create a configuration and another to update it.
    settings: Any = {
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "BytesScannedCutoffPerQuery": 100 * 1024**3,  # About half a dollar.
        "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
    }
    desired: Any = {**settings, "ResultConfiguration": results}
    response = describe_or_none(athena.get_work_group, WorkGroup=WORKGROUP)
    if response is None:
        athena.create_work_group(Name=WORKGROUP, Configuration=desired, Tags=TAG_LIST)
    elif not matches_desired(desired, response["WorkGroup"]["Configuration"]):
        updates: Any = {**settings, "ResultConfigurationUpdates": results}
        athena.update_work_group(WorkGroup=WORKGROUP, ConfigurationUpdates=updates)
    ensure_tags("athena", arn("athena", f"workgroup/{WORKGROUP}"))


def result_encryption() -> EncryptionConfigurationTypeDef:
    """Return how Athena encrypts results: as the bucket does."""
    if names.KMS_KEY:
        return {"EncryptionOption": "SSE_KMS", "KmsKey": names.KMS_KEY}
    return {"EncryptionOption": "SSE_S3"}


def put_named_queries(athena: AthenaClient, sql_by_name: dict[str, str]) -> None:
    """Create or update these named queries, and keep those that users have added."""
    pages = athena.get_paginator("list_named_queries").paginate(WorkGroup=WORKGROUP)
    query_ids = [query_id for page in pages for query_id in page["NamedQueryIds"]]
    queries = [
        athena.get_named_query(NamedQueryId=query_id)["NamedQuery"] for query_id in query_ids
    ]
    current = {query["Name"]: query for query in queries if query["Database"] == DATABASE}
    for name, sql in sql_by_name.items():
        description = sql.partition("\n")[0].lstrip("- ")
        if name not in current:
            athena.create_named_query(
                Name=name,
                Description=description,
                QueryString=sql,
                Database=DATABASE,
                WorkGroup=WORKGROUP,
            )
        elif not matches_desired({"Description": description, "QueryString": sql}, current[name]):
            athena.update_named_query(
                Name=name,
                Description=description,
                QueryString=sql,
                NamedQueryId=current[name]["NamedQueryId"],
            )


if __name__ == "__main__":
    run_script(create, __doc__)
