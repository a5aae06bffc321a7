"""`python setup --check`: every difference is named with the script that mends it, none is made."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.core.server import Cloud
from tests.support.setup_fixture import PROJECT, SCRIPTS, World, a_world, names

check = import_module("setup.lib.drift")
ASKING = ("Describe", "Get", "List", "Head")
Body = dict[str, Any]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A pipeline as setup makes it, with the project's own views: they are what --check knows."""
    with a_world(tmp_path_factory.mktemp("analytics")) as world:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(import_module("setup.11_athena"), "ANALYTICS", PROJECT / "analytics")
            world.run()
            import_module("setup.lib.run_crawler").crawl()
        yield world


def checked() -> tuple[int, list[str]]:
    """Return the exit status of --check and its lines."""
    command = [sys.executable, "setup", "--check"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=False)
    assert ended.stderr == ""
    return ended.returncode, ended.stdout.splitlines()


def test_after_setup_and_a_crawl_nothing_differs(built: World) -> None:
    assert checked() == (0, [f"pipeline {names.PIPELINE} is as the scripts would make it"])


def update_view(glue: Any, name: str, change: Callable[[Body], None]) -> None:
    table = glue.get_table(DatabaseName=names.DATABASE, Name=name)["Table"]
    members = ("Name", "TableType", "Parameters", "StorageDescriptor", "PartitionKeys")
    kept = {member: table[member] for member in members if member in table}
    change(kept)
    glue.update_table(DatabaseName=names.DATABASE, TableInput=kept)


