"""Drift detection: `python setup --check` names each difference and its fix, and writes nothing."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import setup.__main__ as command
from setup import names
from setup.lib import views
from setup.lib.drift import READ_VERBS, describe_write
from setup.lib.lake_identity import find_lake_id
from setup.lib.run_crawler import run_crawler
from tests.support.laptop_cloud import create_table
from tests.support.paths import PROJECT
from tests.support.recorded_requests import recorded_operations
from tests.support.setup_fixture import SCRIPTS, SetupSandbox, aws_client, setup_sandbox

Table = dict[str, Any]  # A table of the catalog.


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SetupSandbox]:
    """A whole pipeline with the project's own views, which are what --check compares with."""
    with (
        setup_sandbox(tmp_path_factory.mktemp("analytics")) as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(views, "ANALYTICS", PROJECT / "analytics")
        sandbox.run()
        run_crawler()
        yield sandbox


def run_check() -> tuple[int, list[str]]:
    """Run --check in this process, and return its exit status and lines."""
    output = io.StringIO()
    status = 0
    with redirect_stdout(output):
        try:
            print(command.check())
        except SystemExit as exit_:
            status = int(exit_.code or 0)
    return status, output.getvalue().splitlines()


def run_check_script() -> tuple[int, list[str]]:
    """Run --check as a user does, and return its exit status and lines."""
    check = [sys.executable, "setup", "--check"]
    process = subprocess.run(check, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert process.stderr == ""
    return process.returncode, process.stdout.splitlines()


def test_there_is_no_drift_after_setup_and_a_crawl(pipeline: SetupSandbox) -> None:
    expected = (0, [f"no drift: pipeline {names.PIPELINE} matches the scripts"])
    assert run_check_script() == expected
    assert run_check() == expected


# A client of boto3, which has no types of its own.
def update_table(glue: Any, name: str, change: Callable[[Table], None]) -> None:
    table = glue.get_table(DatabaseName=names.DATABASE, Name=name)["Table"]
    members = ("Name", "TableType", "Parameters", "StorageDescriptor", "PartitionKeys")
    table_input = {member: table[member] for member in members if member in table}
    change(table_input)
    glue.update_table(DatabaseName=names.DATABASE, TableInput=table_input)


def change_streams_and_bucket() -> None:
    client = aws_client
    client("dynamodb").update_table(TableName=names.TABLE, DeletionProtectionEnabled=False)
    client("kinesis").remove_tags_from_stream(StreamName=names.STREAM, TagKeys=["pipeline"])
    client("s3").put_bucket_versioning(
        Bucket=names.bucket(), VersioningConfiguration={"Status": "Suspended"}
    )
    client("s3").delete_bucket_policy(Bucket=names.bucket())
    client("s3").delete_bucket_lifecycle(Bucket=names.bucket())
    lake_id = f"{names.LAKE_ID}{find_lake_id()}"
    client("s3").delete_object(Bucket=names.bucket(), Key=lake_id)


def change_services() -> None:
    client = aws_client
    role = names.location().role_name("lambda")
    statement = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    client("iam").put_role_policy(RoleName=role, PolicyName=names.PIPELINE, PolicyDocument=policy)
    client("lambda").update_function_configuration(FunctionName=names.FUNCTION, MemorySize=128)
    client("logs").put_retention_policy(logGroupName=names.FUNCTION_LOGS, retentionInDays=1)
    client("logs").delete_metric_filter(
        logGroupName=names.FUNCTION_LOGS, filterName=names.FAILED_RECORDS
    )
    queue = client("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"MessageRetentionPeriod": "60"})
    client("pipes").stop_pipe(Name=names.PIPE)
    client("cloudwatch").delete_alarms(AlarmNames=[f"{names.PIPELINE}-dead-letters"])
    dashboard = names.location().dashboard()
    client("cloudwatch").put_dashboard(DashboardName=dashboard, DashboardBody='{"widgets": []}')


def change_catalog() -> str:
    """Change table, crawler and a view, and return the name of a query that was deleted."""
    glue = aws_client("glue")
    update_table(
        glue, names.CHANGES, lambda table: table["Parameters"].update({"projection.enabled": "no"})
    )
    glue.update_crawler(
        Name=names.CRAWLER, SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    )
    update_table(glue, names.VIEWS[1], lambda table: table["Parameters"].clear())
    athena = aws_client("athena")
    query_id = athena.list_named_queries(WorkGroup=names.WORKGROUP)["NamedQueryIds"][0]
    query = athena.get_named_query(NamedQueryId=query_id)["NamedQuery"]
    athena.delete_named_query(NamedQueryId=query_id)
    return str(query["Name"])


def change_by_hand() -> dict[str, str]:
    """Change resources of every script, and return each expected line with its script.

    A line has any text in place of an ellipsis.
    """
    change_streams_and_bucket()
    change_services()
    query = change_catalog()
    role = names.location().role_name("lambda")
    table = f"table {names.TABLE} differs (DeletionProtectionEnabled: expected true, found false)"
    tag = f'expected {{"Key": "pipeline", "Value": "{names.PIPELINE}"}}, found []'
    policy = 'found [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]'
    function = f"function configuration {names.FUNCTION} differs"
    retention = f"retention policy {names.FUNCTION_LOGS} differs"
    queue = f"configuration of queue {names.DEAD_LETTERS} differs"
    crawler = f"crawler {names.CRAWLER} differs (SchemaChangePolicy.UpdateBehavior"
    changes = f"table {names.CHANGES} differs"
    versioning = f"bucket versioning {names.bucket()} differs"
    return {
        table: "01_dynamodb",
        f"tag of stream {names.STREAM} differs ({tag})": "02_kinesis",
        f'{versioning} (Status: expected "Enabled", found "Suspended")': "03_s3",
        f"bucket policy {names.bucket()} differs (Statement: expected …, found nothing)": "03_s3",
        f"bucket lifecycle configuration {names.bucket()} differs (expected …)": "03_s3",
        f"id of the lake in bucket {names.bucket()} is missing": "03_s3",
        f"role policy {role} differs (Statement: expected …, {policy})": "04_iam",
        f"{function} (MemorySize: expected 512, found 128)": "05_lambda",
        f"{retention} (retentionInDays: expected 30, found 1)": "05_lambda",
        f"metric filter {names.FUNCTION_LOGS} differs (expected …, found [])": "05_lambda",
        f'{queue} (MessageRetentionPeriod: expected "1209600", found "60")': "07_pipe",
        f"pipe {names.PIPE} is not started": "08_start_pipe",
        f"alarm {names.PIPELINE}-dead-letters differs (expected …, found nothing)": "09_alarms",
        f"dashboard {names.location().dashboard()} differs (…widgets: expected …)": "09_alarms",
        f'{changes} (…projection.enabled: expected "true", found "no")': "10_glue",
        f'{crawler}: expected "UPDATE_IN_DATABASE", found "LOG")': "10_glue",
        f"named query {query} is missing": "11_athena",
        f"view {names.VIEWS[1]} differs": "11_athena",
    }


def test_drift_is_reported_and_can_be_fixed(pipeline: SetupSandbox) -> None:
    expected = [
        f"{line}: run python setup/{script}.py" for line, script in change_by_hand().items()
    ]
    with recorded_operations(pipeline.cloud) as operations:
        status, lines = run_check()
    for line in expected:
        pattern = ".*".join(map(re.escape, line.split("…")))
        assert any(re.fullmatch(pattern, actual) for actual in lines), line
    assert (status, len(lines)) == (1, len(expected))
    assert len(operations) > 80
    assert [name for name in operations if not name.startswith(READ_VERBS)] == []
    for script in dict.fromkeys(re.findall(r"setup/(\w+)\.py", "".join(lines))):
        pipeline.run(script)
    assert run_check()[0] == 0


@pytest.mark.slow
def test_missing_resources_and_a_new_stream_are_drift(tmp_path: Path) -> None:
    with setup_sandbox(tmp_path) as sandbox:
        sandbox.run(*SCRIPTS[:8])
        client = aws_client
        for stream in ({"StreamEnabled": False}, import_module("setup.01_dynamodb").STREAM):
            client("dynamodb").update_table(TableName=names.TABLE, StreamSpecification=stream)
        client("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
        client("logs").delete_log_group(logGroupName=names.DELIVERY_LOGS)
        status, lines = run_check()
    text = "\n".join(lines)
    assert status == 1
    assert f"Firehose stream {names.DELIVERY} is missing: run python setup/06_firehose.py" in lines
    assert f"log group {names.DELIVERY_LOGS} is missing: run python setup/06_firehose.py" in lines
    assert f"pipe {names.PIPE} reads " in text
    assert "setup/07_pipe.py" in text
    assert f"table {names.CHANGES} is missing: run python setup/10_glue.py" in lines
    assert f"crawler {names.CRAWLER} is missing: run python setup/10_glue.py" in lines
    assert all("run " in line and "setup/" in line for line in lines)


def test_everything_is_missing_in_an_empty_account(tmp_path: Path) -> None:
    with setup_sandbox(tmp_path):
        status, lines = run_check()
        assert aws_client("dynamodb").list_tables()["TableNames"] == []
    missing = [line for line in lines if " is missing: run python setup/" in line]
    assert (status, len(lines)) == (1, len(set(lines)))
    scripts = {script for line in missing for script in re.findall(r"setup/(\w+)\.py", line)}
    assert {"01_dynamodb", "02_kinesis", "03_s3", "04_iam", "06_firehose", "10_glue"} <= scripts


@pytest.mark.slow
def test_an_adopted_table_without_a_stream_is_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with setup_sandbox(tmp_path):
        create_table(aws_client("dynamodb"), "mine", {"id": "S"})
        monkeypatch.setenv("TABLE_NAME", "mine")
        status, lines = run_check_script()
    assert (status, lines[0].partition(":")[0]) == (1, "table mine differs (StreamSpecification")


def test_a_write_is_described_in_words() -> None:
    description = describe_write("CreateWorkGroup", {"Name": "sales-cdc"})
    assert description == "work group sales-cdc is missing"
