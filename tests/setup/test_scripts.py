"""The setup scripts on the laptop cloud: what they create, repair, keep and reject."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from setup import names
from setup.lib.iam_policies import role_policies, tls_only_statement, trust_policies
from setup.lib.resources import matches_desired
from setup.lib.waiters import SetupError
from tests.support.laptop_cloud import create_table
from tests.support.profile import IS_THOROUGH
from tests.support.setup_fixture import (
    SCRIPTS,
    SetupSandbox,
    aws_client,
    count_resources,
    setup_sandbox,
    tear_down,
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SetupSandbox]:
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


LOCATIONS = [
    ("cn-north-1", "111122223333", "aws-cn"),
    ("eu-central-1", "123456789012", "aws"),
    ("us-gov-west-1", "123456789012", "aws-us-gov"),
]


@pytest.mark.parametrize(
    ("region", "account", "partition"), LOCATIONS if IS_THOROUGH else LOCATIONS[:1]
)
def test_setup_works_in_any_location(
    tmp_path: Path, region: str, account: str, partition: str
) -> None:
    with setup_sandbox(tmp_path, region, account=account) as sandbox:
        before = count_resources()
        sandbox.run()
        sandbox.calls.clear()
        sandbox.run()
        assert sandbox.writes() == []
        bucket_location = aws_client("s3").get_bucket_location(Bucket=names.bucket())
        assert bucket_location["LocationConstraint"] == region
        pipe = aws_client("pipes").describe_pipe(Name=names.PIPE)
        for member in ("Arn", "Source", "Target"):
            prefix, arn_partition, _, *arn_location = pipe[member].split(":")[:5]
            assert (prefix, arn_partition) == ("arn", partition)
            assert arn_location == [region, account]
        assert pipe["RoleArn"].startswith(f"arn:{partition}:iam::{account}:role/")
        tear_down(delete_data=True)
        assert count_resources() == before


@pytest.mark.parametrize(
    ("script", "prerequisite"),
    [
        ("05_lambda", "04_iam"),
        ("06_firehose", "02_kinesis"),
        ("07_pipe", "01_dynamodb"),
        ("08_start_pipe", "06_firehose"),
        ("10_glue", "04_iam"),
        ("11_athena", "10_glue"),
    ],
)
def test_a_script_names_its_prerequisite(
    sandbox: SetupSandbox, script: str, prerequisite: str
) -> None:
    with pytest.raises(SetupError, match=rf"is missing: run python setup/{prerequisite}\.py"):
        sandbox.run(script)
    assert count_resources().total() - count_resources()["workgroups"] == 0


def test_the_pipe_is_started_after_firehose_only(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run(*SCRIPTS[:7])
    assert pipe_state() == "STOPPED"
    aws_client("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
    with pytest.raises(SetupError, match=r"run python setup/06_firehose\.py"):
        sandbox.run("08_start_pipe")
    assert pipe_state() == "STOPPED"
    sandbox.run("06_firehose", "08_start_pipe")
    assert pipe_state() == "RUNNING"
    sandbox.run("07_pipe")
    assert pipe_state() == "RUNNING"


def pipe_state() -> str:
    return str(aws_client("pipes").describe_pipe(Name=names.PIPE)["CurrentState"])


def test_orders_of_any_time_arrive(sandbox: SetupSandbox) -> None:
    sandbox.run("01_dynamodb")
    put_order("before")
    sandbox.run(*SCRIPTS[1:7])
    put_order("during")
    sandbox.run("08_start_pipe")
    put_order("after")
    sandbox.run_until_idle()
    assert {"before", "during", "after"} == order_ids_in_lake()


def put_order(name: str) -> None:
    order = {"order_id": {"S": name}}
    aws_client("dynamodb").put_item(TableName=names.TABLE, Item=order)


def order_ids_in_lake() -> set[str]:
    """Return the ids of the orders in the lake's rows."""
    s3 = aws_client("s3")
    order_ids = set()
    listing = s3.list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE)
    for entry in listing.get("Contents", []):
        body = s3.get_object(Bucket=names.bucket(), Key=entry["Key"])["Body"].read()
        order_ids |= {json.loads(line)["order_id"] for line in gzip.decompress(body).splitlines()}
    return order_ids


