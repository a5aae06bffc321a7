"""The setup scripts on the laptop cloud: what they make, and make again, and what they refuse."""

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.setup_world import (
    QUESTION,
    SCRIPTS,
    Refusal,
    World,
    a_world,
    changes,
    inventory,
    names,
    removed,
)

ANALYSED = ("03_s3", "04_iam", "10_glue", "11_athena")


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
    with pytest.raises(Refusal, match=rf"is missing: run python setup/{first}\.py"):
        world.run(script)
    assert inventory().total() - inventory()["workgroups"] == 0


def test_the_pipe_is_made_stopped_and_started_only_when_firehose_reads(world: World) -> None:
    world.run(*SCRIPTS[:7])
    assert pipe_state() == "STOPPED"
    boto3.client("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
    with pytest.raises(Refusal, match=r"run python setup/06_firehose\.py"):
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
    world.settle()
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


# What AWS says of a thing just made, or just deleted, that it does not know everywhere yet.
BEHIND = {
    "CreateBucket": ("OperationAborted", "A conflicting conditional operation is in progress"),
    "CreateFunction": ("InvalidParameterValueException", "The role cannot be assumed by Lambda."),
    "CreateDeliveryStream": ("InvalidArgumentException", "Firehose is unable to assume role r."),
    "CreateQueue": ("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue"),
    "CreatePipe": ("ValidationException", "The role does not have permissions for s."),
    "CreateCrawler": ("InvalidInputException", "Service is unable to assume provided role."),
    "UpdateContinuousBackups": ("ContinuousBackupsUnavailable", "Backups are being enabled for t."),
}


def test_every_script_waits_while_aws_is_behind(world: World) -> None:
    for operation, (code, text) in BEHIND.items():
        world.pretend(operation, *[{"Error": {"Code": code, "Message": text}}] * 3)
    world.run(*SCRIPTS[:10])
    assert not any(world.pretended.values())
    for operation in BEHIND:
        assert [name for _, name in world.asked].count(operation) == 4


# Of each thing that AWS is long busy with: how it is asked, and where its state stands.
BUSY = {
    "DescribeTable": ("Table", "TableStatus"),
    "DescribeStreamSummary": ("StreamDescriptionSummary", "StreamStatus"),
    "DescribeDeliveryStream": ("DeliveryStreamDescription", "DeliveryStreamStatus"),
    "DescribePipe": ("CurrentState",),
}


def described_as(operation: str, state: str) -> dict[str, Any]:
    """Return an answer of which nothing but the state matters."""
    answer: Any = state
    for member in reversed(BUSY[operation]):
        answer = {member: answer}
    return answer


def test_what_is_being_deleted_is_waited_for_and_made_again(world: World) -> None:
    for operation in BUSY:
        world.pretend(operation, *[described_as(operation, "DELETING")] * 3)
    world.run("01_dynamodb", *SCRIPTS[2:5])
    assert world.pretended.pop("DescribeTable") == []
    world.run("02_kinesis", "06_firehose", "07_pipe")
    assert not any(world.pretended.values())
    made = {"CreateTable", "CreateStream", "CreateDeliveryStream", "CreatePipe"}
    assert made <= {operation for _, operation in world.asked}
    assert world.passed < 60
    busy_things_are_waited_for(world)


def busy_things_are_waited_for(world: World) -> None:
    """What AWS is still making or changing is neither made again nor changed meanwhile."""
    function = {"State": "Pending"}, {"State": "Active", "LastUpdateStatus": "InProgress"}
    for operation in BUSY:
        world.pretend(operation, *[described_as(operation, state) for state in STATES[operation]])
    world.pretend("GetFunctionConfiguration", *function)
    del world.asked[:]
    world.run(*SCRIPTS[:2], *SCRIPTS[4:7])
    assert not any(world.pretended.values())
    assert changes(world.asked) == []


STATES = dict.fromkeys(BUSY, ("CREATING", "UPDATING")) | {"DescribeDeliveryStream": ("CREATING",)}


@pytest.mark.parametrize(
    ("state", "update"), [({"State": "Failed"}, 1), ({"LastUpdateStatus": "Failed"}, 1), ({}, 0)]
)
def test_a_function_whose_last_change_failed_is_changed_again(
    world: World, state: dict[str, str], update: int
) -> None:
    world.run("04_iam", "05_lambda")
    world.pretend("GetFunctionConfiguration", state)
    del world.asked[:]
    world.run("05_lambda")
    assert world.asked.count(("lambda", "UpdateFunctionConfiguration")) == update


def test_a_pipe_whose_last_update_failed_is_updated_again(world: World) -> None:
    world.run(*SCRIPTS[:7])
    found = boto3.client("pipes").describe_pipe(Name=names.PIPE)
    world.pretend("DescribePipe", *[found | {"CurrentState": "UPDATE_FAILED"}] * 2)
    del world.asked[:]
    assert world.run("07_pipe")[0].endswith("is STOPPED")
    assert changes(world.asked) == [("pipes", "UpdatePipe")]


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
        RoleArn=names.role("pipe"),
        SourceParameters={"DynamoDBStreamParameters": {"BatchSize": 7}},
    )
    clients["glue"].update_crawler(
        Name=names.CRAWLER, SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    )
    assert not [each for each in configuration().items() if each in wanted.items()]
    world.run("05_lambda", "06_firehose", "07_pipe", "10_glue")
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
    monkeypatch.setattr(import_module("05_lambda"), "archive", lambda: NEWER)
    [second] = world.run("05_lambda")
    assert first != second


