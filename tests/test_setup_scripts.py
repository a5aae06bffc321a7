"""The setup scripts on the laptop cloud: what they ask of AWS, once, again, and to undo it."""

import gzip
import io
import json
import sys
import threading
import zipfile
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest

from local.cloud import Cloud
from local.environment import exports
from local.parts import PARTS
from tests.service_model import violations

SETUP = Path(__file__).resolve().parent.parent / "setup"
sys.path.insert(0, str(SETUP))

names, teardown, waiting = map(import_module, ("names", "teardown", "waiting"))
Refusal = waiting.Refusal

SCRIPTS = tuple(sorted(path.stem for path in SETUP.glob("[0-9][0-9]_*.py")))
# What may be repeated: it asks, or says what shall be, or replaces a view by itself.
HARMLESS = ("Describe", "Get", "List", "Head", "Put", "SetQueue", "AddTags", "StartQuery")
ANALYSED = ("03_s3", "04_iam", "10_glue", "11_athena")
SESSION = boto3.Session()  # One for all tests: it keeps the service models that it has read.
QUESTION = "-- How many changes there are.\nSELECT count(*) FROM order_changes\n"


@dataclass
class World:
    """The laptop cloud as the scripts meet it; what they wait for comes while they wait."""

    cloud: Cloud
    asked: list[tuple[str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    passed: float = 0.0
    stepping: bool = False
    clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str, **options: Any) -> Any:
        """Return a client; those of the scripts are kept, since each takes long to make."""
        if self.is_cloud():
            return SESSION.client(service, **options)
        if service not in self.clients:
            self.clients[service] = SESSION.client(service)
        return self.clients[service]

    def is_cloud(self) -> bool:
        """Return whether it is the cloud that acts at the moment, and not a script."""
        return self.stepping or threading.current_thread() is not threading.main_thread()

    def monotonic(self) -> float:
        """Return a time that only waiting lets pass."""
        return self.passed

    def sleep(self, seconds: float) -> None:
        """Let the cloud work instead of waiting for it."""
        self.passed += seconds
        self.stepping = True
        self.cloud.step()
        self.stepping = False

    def record(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """Check a request of the scripts, not of the cloud itself, against the service's model."""
        if self.is_cloud():
            return
        service = model.service_model.service_name
        self.asked.append((service, model.name))
        found = violations(params, model.input_shape) if model.input_shape else ()
        self.broken += [f"{service}.{model.name}{each}" for each in found]

    def run(self, *scripts: str) -> list[str]:
        """Run the scripts, or all, and return their lines."""
        return [import_module(script).create() for script in scripts or SCRIPTS]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[World]:
    cloud = Cloud(PARTS)
    urlopen(Request(f"{cloud.endpoint}/moto-api/reset", method="POST")).close()
    for name, value in exports(cloud.endpoint, {}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", SESSION)
    for cached in (names.account, names.place):
        cached.cache_clear()
    made = World(cloud)
    SESSION.events.register("before-parameter-build", made.record)
    monkeypatch.setattr(boto3, "client", made.client)
    monkeypatch.setattr(waiting, "time", made)
    monkeypatch.setattr(import_module("11_athena"), "ANALYTICS", analytics(tmp_path))
    yield made
    SESSION.events.unregister("before-parameter-build", made.record)
    cloud.close()


def analytics(folder: Path) -> Path:
    """Return a folder with small views and a question in place of the real ones."""
    for name in ("views", "questions"):
        (folder / name).mkdir()
    first, *others = names.VIEWS
    view = "CREATE OR REPLACE VIEW {} AS SELECT order_id FROM {}"
    (folder / "views" / f"{first}.sql").write_text(view.format(first, names.CHANGES))
    for other in others:
        (folder / "views" / f"{other}.sql").write_text(view.format(other, first))
    (folder / "questions" / "how_many.sql").write_text(QUESTION)
    return folder


def removed(delete_data: bool) -> str:
    """Take the pipeline down and return the last line."""
    return teardown.remove(Namespace(yes=True, delete_data=delete_data))


def inventory() -> Counter[str]:
    """Return how many resources there are of each kind that setup makes."""
    client = boto3.client
    return Counter(
        tables=len(client("dynamodb").list_tables()["TableNames"]),
        streams=len(client("kinesis").list_streams()["StreamNames"]),
        buckets=len(client("s3").list_buckets()["Buckets"]),
        roles=len(client("iam").list_roles()["Roles"]),
        functions=len(client("lambda").list_functions()["Functions"]),
        logs=len(client("logs").describe_log_groups()["logGroups"]),
        filters=len(client("logs").describe_metric_filters()["metricFilters"]),
        deliveries=len(client("firehose").list_delivery_streams()["DeliveryStreamNames"]),
        pipes=len(client("pipes").list_pipes()["Pipes"]),
        queues=len(client("sqs").list_queues().get("QueueUrls", [])),
        alarms=len(client("cloudwatch").describe_alarms()["MetricAlarms"]),
        topics=len(client("sns").list_topics()["Topics"]),
        databases=len(client("glue").get_databases()["DatabaseList"]),
        crawlers=len(client("glue").list_crawlers()["CrawlerNames"]),
        workgroups=len(client("athena").list_work_groups()["WorkGroups"]),
    )


def test_every_request_is_valid_a_second_run_changes_nothing_and_teardown_leaves_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = inventory()
    monkeypatch.setenv("ALARM_EMAIL", "orders@example.com")
    assert len(world.run()) == len(SCRIPTS) == 11
    made = len(world.asked)
    world.run()
    again = world.asked[made:]
    assert [each for each in again if not each[1].startswith(HARMLESS)] == []
    s3 = boto3.client("s3")
    s3.put_object(Bucket=names.bucket(), Key="lake/dt=2026-11-23/a")
    s3.delete_object(Bucket=names.bucket(), Key="lake/dt=2026-11-23/a")
    for _ in range(2):
        removed(delete_data=True)
        assert inventory() == before
    assert world.broken == []


def test_the_pipeline_can_live_in_another_region(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    before = inventory()
    world.run()
    where = boto3.client("s3").get_bucket_location(Bucket=names.bucket())
    assert where["LocationConstraint"] == "eu-central-1"
    removed(delete_data=True)
    assert inventory() == before
    assert world.broken == []


@pytest.mark.parametrize("last", [4, 7])
def test_teardown_clears_up_after_a_setup_that_was_never_finished(world: World, last: int) -> None:
    before = inventory()
    world.run(*SCRIPTS[:last])
    removed(delete_data=True)
    assert inventory() == before


def test_teardown_keeps_the_data_unless_told(world: World) -> None:
    before = inventory()
    world.run(*SCRIPTS[:8])
    assert "are kept" in removed(delete_data=False)
    assert inventory() - before == Counter(tables=1, buckets=1)
    world.run("01_dynamodb", "03_s3")  # The pipeline can be built again over them.


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
    world.cloud.settle()
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
    delivery = import_module("06_firehose").active(clients["firehose"])
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


def configuration() -> dict[str, Any]:
    """Return of each thing what the test above changes, as AWS describes it."""
    function = {"FunctionName": names.FUNCTION}
    delivery = import_module("06_firehose").active(boto3.client("firehose"))
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

    delivery = import_module("06_firehose").active(boto3.client("firehose"))
    written = delivery["Destinations"][0]["ExtendedS3DestinationDescription"]
    assert written["DynamicPartitioningConfiguration"]["Enabled"] is True
    assert written["ProcessingConfiguration"]["Enabled"] is True
    assert 64 <= written["BufferingHints"]["SizeInMBs"] <= 128
    assert 60 <= written["BufferingHints"]["IntervalInSeconds"] <= 900
    assert written["Prefix"] == "lake/dt=!{partitionKeyFromLambda:dt}/"
    assert "!{firehose:error-output-type}/" in written["ErrorOutputPrefix"]
    [processor] = written["ProcessingConfiguration"]["Processors"]
    told = {each["ParameterName"]: each["ParameterValue"] for each in processor["Parameters"]}
    assert told["LambdaArn"].endswith(f":function:{names.FUNCTION}:$LATEST")
    assert float(told["BufferSizeInMBs"]) <= 1

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
    with pytest.raises(Refusal, match="has no tag"):
        removed(delete_data=True)


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
    script = import_module("06_firehose")
    world.run(*SCRIPTS[:6])
    client = boto3.client("firehose")
    found = script.active(client)
    written = found["Destinations"][0]["ExtendedS3DestinationDescription"]
    written["DynamicPartitioningConfiguration"] = {"Enabled": False}
    with pytest.raises(Refusal, match="delete-delivery-stream"):
        script.update(client, found)


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


def test_firehose_gets_the_time_to_write_what_it_took(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    draining = import_module("draining")
    world.run("02_kinesis")
    kinesis = boto3.client("kinesis")
    assert not draining.moves(kinesis)
    kinesis.put_record(StreamName=names.STREAM, Data=b"{}", PartitionKey="a")
    assert draining.moves(kinesis)
    monkeypatch.setattr(draining, "QUIET", -timedelta(seconds=5))
    assert "is quiet" in draining.drained()


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
