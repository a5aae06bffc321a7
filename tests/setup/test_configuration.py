"""Configuration of the pipeline's resources: what AWS needs, and manual changes are reverted."""

import io
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from setup import names
from tests.support.setup_fixture import (
    SCRIPTS,
    SetupSandbox,
    aws_client,
    aws_error,
    setup_sandbox,
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SetupSandbox]:
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


@pytest.mark.slow
def test_manual_changes_are_reverted(sandbox: SetupSandbox) -> None:
    sandbox.run(*SCRIPTS[:7], "10_glue")
    original = configuration()
    aws_client("lambda").update_function_configuration(FunctionName=names.FUNCTION, Timeout=3)
    delivery = describe_delivery_stream()
    aws_client("firehose").update_destination(
        DeliveryStreamName=names.DELIVERY,
        CurrentDeliveryStreamVersionId=delivery["VersionId"],
        DestinationId=delivery["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate={"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 900}},
    )
    aws_client("pipes").update_pipe(
        Name=names.PIPE,
        RoleArn=names.role_arn("pipe"),
        SourceParameters={"DynamoDBStreamParameters": {"BatchSize": 7}},
    )
    aws_client("glue").update_crawler(
        Name=names.CRAWLER, SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    )
    changed = configuration()
    assert all(changed[name] != original[name] for name in original)
    sandbox.stub("GetCrawler", *[{"Crawler": {"State": "RUNNING"}}] * 3)
    unassumable = "Firehose is unable to assume role x. Please check the role provided."
    sandbox.stub("UpdateDestination", aws_error("InvalidArgumentException", unassumable))
    sandbox.run("05_lambda", "06_firehose", "07_pipe", "10_glue")
    assert not sandbox.has_unused_stubs()  # A running crawler cannot be changed.
    assert configuration() == original


def describe_delivery_stream() -> dict[str, Any]:
    response = aws_client("firehose").describe_delivery_stream(DeliveryStreamName=names.DELIVERY)
    description: dict[str, Any] = response["DeliveryStreamDescription"]
    return description


def configuration() -> dict[str, Any]:
    """Return the settings that the test above changes, as AWS describes them."""
    functions = aws_client("lambda")
    delivery = describe_delivery_stream()
    pipe = aws_client("pipes").describe_pipe(Name=names.PIPE)
    crawler = aws_client("glue").get_crawler(Name=names.CRAWLER)["Crawler"]
    destination = delivery["Destinations"][0]["ExtendedS3DestinationDescription"]
    return {
        "timeout": functions.get_function_configuration(FunctionName=names.FUNCTION)["Timeout"],
        "buffering": destination["BufferingHints"],
        "reading": pipe["SourceParameters"]["DynamoDBStreamParameters"],
        "policy": crawler["SchemaChangePolicy"],
    }


def test_the_pipe_is_configured_as_aws_needs(sandbox: SetupSandbox) -> None:
    sandbox.run(*SCRIPTS[:7])
    pipe = aws_client("pipes").describe_pipe(Name=names.PIPE)
    reading = pipe["SourceParameters"]["DynamoDBStreamParameters"]
    assert reading["StartingPosition"] == "TRIM_HORIZON"
    assert reading["BatchSize"] <= 500
    assert 0 < reading["MaximumRetryAttempts"] < 1000
    assert 3600 < reading["MaximumRecordAgeInSeconds"] < 86_400
    assert reading["OnPartialBatchItemFailure"] == "AUTOMATIC_BISECT"
    assert reading["DeadLetterConfig"]["Arn"] == names.arn("sqs", names.DEAD_LETTERS)
    assert pipe["TargetParameters"]["KinesisStreamParameters"]["PartitionKey"] == "$.eventID"
    sqs = aws_client("sqs")
    queue = sqs.get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["MessageRetentionPeriod"] == str(14 * 86_400)


