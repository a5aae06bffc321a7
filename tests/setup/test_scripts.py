"""The setup scripts on the laptop cloud: what they make, and make again, and what they refuse."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest

from tests.support.setup_fixture import (
    SCRIPTS,
    SetupError,
    World,
    a_world,
    changes,
    inventory,
    names,
    removed,
)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with a_world(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("region", "account", "partition"),
    [
        ("eu-central-1", "123456789012", "aws"),
        ("cn-north-1", "111122223333", "aws-cn"),
        ("us-gov-west-1", "123456789012", "aws-us-gov"),
    ],
)
def test_the_pipeline_can_live_in_any_region_partition_and_account(
    tmp_path: Path, region: str, account: str, partition: str
) -> None:
    with a_world(tmp_path, region, account=account) as world:
        before = inventory()
        world.run()
        del world.asked[:]
        world.run()
        assert changes(world.asked) == []
        where = boto3.client("s3").get_bucket_location(Bucket=names.bucket())
        assert where["LocationConstraint"] == region
        pipe = boto3.client("pipes").describe_pipe(Name=names.PIPE)
        regional = [pipe[member].split(":") for member in ("Arn", "Source", "Target")]
        assert [arn[:2] + arn[3:5] for arn in regional] == [["arn", partition, region, account]] * 3
        assert pipe["RoleArn"].startswith(f"arn:{partition}:iam::{account}:role/")
        removed(delete_data=True)
        assert inventory() == before


@pytest.mark.parametrize(
    ("script", "first"),
    [
        ("05_lambda", "04_iam"),
        ("06_firehose", "02_kinesis"),
        ("07_pipe", "01_dynamodb"),
        ("08_start_pipe", "06_firehose"),
        ("10_glue", "04_iam"),
        ("11_athena", "10_glue"),
    ],
)
def test_a_script_names_the_one_to_run_first(world: World, script: str, first: str) -> None:
    with pytest.raises(SetupError, match=rf"is missing: run python setup/{first}\.py"):
        world.run(script)
    assert inventory().total() - inventory()["workgroups"] == 0


def test_the_pipe_is_made_stopped_and_started_only_when_firehose_reads(world: World) -> None:
    world.run(*SCRIPTS[:7])
    assert pipe_state() == "STOPPED"
    boto3.client("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
    with pytest.raises(SetupError, match=r"run python setup/06_firehose\.py"):
        world.run("08_start_pipe")
    assert pipe_state() == "STOPPED"
    world.run("06_firehose", "08_start_pipe")
    assert pipe_state() == "RUNNING"
    world.run("07_pipe")
    assert pipe_state() == "RUNNING"


def pipe_state() -> str:
    return boto3.client("pipes").describe_pipe(Name=names.PIPE)["CurrentState"]


def test_orders_written_before_during_and_after_setup_all_arrive(world: World) -> None:
    world.run("01_dynamodb")
    put_order("before")
    world.run(*SCRIPTS[1:7])
    put_order("during")
    world.run("08_start_pipe")
    put_order("after")
    world.run_until_idle()
    assert {"before", "during", "after"} == rows_in_lake()


def put_order(name: str) -> None:
    order = {"order_id": {"S": name}}
    boto3.client("dynamodb").put_item(TableName=names.TABLE, Item=order)


def rows_in_lake() -> set[str]:
    """Return the ids of the orders that the lake's objects tell of."""
    s3, found = boto3.client("s3"), set()
    listed = s3.list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE)
    for each in listed.get("Contents", []):
        body = s3.get_object(Bucket=names.bucket(), Key=each["Key"])["Body"].read()
        found |= {json.loads(line)["order_id"] for line in gzip.decompress(body).splitlines()}
    return found


