"""Names: every accepted pipeline name gives names that AWS accepts in every region."""

import importlib.util
import os
import re
from types import ModuleType
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import NoRegionError
from botocore.model import Shape
from hypothesis import example, given
from hypothesis import strategies as st

from setup.columns import CDC_COLUMNS, COLUMNS
from tests.support.paths import PROJECT
from tests.support.service_model import violations
from transform import row

NAMES = PROJECT / "setup" / "names.py"
SESSION = boto3.Session()
REGIONS = sorted(
    {
        (partition, region)
        for partition in SESSION.get_available_partitions()
        for region in SESSION.get_available_regions("s3", partition)
    }
)
# For each name: the service, operation and member that constrain it.
MEMBERS = {
    "TABLE": ("dynamodb", "CreateTable", "TableName"),
    "STREAM": ("kinesis", "CreateStream", "StreamName"),
    "FUNCTION": ("lambda", "CreateFunction", "FunctionName"),
    "DELIVERY": ("firehose", "CreateDeliveryStream", "DeliveryStreamName"),
    "PIPE": ("pipes", "CreatePipe", "Name"),
    "DEAD_LETTERS": ("sqs", "CreateQueue", "QueueName"),
    "CRAWLER": ("glue", "CreateCrawler", "Name"),
    "WORKGROUP": ("athena", "CreateWorkGroup", "Name"),
    "ALARM_TOPIC": ("sns", "CreateTopic", "Name"),
    "MASKING_KEY": ("secretsmanager", "CreateSecret", "Name"),
    "FUNCTION_LOGS": ("logs", "CreateLogGroup", "logGroupName"),
    "DELIVERY_LOGS": ("logs", "CreateLogGroup", "logGroupName"),
    "FAILED_RECORDS": ("cloudwatch", "PutMetricAlarm", "MetricName"),
    "UNMET_EXPECTATIONS": ("cloudwatch", "PutMetricAlarm", "MetricName"),
    "PIPELINE": ("cloudwatch", "PutMetricAlarm", "Namespace"),
}


def member_shape(service: str, operation: str, member: str) -> Shape:
    """Return the shape of a parameter of an operation."""
    shape = SESSION._session.get_service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return shape.members[member]


SHAPES = {name: member_shape(*path) for name, path in MEMBERS.items()}