def spoil() -> dict[str, str]:
    """Change by hand what a script made; return the line that each change should give."""
    client = boto3.client
    pipe, role = names.PIPE, names.location().role_name("lambda")
    queue = client("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    client("dynamodb").update_table(TableName=names.TABLE, DeletionProtectionEnabled=False)
    client("kinesis").remove_tags_from_stream(StreamName=names.STREAM, TagKeys=["pipeline"])
    client("s3").put_bucket_versioning(
        Bucket=names.bucket(), VersioningConfiguration={"Status": "Suspended"}
    )
    client("s3").delete_bucket_policy(Bucket=names.bucket())
    client("s3").delete_bucket_lifecycle(Bucket=names.bucket())
    more = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    wider = json.dumps({"Version": "2012-10-17", "Statement": [more]})
    client("iam").put_role_policy(RoleName=role, PolicyName=names.PIPELINE, PolicyDocument=wider)
    client("lambda").update_function_configuration(FunctionName=names.FUNCTION, MemorySize=128)
    client("logs").put_retention_policy(logGroupName=names.FUNCTION_LOGS, retentionInDays=1)
    client("logs").delete_metric_filter(
        logGroupName=names.FUNCTION_LOGS, filterName=names.FAILED_RECORDS
    )
    client("sqs").set_queue_attributes(QueueUrl=queue, Attributes={"MessageRetentionPeriod": "60"})
    client("pipes").stop_pipe(Name=pipe)
    client("cloudwatch").delete_alarms(AlarmNames=[f"{names.PIPELINE}-dead-letters"])
    glue = client("glue")
    update_view(
        glue, names.CHANGES, lambda found: found["Parameters"].update({"projection.enabled": "no"})
    )
    glue.update_crawler(
        Name=names.CRAWLER, SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    )
    athena = client("athena")
    [saved, *_] = athena.list_named_queries(WorkGroup=names.WORKGROUP)["NamedQueryIds"]
    query = athena.get_named_query(NamedQueryId=saved)["NamedQuery"]["Name"]
    athena.delete_named_query(NamedQueryId=saved)
    update_view(glue, names.VIEWS[1], lambda found: found["Parameters"].clear())
    return {
        f"table {names.TABLE} differs": "01_dynamodb",
        f"tags of stream {names.STREAM} differs": "02_kinesis",
        f"bucket versioning {names.bucket()} differs": "03_s3",
        f"bucket policy {names.bucket()} differs": "03_s3",
        f"bucket lifecycle configuration {names.bucket()} differs": "03_s3",
        f"role policy {role} differs": "04_iam",
        f"function configuration {names.FUNCTION} differs": "05_lambda",
        f"retention policy {names.FUNCTION_LOGS} differs": "05_lambda",
        f"metric filter {names.FUNCTION_LOGS} differs": "05_lambda",
        f"queue attributes {names.DEAD_LETTERS} differs": "07_pipe",
        f"pipe {pipe} is not started": "08_start_pipe",
        f"alarm {names.PIPELINE}-dead-letters differs": "09_alarms",
        f"table {names.CHANGES} differs": "10_glue",
        f"crawler {names.CRAWLER} differs": "10_glue",
        f"named query {query} is missing": "11_athena",
        f"view {names.VIEWS[1]} differs": "11_athena",
    }


def test_every_difference_is_named_and_mended_and_nothing_is_written(
    built: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [f"{line}: run python setup/{script}.py" for line, script in spoil().items()]
    witness = Witness(built.cloud)
    built.cloud._server.app = witness
    status, lines = checked()
    built.cloud._server.app = built.cloud._respond
    assert sorted(lines) == sorted(expected)
    assert status == 1
    assert len(witness.asked) > 80
    assert [each for each in witness.asked if not each.startswith(ASKING)] == []
    monkeypatch.setattr(import_module("setup.11_athena"), "ANALYTICS", PROJECT / "analytics")
    for script in dict.fromkeys(re.findall(r"setup/(\w+)\.py", "".join(lines))):
        built.run(script)
    assert checked()[0] == 0


class Witness:
    """Stands in front of the cloud and remembers what it was asked."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.asked: list[str] = []

    def __call__(self, environ: Body, start_response: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        action = re.search(r"Action=(\w+)", body.decode(errors="replace"))
        path = environ["PATH_INFO"].rpartition("/operation/")
        method = environ["REQUEST_METHOD"].capitalize()
        self.asked.append(target or (action[1] if action else path[2] if path[1] else method))
        return self.cloud._respond(environ, start_response)


def test_a_pipe_on_a_stream_that_was_replaced_and_missing_things_are_named(tmp_path: Path) -> None:
    with a_world(tmp_path) as world:
        world.run(*SCRIPTS[:8])
        dynamodb, client = boto3.client("dynamodb"), boto3.client
        for enabled in ({"StreamEnabled": False}, import_module("setup.01_dynamodb").STREAM):
            dynamodb.update_table(TableName=names.TABLE, StreamSpecification=enabled)
        client("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
        client("logs").delete_log_group(logGroupName=names.DELIVERY_LOGS)
        status, lines = checked()
    text = "\n".join(lines)
    assert status == 1
    assert f"Firehose stream {names.DELIVERY} is missing: run python setup/06_firehose.py" in lines
    assert f"log group {names.DELIVERY_LOGS} is missing: run python setup/06_firehose.py" in lines
    assert f"pipe {names.PIPE} reads " in text
    assert "setup/07_pipe.py" in text
    assert f"table {names.CHANGES} is missing: run python setup/10_glue.py" in lines
    assert f"crawler {names.CRAWLER} is missing: run python setup/10_glue.py" in lines
    assert all("run " in line and "setup/" in line for line in lines)


def test_of_an_account_without_the_pipeline_all_is_missing(tmp_path: Path) -> None:
    with a_world(tmp_path):
        status, lines = checked()
        assert boto3.client("dynamodb").list_tables()["TableNames"] == []
    missing = [line for line in lines if " is missing: run python setup/" in line]
    assert (status, len(lines)) == (1, len(set(lines)))
    scripts = {match for line in missing for match in re.findall(r"setup/(\w+)\.py", line)}
    assert {"01_dynamodb", "02_kinesis", "03_s3", "04_iam", "06_firehose", "10_glue"} <= scripts


def test_a_table_of_ones_own_that_has_no_stream_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_world(tmp_path):
        boto3.client("dynamodb").create_table(
            TableName="mine",
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
        )
        monkeypatch.setenv("TABLE_NAME", "mine")
        status, lines = checked()
    assert (status, lines[0]) == (1, "table mine differs: run python setup/01_dynamodb.py")


def test_a_difference_is_said_in_words() -> None:
    said = check.difference("CreateWorkGroup", {"Name": "sales-cdc"})
    assert said == "work group sales-cdc is missing"