def test_what_somebody_changed_is_set_again(world: World) -> None:
    world.run(*SCRIPTS[:7], "10_glue")
    wanted = configuration()
    clients = {name: boto3.client(name) for name in ("lambda", "firehose", "pipes", "glue")}
    clients["lambda"].update_function_configuration(FunctionName=names.FUNCTION, Timeout=3)
    delivery = described_delivery()
    clients["firehose"].update_destination(
        DeliveryStreamName=names.DELIVERY,
        CurrentDeliveryStreamVersionId=delivery["VersionId"],
        DestinationId=delivery["Destinations"][0]["DestinationId"],
        ExtendedS3DestinationUpdate={"BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 900}},
    )
    clients["pipes"].update_pipe(
        Name=names.PIPE,
        RoleArn=names.role_arn("pipe"),
        SourceParameters={"DynamoDBStreamParameters": {"BatchSize": 7}},
    )
    clients["glue"].update_crawler(
        Name=names.CRAWLER, SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    )
    assert not [each for each in configuration().items() if each in wanted.items()]
    world.pretend("GetCrawler", *[{"Crawler": {"State": "RUNNING"}}] * 3)
    world.run("05_lambda", "06_firehose", "07_pipe", "10_glue")
    assert world.pretended == {"GetCrawler": []}  # A crawler that runs cannot be changed.
    assert configuration() == wanted


def described_delivery() -> dict[str, Any]:
    describe = boto3.client("firehose").describe_delivery_stream
    return describe(DeliveryStreamName=names.DELIVERY)["DeliveryStreamDescription"]


def configuration() -> dict[str, Any]:
    """Return of each thing what the test above changes, as AWS describes it."""
    function = {"FunctionName": names.FUNCTION}
    delivery = described_delivery()
    pipe = boto3.client("pipes").describe_pipe(Name=names.PIPE)
    crawler = boto3.client("glue").get_crawler(Name=names.CRAWLER)["Crawler"]
    written = delivery["Destinations"][0]["ExtendedS3DestinationDescription"]
    return {
        "timeout": boto3.client("lambda").get_function_configuration(**function)["Timeout"],
        "buffering": written["BufferingHints"],
        "reading": pipe["SourceParameters"]["DynamoDBStreamParameters"],
        "policy": crawler["SchemaChangePolicy"],
    }


def test_what_an_emulator_would_not_mind_is_as_aws_needs_it(world: World) -> None:
    world.run(*SCRIPTS[:7])
    pipe = boto3.client("pipes").describe_pipe(Name=names.PIPE)
    reading = pipe["SourceParameters"]["DynamoDBStreamParameters"]
    assert reading["StartingPosition"] == "TRIM_HORIZON"
    assert reading["BatchSize"] <= 500
    assert 0 < reading["MaximumRetryAttempts"] < 1000
    assert 3600 < reading["MaximumRecordAgeInSeconds"] < 86_400
    assert reading["OnPartialBatchItemFailure"] == "AUTOMATIC_BISECT"
    assert reading["DeadLetterConfig"]["Arn"] == names.arn("sqs", names.DEAD_LETTERS)
    assert pipe["TargetParameters"]["KinesisStreamParameters"]["PartitionKey"] == "$.eventID"

    delivery = described_delivery()
    written = delivery["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert written["DynamicPartitioningConfiguration"]["Enabled"] is True
    assert written["ProcessingConfiguration"]["Enabled"] is True
    assert 64 <= written["BufferingHints"]["SizeInMBs"] <= 128
    assert 60 <= written["BufferingHints"]["IntervalInSeconds"] <= 900
    assert written["Prefix"] == "lake/dt=!{partitionKeyFromLambda:dt}/"
    assert "!{firehose:error-output-type}/" in written["ErrorOutputPrefix"]
    assert written["ErrorOutputPrefix"].startswith("errors/")
    [processor] = written["ProcessingConfiguration"]["Processors"]
    told = {each["ParameterName"]: each["ParameterValue"] for each in processor["Parameters"]}
    assert told["LambdaArn"].endswith(f":function:{names.FUNCTION}:$LATEST")
    assert float(told["BufferSizeInMBs"]) <= 1

    which = {"FunctionName": names.FUNCTION}
    function = boto3.client("lambda").get_function_configuration(**which)
    assert function["Runtime"] in ("python3.12", "python3.13")  # AWS keeps these beyond 2027.
    assert function["Timeout"] <= 300  # Firehose waits no longer.
    assert "Environment" not in function

    sqs = boto3.client("sqs")
    queue = sqs.get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert attributes["MessageRetentionPeriod"] == str(14 * 86_400)

    table = boto3.client("dynamodb").describe_table(TableName=names.TABLE)["Table"]
    assert table["DeletionProtectionEnabled"] is True
    summary = boto3.client("kinesis").describe_stream_summary(StreamName=names.STREAM)
    assert summary["StreamDescriptionSummary"]["EncryptionType"] == "KMS"
    assert boto3.client("kinesis").list_tags_for_stream(StreamName=names.STREAM)["Tags"]
    versioning = boto3.client("s3").get_bucket_versioning(Bucket=names.bucket())
    assert versioning["Status"] == "Enabled"


def test_a_new_source_of_the_function_is_deployed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("04_iam")
    [first] = world.run("05_lambda")
    monkeypatch.setattr(import_module("setup.05_lambda"), "build_zip", lambda: NEWER)
    [second] = world.run("05_lambda")
    assert first != second


def zipped(text: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as code:
        code.writestr("lambda_function.py", text)
    return written.getvalue()


NEWER = zipped("def lambda_handler(event, context): return event")


def test_a_stream_of_another_view_type_is_refused_with_the_way_out(world: World) -> None:
    boto3.client("dynamodb").create_table(
        TableName=names.TABLE,
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    with pytest.raises(
        SetupError, match="expected a stream of NEW_AND_OLD_IMAGES, found KEYS_ONLY"
    ):
        world.run("01_dynamodb")


def test_a_pipe_on_a_stream_that_was_replaced_is_refused_with_the_way_out(world: World) -> None:
    world.run(*SCRIPTS[:7])
    dynamodb = boto3.client("dynamodb")
    off = {"StreamEnabled": False}
    dynamodb.update_table(TableName=names.TABLE, StreamSpecification=off)
    world.run("01_dynamodb")
    with pytest.raises(SetupError, match="aws pipes delete-pipe"):
        world.run("07_pipe")
    boto3.client("pipes").delete_pipe(Name=names.PIPE)
    world.run("07_pipe")


def test_a_firehose_stream_without_partitions_is_refused_with_the_way_out(world: World) -> None:
    world.run(*SCRIPTS[:5])
    source = names.arn("kinesis", f"stream/{names.STREAM}"), names.role_arn("firehose")
    boto3.client("firehose").create_delivery_stream(
        DeliveryStreamName=names.DELIVERY,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration=dict(
            zip(("KinesisStreamARN", "RoleARN"), source, strict=True)
        ),
        ExtendedS3DestinationConfiguration={
            "RoleARN": source[1],
            "BucketARN": names.location().bucket_arn(),
        },
    )
    with pytest.raises(
        SetupError, match=r"cannot be changed: run aws pipes stop-pipe .*delete-delivery-stream"
    ):
        world.run("06_firehose")


def test_alarms_write_to_the_address_once_and_go_on_doing_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.run("09_alarms")[0].endswith("tell nobody")
    monkeypatch.setenv("ALARM_EMAIL", "orders@example.com")
    world.run("09_alarms", "09_alarms")
    monkeypatch.delenv("ALARM_EMAIL")
    world.run("09_alarms")
    subscribed = boto3.client("sns").list_subscriptions()["Subscriptions"]
    assert [each["Endpoint"] for each in subscribed] == ["orders@example.com"]
    assert world.asked.count(("sns", "Subscribe")) == 1  # Each one sends a letter.
    alarms = boto3.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert all(each["AlarmActions"] == [subscribed[0]["TopicArn"]] for each in alarms)


def test_whom_else_an_alarm_tells_it_goes_on_telling(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("09_alarms")
    cloudwatch, pager = boto3.client("cloudwatch"), names.arn("sns", "pager")
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[f"{names.PIPELINE}-dead-letters"])[
        "MetricAlarms"
    ]
    members = ("AlarmName", "Namespace", "MetricName", "Statistic", "ComparisonOperator")
    kept = {member: alarm[member] for member in (*members, "Period", "EvaluationPeriods")}
    cloudwatch.put_metric_alarm(**kept, Threshold=7, AlarmActions=[pager], OKActions=[pager])
    monkeypatch.setenv("ALARM_EMAIL", "orders@example.com")
    world.run("09_alarms")
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[alarm["AlarmName"]])["MetricAlarms"]
    assert alarm["Threshold"] == 0
    assert alarm["OKActions"] == [pager]
    assert set(alarm["AlarmActions"]) == {pager, names.arn("sns", names.ALARM_TOPIC)}


def test_orders_that_expire_by_another_attribute_are_refused_with_the_way_out(world: World) -> None:
    world.run("01_dynamodb")
    dynamodb = boto3.client("dynamodb")
    for enabled, name in ((False, names.TTL_ATTRIBUTE), (True, "ends_at")):
        dynamodb.update_time_to_live(
            TableName=names.TABLE,
            TimeToLiveSpecification={"Enabled": enabled, "AttributeName": name},
        )
    with pytest.raises(SetupError, match="expected orders to expire by expires_at, found ends_at"):
        world.run("01_dynamodb")


def test_the_users_own_tags_of_the_bucket_survive(world: World) -> None:
    world.run("03_s3")
    s3, mine = boto3.client("s3"), {"Key": "team", "Value": "sales"}
    s3.put_bucket_tagging(Bucket=names.bucket(), Tagging={"TagSet": [mine]})
    world.run("03_s3")
    tags = s3.get_bucket_tagging(Bucket=names.bucket())["TagSet"]
    assert mine in tags
    assert names.TAG_LIST[0] in tags


def test_the_users_own_rules_for_the_buckets_objects_survive(world: World) -> None:
    world.run("03_s3")
    s3, which = boto3.client("s3"), {"Bucket": names.bucket()}
    archive = {
        "ID": "archive",
        "Filter": {"Prefix": names.LAKE},
        "Status": "Enabled",
        "Transitions": [{"Days": 365, "StorageClass": "GLACIER"}],
    }
    ours = s3.get_bucket_lifecycle_configuration(**which)["Rules"]
    mine = {"Rules": [archive, {**ours[0], "Expiration": {"Days": 7}}]}
    s3.put_bucket_lifecycle_configuration(**which, LifecycleConfiguration=mine)
    world.run("03_s3")
    rules = s3.get_bucket_lifecycle_configuration(**which)["Rules"]
    assert [rule["ID"] for rule in rules] == ["archive", *(rule["ID"] for rule in ours)]
    assert import_module("setup.lib.resources").matches_desired([archive, *ours], rules)


@pytest.mark.parametrize("alone", [True, False])
def test_the_users_own_statements_on_the_bucket_survive(world: World, alone: bool) -> None:
    world.run("03_s3")
    s3, which = boto3.client("s3"), {"Bucket": names.bucket()}
    analysts = {
        "Sid": "Analysts",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{names.account()}:root"},
        "Action": "s3:GetObject",
        "Resource": names.location().bucket_arn("lake/*"),
    }
    mine = {"Version": "2012-10-17", "Id": "mine", "Statement": analysts if alone else [analysts]}
    s3.put_bucket_policy(**which, Policy=json.dumps(mine))
    world.run("03_s3")
    policy = json.loads(s3.get_bucket_policy(**which)["Policy"])
    ours = import_module("setup.lib.iam_policies").tls_only(names.location())
    assert policy == {**mine, "Statement": [analysts, ours]}


@pytest.mark.parametrize("narrowed", [False, True])
def test_a_statement_is_set_again_only_where_it_means_something_else(
    world: World, narrowed: bool
) -> None:
    """AWS gives the lists of a policy back in an order of its own."""
    world.run("03_s3")
    found = boto3.client("s3").get_bucket_policy(Bucket=names.bucket())
    policy = json.loads(found["Policy"])
    [statement] = policy["Statement"]
    statement["Resource"].reverse()
    if narrowed:
        statement["Condition"]["StringNotEquals"] = {"aws:PrincipalAccount": names.account()}
    world.pretend("GetBucketPolicy", found | {"Policy": json.dumps(policy)})
    del world.asked[:]
    world.run("03_s3")
    assert changes(world.asked) == ([("s3", "PutBucketPolicy")] if narrowed else [])


def test_a_role_is_changed_only_where_its_policies_mean_something_else(world: World) -> None:
    """IAM gives the lists of a policy back in an order of its own, and a single member bare."""
    world.run("04_iam")
    here = names.location()
    policies = import_module("setup.lib.iam_policies")
    kept = [
        {"PolicyDocument": sent({**policy, "Statement": list(map(bare, policy["Statement"]))})}
        for policy in policies.rights(here).values()
    ]
    trusted = [
        {
            "Role": {
                "AssumeRolePolicyDocument": sent({**policy, "Statement": policy["Statement"][0]})
            }
        }
        for policy in policies.trusts(here).values()
    ]
    world.pretend("GetRolePolicy", *kept)
    world.pretend("GetRole", *trusted)
    del world.asked[:]
    world.run("04_iam")
    assert not any(world.pretended.values())
    assert changes(world.asked) == []


def sent(policy: dict[str, Any]) -> str:
    """Return the policy as IAM sends it."""
    return quote(json.dumps(policy))


def bare(statement: dict[str, Any]) -> dict[str, Any]:
    """Return the statement with its lists turned around, and single members bare."""
    lists = {name: statement[name][::-1] for name in ("Action", "Resource")}
    return statement | {name: each if each[1:] else each[0] for name, each in lists.items()}