def test_what_is_created_again_names_what_is_missing(sandbox: SetupSandbox) -> None:
    """On first setup nothing is missing; later the fix is named, but only by what is new."""
    assert not any("operations." in line for line in sandbox.run(*SCRIPTS[:8]))
    put_order("before")
    sandbox.run_until_idle()
    assert not any("operations." in line for line in sandbox.run(*SCRIPTS[:8]))
    aws_client("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
    aws_client("pipes").stop_pipe(Name=names.PIPE)
    sandbox.run_until_idle()
    [firehose_line, pipe_line] = sandbox.run("06_firehose", "08_start_pipe")
    assert "python -m operations.replay --from-kinesis 24h" in firehose_line
    assert "did not run for more than 24 hours" in pipe_line
    aws_client("kinesis").delete_stream(StreamName=names.STREAM)
    [kinesis_line] = sandbox.run("02_kinesis")
    assert "what Firehose had not read before is missing" in kinesis_line


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
    sandbox.run("05_lambda", "06_firehose", "07_pipe", "10_glue")
    assert sandbox.stubs == {"GetCrawler": []}  # A running crawler cannot be changed.
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
    assert config["Environment"] == {"Variables": {"JSON_PATHS": ""}}


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
    assert config["Environment"]["Variables"] == {
        "MINE": "1",
        "JSON_PATHS": "seenby customer__visits",
    }
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


def test_another_stream_view_type_is_rejected(sandbox: SetupSandbox) -> None:
    keys_only = {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}
    dynamodb = aws_client("dynamodb")
    create_table(dynamodb, names.TABLE, {"order_id": "S"}, StreamSpecification=keys_only)
    with pytest.raises(
        SetupError, match="expected a stream of NEW_AND_OLD_IMAGES, found KEYS_ONLY"
    ):
        sandbox.run("01_dynamodb")


def test_a_pipe_on_a_former_stream_is_rejected(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run(*SCRIPTS[:7])
    dynamodb = aws_client("dynamodb")
    disabled = {"StreamEnabled": False}
    dynamodb.update_table(TableName=names.TABLE, StreamSpecification=disabled)
    sandbox.run("01_dynamodb")
    with pytest.raises(SetupError, match="aws pipes delete-pipe"):
        sandbox.run("07_pipe")
    aws_client("pipes").delete_pipe(Name=names.PIPE)
    sandbox.run("07_pipe")


@pytest.mark.parametrize(
    ("current", "advice"), [("2026-01-02", "enable the stream"), ("2026-01-01", "delete-pipe")]
)
def test_older_stream_is_not_adopted(current: str, advice: str) -> None:
    message = import_module("setup.07_pipe").other_stream_message(
        f"arn:aws:dynamodb:us-east-1:1:table/b/stream/{current}T00:00:00.000",
        "arn:aws:dynamodb:us-east-1:1:table/c/stream/2026-01-01T12:00:00.000",
    )
    assert advice in message


def test_an_unpartitioned_firehose_is_rejected(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run(*SCRIPTS[:5])
    stream_arn = names.arn("kinesis", f"stream/{names.STREAM}")
    role_arn = names.role_arn("firehose")
    aws_client("firehose").create_delivery_stream(
        DeliveryStreamName=names.DELIVERY,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": stream_arn, "RoleARN": role_arn},
        ExtendedS3DestinationConfiguration={
            "RoleARN": role_arn,
            "BucketARN": names.location().bucket_arn(),
        },
    )
    with pytest.raises(
        SetupError, match=r"cannot be changed: run aws pipes stop-pipe .*delete-delivery-stream"
    ):
        sandbox.run("06_firehose")


def test_the_alarm_address_is_subscribed_once(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard = f"dashboard {names.PIPELINE}-us-east-1"
    expected = f"11 alarms (no notifications; set ALARM_EMAIL), {dashboard}"
    assert sandbox.run("09_alarms") == [expected]
    monkeypatch.setenv("ALARM_EMAIL", "orders@example.com")
    sandbox.run("09_alarms", "09_alarms")
    monkeypatch.delenv("ALARM_EMAIL")
    sandbox.run("09_alarms")
    [subscription] = aws_client("sns").list_subscriptions()["Subscriptions"]
    assert subscription["Endpoint"] == "orders@example.com"
    assert sandbox.calls.count(("sns", "Subscribe")) == 1  # Each call sends an email.
    alarms = aws_client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert all(alarm["AlarmActions"] == [subscription["TopicArn"]] for alarm in alarms)


def test_the_users_alarm_actions_survive(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.run("09_alarms")
    cloudwatch = aws_client("cloudwatch")
    pager = names.arn("sns", "pager")
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[f"{names.PIPELINE}-dead-letters"])[
        "MetricAlarms"
    ]
    members = ("AlarmName", "Namespace", "MetricName", "Statistic", "ComparisonOperator")
    settings = {member: alarm[member] for member in (*members, "Period", "EvaluationPeriods")}
    cloudwatch.put_metric_alarm(**settings, Threshold=7, AlarmActions=[pager], OKActions=[pager])
    monkeypatch.setenv("ALARM_EMAIL", "orders@example.com")
    sandbox.run("09_alarms")
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
    assert alarm["Threshold"] == 0
    assert alarm["OKActions"] == [pager]
    assert set(alarm["AlarmActions"]) == {pager, names.arn("sns", names.ALARM_TOPIC)}


def test_another_ttl_attribute_is_rejected(
    sandbox: SetupSandbox,
) -> None:
    sandbox.run("01_dynamodb")
    dynamodb = aws_client("dynamodb")
    for enabled, name in ((False, names.TTL_ATTRIBUTE), (True, "ends_at")):
        dynamodb.update_time_to_live(
            TableName=names.TABLE,
            TimeToLiveSpecification={"Enabled": enabled, "AttributeName": name},
        )
    with pytest.raises(SetupError, match="expected TTL attribute expires_at, found ends_at"):
        sandbox.run("01_dynamodb")


def test_the_users_bucket_tags_survive(sandbox: SetupSandbox) -> None:
    sandbox.run("03_s3")
    s3 = aws_client("s3")
    user_tag = {"Key": "team", "Value": "sales"}
    s3.put_bucket_tagging(Bucket=names.bucket(), Tagging={"TagSet": [user_tag]})
    sandbox.run("03_s3")
    tags = s3.get_bucket_tagging(Bucket=names.bucket())["TagSet"]
    assert user_tag in tags
    assert names.TAG_LIST[0] in tags


def test_the_users_lifecycle_rules_survive(sandbox: SetupSandbox) -> None:
    sandbox.run("03_s3")
    s3 = aws_client("s3")
    user_rule = {
        "ID": "archive",
        "Filter": {"Prefix": names.LAKE},
        "Status": "Enabled",
        "Transitions": [{"Days": 365, "StorageClass": "GLACIER"}],
    }
    own_rules = s3.get_bucket_lifecycle_configuration(Bucket=names.bucket())["Rules"]
    changed = {"Rules": [user_rule, {**own_rules[0], "Expiration": {"Days": 7}}]}
    s3.put_bucket_lifecycle_configuration(Bucket=names.bucket(), LifecycleConfiguration=changed)
    sandbox.run("03_s3")
    rules = s3.get_bucket_lifecycle_configuration(Bucket=names.bucket())["Rules"]
    assert [rule["ID"] for rule in rules] == ["archive", *(rule["ID"] for rule in own_rules)]
    assert matches_desired([user_rule, *own_rules], rules)


@pytest.mark.parametrize("is_bare", [True, False])
def test_the_users_bucket_statements_survive(sandbox: SetupSandbox, is_bare: bool) -> None:
    sandbox.run("03_s3")
    s3 = aws_client("s3")
    statement = {
        "Sid": "Analysts",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{names.account()}:root"},
        "Action": "s3:GetObject",
        "Resource": names.location().bucket_arn("lake/*"),
    }
    user_policy = {
        "Version": "2012-10-17",
        "Id": "mine",
        "Statement": statement if is_bare else [statement],
    }
    s3.put_bucket_policy(Bucket=names.bucket(), Policy=json.dumps(user_policy))
    sandbox.run("03_s3")
    policy = json.loads(s3.get_bucket_policy(Bucket=names.bucket())["Policy"])
    own_statement = tls_only_statement(names.location())
    assert policy == {**user_policy, "Statement": [statement, own_statement]}


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_statement_is_put_if_its_meaning_differs(sandbox: SetupSandbox, is_changed: bool) -> None:
    """AWS returns the lists of a policy in an order of its own."""
    sandbox.run("03_s3")
    response = aws_client("s3").get_bucket_policy(Bucket=names.bucket())
    policy = json.loads(response["Policy"])
    [statement] = policy["Statement"]
    statement["Resource"].reverse()
    if is_changed:
        statement["Condition"]["StringNotEquals"] = {"aws:PrincipalAccount": names.account()}
    sandbox.stub("GetBucketPolicy", response | {"Policy": json.dumps(policy)})
    sandbox.calls.clear()
    sandbox.run("03_s3")
    assert sandbox.writes() == ([("s3", "PutBucketPolicy")] if is_changed else [])


def test_a_role_is_put_if_its_meaning_differs(
    sandbox: SetupSandbox,
) -> None:
    """IAM returns lists in an order of its own, and a list of one as its only member."""
    sandbox.run("04_iam")
    role_responses = []
    policy_responses = []
    for trust_policy in trust_policies(names.location()).values():
        document = {**trust_policy, "Statement": trust_policy["Statement"][0]}
        role_responses.append({"Role": {"AssumeRolePolicyDocument": as_iam_sends_it(document)}})
    for policy in role_policies(names.location()).values():
        document = {**policy, "Statement": [respell(part) for part in policy["Statement"]]}
        policy_responses.append({"PolicyDocument": as_iam_sends_it(document)})
    sandbox.stub("GetRole", *role_responses)
    sandbox.stub("GetRolePolicy", *policy_responses)
    sandbox.calls.clear()
    sandbox.run("04_iam")
    assert not sandbox.has_unused_stubs()
    assert sandbox.writes() == []


def as_iam_sends_it(policy: dict[str, Any]) -> str:
    return quote(json.dumps(policy))


def respell(statement: dict[str, Any]) -> dict[str, Any]:
    """Return the statement with its lists reversed, and lists of one unwrapped."""
    reversed_lists = {name: statement[name][::-1] for name in ("Action", "Resource")}
    members = {name: values if values[1:] else values[0] for name, values in reversed_lists.items()}
    return statement | members
