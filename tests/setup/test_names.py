"""Names: any pipeline that is accepted has only names that AWS accepts, anywhere."""

import importlib.util
import os
import re
from types import ModuleType
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import NoRegionError
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.paths import PROJECT
from tests.support.service_model import violations

NAMES = PROJECT / "setup" / "names.py"
SESSION = boto3.Session()
REGIONS = sorted(
    {
        (partition, region)
        for partition in SESSION.get_available_partitions()
        for region in SESSION.get_available_regions("s3", partition)
    }
)
# Where AWS takes each name: service, operation, member.
PLACES = {
    "TABLE": ("dynamodb", "CreateTable", "TableName"),
    "STREAM": ("kinesis", "CreateStream", "StreamName"),
    "FUNCTION": ("lambda", "CreateFunction", "FunctionName"),
    "DELIVERY": ("firehose", "CreateDeliveryStream", "DeliveryStreamName"),
    "PIPE": ("pipes", "CreatePipe", "Name"),
    "DEAD_LETTERS": ("sqs", "CreateQueue", "QueueName"),
    "CRAWLER": ("glue", "CreateCrawler", "Name"),
    "WORKGROUP": ("athena", "CreateWorkGroup", "Name"),
    "ALARM_TOPIC": ("sns", "CreateTopic", "Name"),
    "FUNCTION_LOGS": ("logs", "CreateLogGroup", "logGroupName"),
    "DELIVERY_LOGS": ("logs", "CreateLogGroup", "logGroupName"),
    "FAILED_RECORDS": ("cloudwatch", "PutMetricAlarm", "MetricName"),
    "PIPELINE": ("cloudwatch", "PutMetricAlarm", "Namespace"),
}
SHAPES = {
    name: SESSION._session.get_service_model(service)
    .operation_model(operation)
    .input_shape.members[member]
    for name, (service, operation, member) in PLACES.items()
}


def loaded(**environment: str) -> ModuleType:
    """Return a fresh copy of the names, made in this environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    spec = importlib.util.spec_from_file_location("names_afresh", NAMES)
    module = importlib.util.module_from_spec(spec)
    environ = patch.dict(os.environ, kept | environment, clear=True)
    with environ, patch.dict("sys.modules", {"names_afresh": module}):
        spec.loader.exec_module(module)
    return module


pipelines = st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fullmatch=True).filter(
    lambda name: (
        3 <= len(name) <= 28
        and not name.startswith(("sthree-", "amzn-s3-"))
        and name not in ("primary", "default")
    )
)


@given(pipelines, st.sampled_from(REGIONS))
@example("default-primary", REGIONS[0])
@example("a" * 28, max(REGIONS, key=lambda location: len(location[1])))
def test_every_name_of_an_accepted_pipeline_is_legal(pipeline: str, where: tuple[str, str]) -> None:
    names = loaded(PIPELINE_NAME=pipeline)
    for name, shape in SHAPES.items():
        assert not list(violations(getattr(names, name), shape, name))
        assert pipeline in getattr(names, name) or name == "FAILED_RECORDS"
    location = names.Location(*where, "123456789012")
    assert re.fullmatch(
        r"(?!xn--|sthree-|amzn-s3-)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", location.bucket()
    )
    assert max(len(location.role_name(each)) for each in ("pipe", "firehose", "crawler")) <= 64
    assert re.fullmatch(r"[a-z][a-z0-9_]*", names.DATABASE)


@pytest.mark.parametrize(
    "name",
    [
        "ab",
        "a" * 29,
        "Sales",
        "1st",
        "-cdc",
        "cdc-",
        "a--b",
        "a_b",
        "a.b",
        "sthree-x",
        "primary",
        "default",
        "a b",
        "ab\n",
    ],
)
def test_a_bad_pipeline_name_is_refused_with_the_rule(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        loaded(PIPELINE_NAME=name)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("PIPELINE_NAME: expected 3 to 28 characters")
    assert repr(name) in told


@pytest.mark.parametrize("name", ["arn:aws:dynamodb:us-east-1:1:table/x", "ab", "a" * 256, "ab\n"])
def test_a_bad_table_name_is_refused_with_the_rule(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        loaded(TABLE_NAME=name)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "TABLE_NAME: expected 3 to 255 characters a-z, A-Z, 0-9, '_', '.' and '-'"
    )
    assert repr(name) in told


def test_a_table_of_another_name_is_adopted() -> None:
    assert not loaded().TABLE_IS_ADOPTED
    assert loaded(TABLE_NAME="Orders").TABLE_IS_ADOPTED
    assert not loaded(PIPELINE_NAME="shop", TABLE_NAME="shop-orders").TABLE_IS_ADOPTED


@pytest.mark.parametrize("used", [{}, {"AWS_DEFAULT_REGION": "us-east-1"}])
def test_an_aws_region_that_boto3_would_not_obey_is_refused(
    used: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        loaded(AWS_REGION="eu-west-1", AWS_CONFIG_FILE=os.devnull, **used)
    assert ended.value.code == 2
    assert "export AWS_DEFAULT_REGION=eu-west-1" in capsys.readouterr().err


def test_an_aws_region_that_says_the_same_is_no_matter() -> None:
    loaded(AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="eu-west-1")


def test_without_a_region_there_is_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(NoRegionError):
        loaded().region()


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("us-east-1", "aws", "kinesis.us-east-1.amazonaws.com"),
        ("cn-north-1", "aws-cn", "kinesis.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "kinesis.us-gov-west-1.amazonaws.com"),
    ],
)
def test_arns_carry_the_partition_of_the_region(region: str, partition: str, host: str) -> None:
    names = loaded()
    location = names.Location(
        boto3.Session().get_partition_for_region(region), region, "123456789012"
    )
    assert (
        location.arn("kinesis", "stream/s")
        == f"arn:{partition}:kinesis:{region}:123456789012:stream/s"
    )
    assert (
        location.role_arn("pipe")
        == f"arn:{partition}:iam::123456789012:role/sales-cdc-pipe-{region}"
    )
    assert location.bucket_arn("lake/*").startswith(f"arn:{partition}:s3:::sales-cdc-lake-")
    assert location.service_host("kinesis") == host


def test_columns_are_named_once_and_as_the_transform_names_them() -> None:
    columns = loaded().COLUMNS
    assert len(set(columns)) == len(columns)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in columns)
    assert "dt" not in columns
    assert "gift_note" not in columns


def test_no_folder_of_the_bucket_lies_in_another() -> None:
    names = loaded()
    folders = (names.LAKE, names.ERRORS, names.REPLAYED, names.QUERIES)
    assert not [a for a in folders for b in folders if a != b and a.startswith(b)]
    assert all(folder.endswith("/") for folder in folders)