def test_firehose_is_configured_as_aws_needs(sandbox: SetupSandbox) -> None:
    sandbox.run(*SCRIPTS[:6])
    delivery = describe_delivery_stream()
    destination = delivery["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert destination["DynamicPartitioningConfiguration"]["Enabled"] is True
    assert destination["ProcessingConfiguration"]["Enabled"] is True
    assert 64 <= destination["BufferingHints"]["SizeInMBs"] <= 128
    assert 60 <= destination["BufferingHints"]["IntervalInSeconds"] <= 900
    assert destination["Prefix"] == "lake/dt=!{partitionKeyFromLambda:dt}/"
    assert "!{firehose:error-output-type}/" in destination["ErrorOutputPrefix"]
    assert destination["ErrorOutputPrefix"].startswith("errors/")
    [processor] = destination["ProcessingConfiguration"]["Processors"]
    parameters = {
        parameter["ParameterName"]: parameter["ParameterValue"]
        for parameter in processor["Parameters"]
    }
    assert parameters["LambdaArn"].endswith(f":function:{names.FUNCTION}:$LATEST")
    assert parameters["BufferSizeInMBs"] == "0.2"  # The rows of any 0.2 MiB fit into a response.


def test_the_function_is_configured_as_aws_needs(sandbox: SetupSandbox) -> None:
    sandbox.run("04_iam", "05_lambda")
    functions = aws_client("lambda")
    config = functions.get_function_configuration(FunctionName=names.FUNCTION)
    assert config["Runtime"] in ("python3.12", "python3.13")  # AWS supports these beyond 2027.
    assert config["Timeout"] <= 300  # Firehose waits no longer.
    variables = {"JSON_PATHS": "", "MASKED": "{}", "MASKING_KEY": names.MASKING_KEY}
    assert config["Environment"] == {"Variables": variables}


def test_the_function_gets_the_json_paths(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.run("04_iam", "05_lambda")
    functions = aws_client("lambda")
    mine = {"Variables": {"MINE": "1"}}
    functions.update_function_configuration(FunctionName=names.FUNCTION, Environment=mine)
    monkeypatch.setattr(names, "JSON_PATHS", ("seenby", "customer__visits"))
    sandbox.run("05_lambda")
    config = functions.get_function_configuration(FunctionName=names.FUNCTION)
    variables = config["Environment"]["Variables"]
    assert (variables["MINE"], variables["JSON_PATHS"]) == ("1", "seenby customer__visits")
    sandbox.calls.clear()
    sandbox.run("05_lambda")
    assert sandbox.writes() == []


def test_the_data_is_protected(sandbox: SetupSandbox) -> None:
    sandbox.run(*SCRIPTS[:3])
    table = aws_client("dynamodb").describe_table(TableName=names.TABLE)["Table"]
    assert table["DeletionProtectionEnabled"] is True
    kinesis = aws_client("kinesis")
    summary = kinesis.describe_stream_summary(StreamName=names.STREAM)["StreamDescriptionSummary"]
    assert summary["EncryptionType"] == "KMS"
    assert kinesis.list_tags_for_stream(StreamName=names.STREAM)["Tags"]
    versioning = aws_client("s3").get_bucket_versioning(Bucket=names.bucket())
    assert versioning["Status"] == "Enabled"


@pytest.mark.parametrize(
    ("message", "is_skipped"),
    [("Nothing to update", True), ("At least one of A or B is required", True), ("no", False)],
)
def test_unsupported_protection_is_skipped(
    sandbox: SetupSandbox, message: str, is_skipped: bool
) -> None:
    """DynamoDB Local answers so to the update of an attribute that it does not know."""
    sandbox.run("01_dynamodb")
    dynamodb = aws_client("dynamodb")
    dynamodb.update_table(TableName=names.TABLE, DeletionProtectionEnabled=False)
    sandbox.stub("UpdateTable", {"Error": {"Code": "ValidationException", "Message": message}})
    if is_skipped:
        [line] = sandbox.run("01_dynamodb")
        assert line.endswith(", without deletion protection, which its server does not support")
    else:
        with pytest.raises(ClientError, match=message):
            sandbox.run("01_dynamodb")


def test_new_code_of_the_function_is_deployed(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.run("04_iam")
    [first] = sandbox.run("05_lambda")
    monkeypatch.setattr(import_module("setup.05_lambda"), "build_zip", lambda: NEW_ZIP)
    [second] = sandbox.run("05_lambda")
    assert first != second


def zip_of(source: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("lambda_function.py", source)
    return buffer.getvalue()


NEW_ZIP = zip_of("def lambda_handler(event, context): return event")