def load_names(**environment: str) -> ModuleType:
    """Import a fresh copy of the names in the environment."""
    system = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    spec = importlib.util.spec_from_file_location("fresh_names", NAMES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    environ = patch.dict(os.environ, system | environment, clear=True)
    with environ, patch.dict("sys.modules", {"fresh_names": module}):
        spec.loader.exec_module(module)
    return module


pipeline_names = st.from_regex(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", fullmatch=True).filter(
    lambda name: (
        3 <= len(name) <= 28
        and not name.startswith(("sthree-", "amzn-s3-"))
        and name not in ("primary", "default")
    )
)


@given(pipeline_names, st.sampled_from(REGIONS))
@example("default-primary", REGIONS[0])
@example("a" * 28, max(REGIONS, key=lambda pair: len(pair[1])))
def test_an_accepted_pipeline_has_valid_names(
    pipeline: str, partition_and_region: tuple[str, str]
) -> None:
    names = load_names(PIPELINE_NAME=pipeline)
    for name, shape in SHAPES.items():
        assert not list(violations(getattr(names, name), shape, name))
        assert pipeline in getattr(names, name) or name in ("FAILED_RECORDS", "UNMET_EXPECTATIONS")
    location = names.Location(*partition_and_region, "123456789012")
    assert re.fullmatch(
        r"(?!xn--|sthree-|amzn-s3-)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]", location.bucket()
    )
    services = ("pipe", "firehose", "lambda", "crawler")
    assert all(len(location.role_name(service)) <= 64 for service in services)
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
def test_an_invalid_pipeline_name_is_rejected(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        load_names(PIPELINE_NAME=name)
    assert exit_info.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("PIPELINE_NAME: expected 3 to 28 characters")
    assert repr(name) in message


@pytest.mark.parametrize(
    ("variable", "value", "is_valid"),
    [
        ("BUSINESS_TIME_ZONE", "Europe/Berlin", True),
        ("BUSINESS_TIME_ZONE", "America/Argentina/Buenos_Aires", True),
        ("BUSINESS_TIME_ZONE", "CET+1", False),
        ("WEEK_START", "7", True),
        ("WEEK_START", "0", False),
        ("FISCAL_YEAR_START", "12", True),
        ("FISCAL_YEAR_START", "13", False),
    ],
)
def test_business_time_is_validated(
    variable: str, value: str, is_valid: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if is_valid:
        assert getattr(load_names(**{variable: value}), variable) == value
        return
    with pytest.raises(SystemExit) as exit_info:
        load_names(**{variable: value})
    assert exit_info.value.code == 2
    assert capsys.readouterr().err.startswith(f"{variable}: expected ")


@pytest.mark.parametrize("name", ["arn:aws:dynamodb:us-east-1:1:table/x", "ab", "a" * 256, "ab\n"])
def test_an_invalid_table_name_is_rejected(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        load_names(TABLE_NAME=name)
    assert exit_info.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith(
        "TABLE_NAME: expected 3 to 255 characters a-z, A-Z, 0-9, '_', '.' and '-'"
    )
    assert repr(name) in message


@pytest.mark.parametrize("paths", ["seenby", ("seenBy",), ("customer.visits",), (("a", "b"),)])
def test_invalid_json_paths_are_rejected(paths: object, capsys: pytest.CaptureFixture[str]) -> None:
    names = load_names()
    names._check_json_paths(("seenby", "customer__visits", "x_1st_5376f47d7224bd0d_"))
    with pytest.raises(SystemExit) as exit_info:
        names._check_json_paths(paths)
    assert exit_info.value.code == 2
    assert capsys.readouterr().err == (
        f"JSON_PATHS: expected names of columns, as in ('customer__visits',), found {paths!r}\n"
    )


def test_a_table_of_another_name_is_adopted() -> None:
    assert not load_names().TABLE_IS_ADOPTED
    assert load_names(TABLE_NAME="Orders").TABLE_IS_ADOPTED
    assert not load_names(PIPELINE_NAME="shop", TABLE_NAME="shop-orders").TABLE_IS_ADOPTED


@pytest.mark.parametrize("boto3_region", [{}, {"AWS_DEFAULT_REGION": "us-east-1"}])
def test_a_different_aws_region_is_rejected(
    boto3_region: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        load_names(AWS_REGION="eu-west-1", AWS_CONFIG_FILE=os.devnull, **boto3_region)
    assert exit_info.value.code == 2
    assert "export AWS_DEFAULT_REGION=eu-west-1" in capsys.readouterr().err


def test_an_equal_aws_region_is_accepted() -> None:
    load_names(AWS_REGION="eu-west-1", AWS_DEFAULT_REGION="eu-west-1")


def test_a_missing_region_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(NoRegionError):
        load_names().region()


@pytest.mark.parametrize(
    ("region", "partition", "host"),
    [
        ("us-east-1", "aws", "kinesis.us-east-1.amazonaws.com"),
        ("cn-north-1", "aws-cn", "kinesis.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "aws-us-gov", "kinesis.us-gov-west-1.amazonaws.com"),
    ],
)
def test_arns_have_the_partition_of_the_region(region: str, partition: str, host: str) -> None:
    names = load_names()
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


def test_columns_are_valid() -> None:
    assert tuple(CDC_COLUMNS) == row.CDC_COLUMNS
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in COLUMNS)
    assert "dt" not in COLUMNS
    assert "gift_note" not in COLUMNS


def test_no_prefix_contains_another() -> None:
    names = load_names()
    folders = (names.LAKE, names.ERRORS, names.REPLAYED, names.QUERIES)
    assert not [a for a in folders for b in folders if a != b and a.startswith(b)]
    assert all(folder.endswith("/") for folder in folders)
