"""Create the Athena workgroup, the views over the lake, and the named queries."""

from __future__ import annotations

import sys
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.lib.cli import run_script
from setup.lib.resources import describe_or_none, matches_desired, require
from setup.lib.waiters import wait_until
from setup.names import CHANGES, DATABASE, QUERIES, TAG_LIST, VIEWS, WORKGROUP, bucket

if TYPE_CHECKING:
    from types_boto3_athena.client import AthenaClient
    from types_boto3_athena.type_defs import ResultConfigurationTypeDef
    from types_boto3_glue.client import GlueClient
    from types_boto3_glue.type_defs import TableTypeDef

ANALYTICS = Path(__file__).resolve().parent.parent / "analytics"
DIGEST_PARAMETER = "statements.sha256"
TEXT_DIGEST_PARAMETER = "view.sha256"
# The members of the catalog's description of a view that UpdateTable accepts.
VIEW_MEMBERS = (
    "Name",
    "Description",
    "Owner",
    "TableType",
    "PartitionKeys",
    "StorageDescriptor",
    "Parameters",
    "ViewOriginalText",
    "ViewExpandedText",
)


def create() -> str:
    """Create or update workgroup, views and named queries, and return their line."""
    athena = boto3.client("athena")
    glue = boto3.client("glue")
    require(f"table {CHANGES}", "10_glue", glue.get_table, DatabaseName=DATABASE, Name=CHANGES)
    put_workgroup(athena)
    query_paths = sorted((ANALYTICS / "queries").glob("*.sql"))
    put_named_queries(athena, {path.stem: path.read_text("utf-8") for path in query_paths})
    statements = sha256()
    for view in VIEWS:
        statement = (ANALYTICS / "views" / f"{view}.sql").read_text("utf-8")
        # A view must be recreated when one that it uses changes, so its digest covers those too.
        statements.update(statement.encode())
        put_view(athena, glue, view, statement, statements.hexdigest())
    return f"workgroup {WORKGROUP} has {len(VIEWS)} views and {len(query_paths)} named queries"


def put_workgroup(athena: AthenaClient) -> None:
    """Create or update the workgroup: where results go, and how much a query may read."""
    results: ResultConfigurationTypeDef = {
        "OutputLocation": f"s3://{bucket()}/{QUERIES}",
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
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


def put_view(
    athena: AthenaClient, glue: GlueClient, name: str, statement: str, digest: str
) -> None:
    """Create or replace the view, unless the catalog has it with the same digests.

    Athena rewrites a view's text, so the digests of the source and of that text are kept as table
    parameters.
    """
    response = describe_or_none(glue.get_table, DatabaseName=DATABASE, Name=name)
    if response and matches_desired(view_digests(response["Table"], digest), response["Table"]):
        return
    query = athena.start_query_execution(
        QueryString=statement,
        QueryExecutionContext={"Database": DATABASE, "Catalog": "AwsDataCatalog"},
        WorkGroup=WORKGROUP,
    )

    def query_state() -> str:
        response = athena.get_query_execution(QueryExecutionId=query["QueryExecutionId"])
        status = response["QueryExecution"]["Status"]
        return f"{status['State']}: {status.get('StateChangeReason', 'no reason given')}"

    wait_until(f"view {name}", query_state, "SUCCEEDED")
    # VIEW_MEMBERS select by name what is common to GetTable's output and UpdateTable's input.
    view: Any = glue.get_table(DatabaseName=DATABASE, Name=name)["Table"]
    view["Parameters"] = {**view.get("Parameters", {}), **view_digests(view, digest)["Parameters"]}
    view_input: Any = {member: view[member] for member in VIEW_MEMBERS if member in view}
    glue.update_table(DatabaseName=DATABASE, TableInput=view_input)


def view_digests(view: TableTypeDef, digest: str) -> dict[str, dict[str, str]]:
    """Return the parameters of a view that is as setup made it."""
    text = view.get("ViewOriginalText", "")
    return {
        "Parameters": {
            DIGEST_PARAMETER: digest,
            TEXT_DIGEST_PARAMETER: sha256(text.encode()).hexdigest(),
        }
    }


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
