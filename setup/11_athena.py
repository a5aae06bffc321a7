"""Create the Athena workgroup, the views over the lake, and the questions as named queries."""

import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import run
from setup.lib.resources import describe_or_none, matches_desired, require
from setup.lib.waiters import wait_until
from setup.names import CHANGES, DATABASE, QUERIES, TAG_LIST, VIEWS, WORKGROUP, bucket

ANALYTICS = Path(__file__).resolve().parent.parent / "analytics"
# What makes a view in the catalog, of all that the catalog tells of one.
VIEW = (
    *("Name", "Description", "Owner", "TableType", "PartitionKeys", "StorageDescriptor"),
    *("Parameters", "ViewOriginalText", "ViewExpandedText"),
)


def create() -> str:
    """Create or update workgroup, views and named queries, and say how many there are."""
    athena, get_table = boto3.client("athena"), boto3.client("glue").get_table
    require(f"table {CHANGES}", "10_glue", get_table, DatabaseName=DATABASE, Name=CHANGES)
    put_workgroup(athena)
    questions = sorted((ANALYTICS / "questions").glob("*.sql"))
    put_questions(athena, {path.stem: path.read_text("utf-8") for path in questions})
    so_far = sha256()
    for view in VIEWS:
        statement = (ANALYTICS / "views" / f"{view}.sql").read_text("utf-8")
        so_far.update(statement.encode())  # Over a view that changed this one would be stale.
        put_view(athena, view, statement, so_far.hexdigest())
    return f"workgroup {WORKGROUP} has {len(VIEWS)} views and {len(questions)} questions"


def put_workgroup(athena: Any) -> None:
    """Create the workgroup or set its limits: where results go, and what a query may read."""
    results = {
        "OutputLocation": f"s3://{bucket()}/{QUERIES}",
        "EncryptionConfiguration": {"EncryptionOption": "SSE_S3"},
    }
    settings = {
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "BytesScannedCutoffPerQuery": 100 * 1024**3,  # About half a dollar.
        "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
    }
    wanted = settings | {"ResultConfiguration": results}
    if (found := describe_or_none(athena.get_work_group, WorkGroup=WORKGROUP)) is None:
        athena.create_work_group(Name=WORKGROUP, Configuration=wanted, Tags=TAG_LIST)
    elif not matches_desired(wanted, found["WorkGroup"]["Configuration"]):
        updates = settings | {"ResultConfigurationUpdates": results}
        athena.update_work_group(WorkGroup=WORKGROUP, ConfigurationUpdates=updates)


def put_view(athena: Any, name: str, statement: str, digest: str) -> None:
    """Create or replace the view, and mark it: Athena rewrites its text, so that tells nothing."""
    glue, which = boto3.client("glue"), {"DatabaseName": DATABASE, "Name": name}
    mark = {"statements.sha256": digest}
    if matches_desired({"Table": {"Parameters": mark}}, describe_or_none(glue.get_table, **which)):
        return
    query = athena.start_query_execution(
        QueryString=statement,
        QueryExecutionContext={"Database": DATABASE, "Catalog": "AwsDataCatalog"},
        WorkGroup=WORKGROUP,
    )

    def state() -> str:
        found = athena.get_query_execution(QueryExecutionId=query["QueryExecutionId"])
        status = found["QueryExecution"]["Status"]
        return f"{status['State']}: {status.get('StateChangeReason', 'no reason given')}"

    wait_until(f"view {name}", state, "SUCCEEDED")
    made = glue.get_table(**which)["Table"]
    made["Parameters"] = made.get("Parameters", {}) | mark
    view = {member: made[member] for member in VIEW if member in made}
    glue.update_table(DatabaseName=DATABASE, TableInput=view)


def put_questions(athena: Any, questions: dict[str, str]) -> None:
    """Create or update the named queries; those that somebody else has saved stay as they are."""
    pages = athena.get_paginator("list_named_queries").paginate(WorkGroup=WORKGROUP)
    ids = [found for page in pages for found in page["NamedQueryIds"]]
    saved = [athena.get_named_query(NamedQueryId=found)["NamedQuery"] for found in ids]
    known = {query["Name"]: query for query in saved if query["Database"] == DATABASE}
    for name, text in questions.items():
        about = text.partition("\n")[0].lstrip("- ")
        wanted = {"Name": name, "Description": about, "QueryString": text}
        if name not in known:
            athena.create_named_query(**wanted, Database=DATABASE, WorkGroup=WORKGROUP)
        elif not matches_desired(wanted, known[name]):
            athena.update_named_query(**wanted, NamedQueryId=known[name]["NamedQueryId"])


if __name__ == "__main__":
    run(create, __doc__)