def zipped(text: str) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as code:
        code.writestr("lambda_function.py", text)
    return written.getvalue()


NEWER = zipped("def lambda_handler(event, context): return event")


def test_columns_that_a_crawler_added_survive_and_every_column_stays_text(world: World) -> None:
    world.run("03_s3", "04_iam", "10_glue")
    glue = boto3.client("glue")
    table = glue.get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
    descriptor = table["StorageDescriptor"]
    descriptor["Columns"] = [
        {"Name": "gift_note", "Type": "string", "Comment": "found"},
        {"Name": "total", "Type": "double"},
    ]
    changed = {"Name": names.CHANGES, "StorageDescriptor": descriptor, "TableType": "OTHER"}
    changed["Parameters"] = {"UPDATED_BY_CRAWLER": names.CRAWLER, "projection.enabled": "false"}
    glue.update_table(DatabaseName=names.DATABASE, TableInput=changed)
    world.run("10_glue")
    table = glue.get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
    columns = {each["Name"]: each for each in table["StorageDescriptor"]["Columns"]}
    assert set(columns) == {"gift_note", *names.COLUMNS}
    assert columns["gift_note"]["Comment"] == "found"
    assert {each["Type"] for each in columns.values()} == {"string"}
    assert table["Parameters"]["projection.enabled"] == "true"
    assert table["Parameters"]["UPDATED_BY_CRAWLER"] == names.CRAWLER


