"""The request checker knows every kind of rule in AWS's service models."""

from typing import Any

import boto3
import pytest
from botocore.model import ShapeResolver

from tests.support.service_model import violations

SESSION = boto3.Session()._session
ALARM = {"AlarmName": "a", "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold"}
POLICY = {"RoleName": "r", "PolicyName": "p", "PolicyDocument": "{}"}
SOURCE_PARAMETERS = {"StartingPosition": "TRIM_HORIZON", "BatchSize": 500}
PIPE = {
    "Name": "p",
    "Source": "arn:aws:dynamodb:us-east-1:123456789012:table/t",
    "RoleArn": "arn:aws:iam::123456789012:role/r",
    "Target": "arn:aws:kinesis:us-east-1:123456789012:stream/s",
}


def find_violations(service: str, operation: str, request: dict[str, Any]) -> str:
    """Return the violations of a request as one text."""
    shape = SESSION.get_service_model(service).operation_model(operation).input_shape
    assert shape is not None
    return "; ".join(violations(request, shape))


def create_pipe_request(**parameters: object) -> dict[str, Any]:
    """Return a request to create a pipe with some source parameters changed."""
    source_parameters = {"DynamoDBStreamParameters": SOURCE_PARAMETERS | parameters}
    return PIPE | {"SourceParameters": source_parameters}


def test_a_valid_request_has_no_violations() -> None:
    assert find_violations("pipes", "CreatePipe", create_pipe_request()) == ""
    assert find_violations("cloudwatch", "PutMetricAlarm", ALARM) == ""
    assert find_violations("iam", "PutRolePolicy", POLICY) == ""


@pytest.mark.parametrize(
    ("service", "operation", "request_", "violation"),
    [
        ("kinesis", "AddTagsToStream", {}, ".Tags: required"),
        ("sqs", "CreateQueue", {"QueueName": 7}, "QueueName: expected string, found int"),
        ("sqs", "CreateQueue", {"QueueName": "q", "Colour": "red"}, "Colour: unknown"),
        ("sqs", "CreateQueue", {"QueueName": "q", "tags": {"a": 1}}, "tags.a: expected string"),
        (
            "cloudwatch",
            "PutMetricAlarm",
            ALARM | {"Threshold": True},
            "expected double, found bool",
        ),
        ("cloudwatch", "PutMetricAlarm", ALARM | {"EvaluationPeriods": 0}, "expected at least 1"),
        ("cloudwatch", "PutMetricAlarm", ALARM | {"AlarmName": "a" * 256}, "at most 255"),
        ("cloudwatch", "PutMetricAlarm", ALARM | {"Statistic": "Mean"}, "expected one of"),
        ("cloudwatch", "PutMetricAlarm", ALARM | {"Dimensions": [{}] * 31}, "at most 30, found 31"),
        (
            "cloudwatch",
            "PutMetricAlarm",
            ALARM | {"Dimensions": [{"Name": "a"}]},
            "[0].Value: requ",
        ),
        ("iam", "PutRolePolicy", POLICY | {"RoleName": "a b"}, "RoleName: expected [\\w+=,.@-]+"),
        ("iam", "PutRolePolicy", POLICY | {"PolicyDocument": ""}, "expected at least 1, found 0"),
        (
            "pipes",
            "CreatePipe",
            create_pipe_request(BatchSize=10_001),
            "expected at most 10000, found 10001",
        ),
        (
            "pipes",
            "CreatePipe",
            create_pipe_request(StartingPosition="NOW"),
            "StartingPosition: expected one",
        ),
        (
            "pipes",
            "CreatePipe",
            create_pipe_request() | {"Tags": {}},
            ".Tags: expected at least 1, found 0",
        ),
        ("s3", "PutBucketVersioning", {"Bucket": "b"}, ".VersioningConfiguration: required"),
        ("logs", "CreateLogGroup", {"logGroupName": "a b"}, "logGroupName: expected"),
        ("sns", "CreateTopic", {"Name": "t", "Tags": [{"Key": "", "Value": ""}]}, "at least 1"),
        ("lambda", "GetFunction", {"FunctionName": "f", "Qualifier": ""}, "at least 1"),
    ],
)
def test_a_violated_rule_is_reported(
    service: str, operation: str, request_: dict[str, Any], violation: str
) -> None:
    assert violation in find_violations(service, operation, request_)


def test_a_union_has_exactly_one_member() -> None:
    # A model as AWS writes it: botocore's stubs expect parsed shapes.
    model: Any = {
        "Union": {
            "type": "structure",
            "union": True,
            "members": {"A": {"shape": "Text"}, "B": {"shape": "Text"}},
        },
        "Text": {"type": "string"},
    }
    shape = ShapeResolver(model).get_shape_by_name("Union")
    assert list(violations({"A": "a"}, shape)) == []
    assert list(violations({"A": "a", "B": "b"}, shape)) == [
        ": expected exactly one member, found ['A', 'B']"
    ]