def test_a_crawl_succeeds_and_finds_a_table_that_it_spoiled(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run("03_s3", "04_iam", "10_glue")
    crawl = import_module("crawl")
    assert crawl.crawl() == "crawl succeeded: table changes has all columns"
    table = crawl.table(boto3.client("glue"))
    del table["Parameters"]["projection.enabled"]
    with pytest.raises(Refusal, match=r"changed Parameters of table changes: run .*10_glue"):
        crawl.check(table)


def test_a_crawl_tells_of_days_that_athena_would_not_see(world: World) -> None:
    world.run("03_s3", "04_iam", "10_glue")
    boto3.client("s3").put_object(Bucket=names.bucket(), Key="lake/dt=2016-11-18/a.gz", Body=b"")
    with pytest.raises(Refusal, match="set FIRST_DAY"):
        import_module("crawl").crawl()


def test_named_queries_are_updated_and_the_users_own_left_alone(world: World) -> None:
    world.run(*ANALYSED)
    athena = boto3.client("athena")
    common = {"Database": names.DATABASE, "WorkGroup": names.WORKGROUP}
    athena.create_named_query(Name="mine", QueryString="SELECT 1", **common)
    folder = import_module("11_athena").ANALYTICS / "questions"
    (folder / "how_many.sql").write_text(QUESTION.replace("*", "1"))
    world.run("11_athena")
    ids = athena.list_named_queries(WorkGroup=names.WORKGROUP)["NamedQueryIds"]
    saved = [athena.get_named_query(NamedQueryId=found)["NamedQuery"] for found in ids]
    assert sorted((query["Name"], query["QueryString"]) for query in saved) == [
        ("how_many", QUESTION.replace("*", "1")),
        ("mine", "SELECT 1"),
    ]
    described = {query["Name"]: query.get("Description") for query in saved}
    assert described["how_many"] == "How many changes there are."


def test_a_view_that_athena_refuses_is_named_with_the_reason(world: World) -> None:
    world.run(*ANALYSED[:-1])
    views = import_module("11_athena").ANALYTICS / "views"
    (views / "orders.sql").write_text("CREATE OR REPLACE VIEW orders AS SELECT nothing FROM lost")
    with pytest.raises(Refusal, match=r"view orders: expected SUCCEEDED, found FAILED: .+"):
        world.run("11_athena")


def test_a_stream_of_another_view_type_is_refused_with_the_way_out(world: World) -> None:
    boto3.client("dynamodb").create_table(
        TableName=names.TABLE,
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"},
    )
    with pytest.raises(Refusal, match="expected a stream of NEW_AND_OLD_IMAGES, found KEYS_ONLY"):
        world.run("01_dynamodb")


def test_a_pipe_on_a_stream_that_was_replaced_is_refused_with_the_way_out(world: World) -> None:
    world.run(*SCRIPTS[:7])
    dynamodb = boto3.client("dynamodb")
    off = {"StreamEnabled": False}
    dynamodb.update_table(TableName=names.TABLE, StreamSpecification=off)
    world.run("01_dynamodb")
    with pytest.raises(Refusal, match="aws pipes delete-pipe"):
        world.run("07_pipe")
    boto3.client("pipes").delete_pipe(Name=names.PIPE)
    world.run("07_pipe")


def test_a_firehose_stream_without_partitions_is_refused_with_the_way_out(world: World) -> None:
    world.run(*SCRIPTS[:5])
    source = names.arn("kinesis", f"stream/{names.STREAM}"), names.role("firehose")
    boto3.client("firehose").create_delivery_stream(
        DeliveryStreamName=names.DELIVERY,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration=dict(
            zip(("KinesisStreamARN", "RoleARN"), source, strict=True)
        ),
        ExtendedS3DestinationConfiguration={
            "RoleARN": source[1],
            "BucketARN": names.place().in_bucket(),
        },
    )
    with pytest.raises(
        Refusal, match=r"cannot be changed: run aws pipes stop-pipe .*delete-delivery-stream"
    ):
        world.run("06_firehose")


def test_a_pipe_that_could_not_be_made_is_made_once_its_role_can_read(world: World) -> None:
    world.run(*SCRIPTS[:6])
    iam, role = boto3.client("iam"), names.place().role_name("pipe")
    allowed = iam.get_role_policy(RoleName=role, PolicyName=names.PIPELINE)["PolicyDocument"]
    iam.delete_role_policy(RoleName=role, PolicyName=names.PIPELINE)
    with pytest.raises(Refusal, match=r"CREATE_FAILED: .*Cannot access stream"):
        world.run("07_pipe")
    assert 120 <= world.passed < 300
    iam.put_role_policy(
        RoleName=role, PolicyName=names.PIPELINE, PolicyDocument=json.dumps(allowed)
    )
    world.run("07_pipe")
    assert pipe_state() == "STOPPED"


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


def test_a_firehose_stream_that_could_not_be_made_is_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.run(*SCRIPTS[:6])
    script, now = import_module("06_firehose"), import_module("finding").delivery_state
    states = iter(["CREATING", "CREATING_FAILED: no key"])
    monkeypatch.setattr(script, "delivery_state", lambda: next(states, None) or now())
    del world.asked[:]
    world.run("06_firehose")
    assert ("firehose", "DeleteDeliveryStream") in world.asked
    assert ("firehose", "CreateDeliveryStream") in world.asked
    assert now() == "ACTIVE"


@pytest.mark.parametrize("marked", ["CREATING_FAILED: no key", "CREATING"])
def test_a_pipe_is_never_started_before_firehose_reads(
    world: World, monkeypatch: pytest.MonkeyPatch, marked: str
) -> None:
    monkeypatch.setattr(import_module("08_start_pipe"), "delivery_state", lambda: marked)
    with pytest.raises(Refusal, match=f"is {marked}: run python setup/06_firehose"):
        world.run("08_start_pipe")


def test_orders_that_expire_by_another_attribute_are_refused_with_the_way_out(world: World) -> None:
    world.run("01_dynamodb")
    dynamodb = boto3.client("dynamodb")
    for enabled, name in ((False, names.TTL_ATTRIBUTE), (True, "ends_at")):
        dynamodb.update_time_to_live(
            TableName=names.TABLE,
            TimeToLiveSpecification={"Enabled": enabled, "AttributeName": name},
        )
    with pytest.raises(Refusal, match="expected orders to expire by expires_at, found ends_at"):
        world.run("01_dynamodb")


def test_the_users_own_tags_of_the_bucket_survive(world: World) -> None:
    world.run("03_s3")
    s3, mine = boto3.client("s3"), {"Key": "team", "Value": "sales"}
    s3.put_bucket_tagging(Bucket=names.bucket(), Tagging={"TagSet": [mine]})
    world.run("03_s3")
    tags = s3.get_bucket_tagging(Bucket=names.bucket())["TagSet"]
    assert mine in tags
    assert names.TAG_LIST[0] in tags


def test_a_view_is_made_again_when_its_statement_changed_or_somebody_replaced_it(
    world: World,
) -> None:
    world.run(*ANALYSED)
    view = {"DatabaseName": names.DATABASE, "Name": "orders"}
    parameters = boto3.client("glue").get_table(**view)["Table"]["Parameters"]
    assert parameters["presto_view"] == "true"  # What Athena set is still there.
    path = import_module("11_athena").ANALYTICS / "views" / "orders.sql"
    path.write_text("CREATE OR REPLACE VIEW orders AS SELECT order_id, status FROM changes")
    world.run("11_athena")
    columns = boto3.client("glue").get_table(**view)["Table"]["StorageDescriptor"]["Columns"]
    assert [column["Name"] for column in columns] == ["order_id", "status"]
    boto3.client("athena").start_query_execution(
        QueryString="CREATE OR REPLACE VIEW orders AS SELECT 1 AS one",
        QueryExecutionContext={"Database": names.DATABASE, "Catalog": "AwsDataCatalog"},
        WorkGroup=names.WORKGROUP,
    )
    world.settle()
    world.run("11_athena")
    assert (
        boto3.client("glue").get_table(**view)["Table"]["StorageDescriptor"]["Columns"] == columns
    )
