"""Every request of a pipeline's lifetime: valid, not repeated without need, and allowed."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import boto3
import pytest
from botocore import xform_name

from setup import deployer_policy, names, operator_policy
from setup.lib import iam_policies
from setup.lib.iam_policies import Policy, trust_policies
from setup.lib.run_crawler import run_crawler
from setup.names import Location
from tests.support.fake_quicksight import QuickSight
from tests.support.setup_fixture import (
    SCRIPTS,
    SESSION,
    SETUP,
    Call,
    SetupSandbox,
    count_resources,
    setup_sandbox,
    tear_down,
    writes_among,
)

SERVICES = {
    "athena",
    "cloudwatch",
    "dynamodb",
    "dynamodbstreams",
    "firehose",
    "glue",
    "iam",
    "kinesis",
    "lambda",
    "logs",
    "pipes",
    "quicksight",
    "s3",
    "sns",
    "sqs",
    "sts",
}
HERE = Location("aws", "eu-west-1", "111122223333")
DEPLOYER_POLICY = deployer_policy.build_policy(HERE)
SOURCES = "".join(path.read_text("utf-8") for path in SETUP.rglob("*.py"))


@dataclass(frozen=True)
class Lifetime:
    """The calls of a pipeline's scripts, from the first setup to the last teardown."""

    calls: list[Call]
    second_run: list[Call]
    violations: list[str]
    # Before setup, after teardown, and after a second teardown.
    resource_counts: tuple[Counter[str], Counter[str], Counter[str]]


@pytest.fixture(scope="module")
def lifetime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lifetime]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALARM_EMAIL", "orders@example.com")
        patch.setenv("QUICKSIGHT_USER", "arn:aws:quicksight:us-east-1:1:user/default/analyst")
        folder = tmp_path_factory.mktemp("lifetime")
        with setup_sandbox(folder, "us-east-1", QuickSight) as sandbox:
            yield live(sandbox)


def live(sandbox: SetupSandbox) -> Lifetime:
    """Set up twice, repair, crawl and tear down twice."""
    count_before = count_resources()
    sandbox.calls.clear()
    sandbox.run()
    first_run_length = len(sandbox.calls)
    sandbox.run()
    second_run = sandbox.calls[first_run_length:]
    boto3.client("lambda").update_function_configuration(FunctionName=names.FUNCTION, Timeout=3)
    for resource in sandbox.cloud.service(QuickSight).resources.values():
        resource["Name"] = "changed by hand"
    sandbox.run()
    s3 = boto3.client("s3")
    row = b'{"cdc_operation":"INSERT","cdc_new_image":"{}"}'
    s3.put_object(Bucket=names.bucket(), Key="lake/dt=2026-11-23/a", Body=row)
    sandbox.calls.pop()  # The test's own.
    run_crawler()
    script_calls = len(sandbox.calls)
    s3.delete_object(Bucket=names.bucket(), Key="lake/dt=2026-11-23/a")
    del sandbox.calls[script_calls:]  # The test's own.
    tear_down(delete_data=False)
    tear_down(delete_data=True)
    calls = sandbox.calls[:]
    # All crawlers of an account share this log group, which Glue creates.
    boto3.client("logs").delete_log_group(logGroupName="/aws-glue/crawlers")
    count_after = count_resources()
    tear_down(delete_data=True)
    counts = (count_before, count_after, count_resources())
    return Lifetime(calls, second_run, sandbox.violations, counts)


def test_every_request_obeys_the_service_model(lifetime: Lifetime) -> None:
    assert len(SCRIPTS) == 12
    assert {service for service, _ in lifetime.calls} == SERVICES
    assert lifetime.violations == []


def test_a_second_run_only_reads(lifetime: Lifetime) -> None:
    assert writes_among(lifetime.second_run) == []


def test_teardown_leaves_nothing_and_can_be_repeated(lifetime: Lifetime) -> None:
    before, after, after_second = lifetime.resource_counts
    assert before == after == after_second


# Operations whose actions have other names; all others have the operation's name.
ACTIONS_BY_OPERATION = {
    "HeadBucket": ("ListBucket",),
    "ListObjectsV2": ("ListBucket",),
    "ListObjectVersions": ("ListBucketVersions",),
    "DeleteObjects": ("DeleteObject", "DeleteObjectVersion"),
    "GetPublicAccessBlock": ("GetBucketPublicAccessBlock",),
    "PutPublicAccessBlock": ("PutBucketPublicAccessBlock",),
    "GetBucketEncryption": ("GetEncryptionConfiguration",),
    "PutBucketEncryption": ("PutEncryptionConfiguration",),
    "GetBucketLifecycleConfiguration": ("GetLifecycleConfiguration",),
    "PutBucketLifecycleConfiguration": ("PutLifecycleConfiguration",),
}
# Actions that AWS requires in addition, to create with tags or a role, and for Athena's own work.
ADDITIONAL_ACTIONS = {
    "athena:TagResource",
    "cloudwatch:TagResource",
    "dynamodb:TagResource",
    "firehose:TagDeliveryStream",
    "glue:GetDatabases",
    "glue:GetPartitions",
    "glue:TagResource",
    "iam:PassRole",
    "iam:ListRoleTags",
    "iam:TagRole",
    "lambda:TagResource",
    "logs:TagResource",
    *(f"logs:{action}" for action in deployer_policy.LOG_DELIVERY_ACTIONS),
    "pipes:ListTagsForResource",
    "pipes:TagResource",
    "quicksight:PassDataSource",
    "quicksight:TagResource",
    "s3:AbortMultipartUpload",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
    "s3:PutBucketOwnershipControls",
    "sns:TagResource",
    "sqs:TagQueue",
}


def allowed_actions() -> set[str]:
    return {action for statement in DEPLOYER_POLICY["Statement"] for action in statement["Action"]}


def actions_of(service: str, operation: str) -> set[str]:
    """Return the actions that an operation requires."""
    prefix = "dynamodb" if service == "dynamodbstreams" else service
    action_names: tuple[str, ...] = (operation,)
    if service == "s3":
        action_names = ACTIONS_BY_OPERATION.get(operation, (operation,))
    return {f"{prefix}:{name}" for name in action_names}


def test_the_deployer_may_make_every_call(lifetime: Lifetime) -> None:
    calls = [call for call in lifetime.calls if call[0] != "sts"]
    assert set().union(*(actions_of(*call) for call in calls)) <= allowed_actions()


def test_the_deployer_may_make_no_other_calls(lifetime: Lifetime) -> None:
    used = set().union(*(actions_of(*call) for call in lifetime.calls))
    for action in allowed_actions() - used - ADDITIONAL_ACTIONS:
        operation = action.partition(":")[2]
        for candidate, action_names in ACTIONS_BY_OPERATION.items():
            if operation in action_names:
                operation = candidate
                break
        method = xform_name(operation)
        assert f".{method}(" in SOURCES or f'get_paginator("{method}")' in SOURCES, action


def test_every_call_in_the_sources_is_allowed() -> None:
    allowed_operations = {action.partition(":")[2] for action in allowed_actions()}
    allowed_methods = {xform_name(name) for name in allowed_operations | set(ACTIONS_BY_OPERATION)}
    all_methods = {
        xform_name(name)
        for service in SERVICES
        for name in SESSION._session.get_service_model(service).operation_names
    }
    called_methods = set(re.findall(r"\.(\w+)[(,]", SOURCES)) & all_methods
    assert called_methods - allowed_methods <= {"get_caller_identity"}


@pytest.mark.parametrize("action", iam_policies.DEFAULT_DATABASE_ACTIONS)
def test_a_caller_of_athena_has_the_default_database(action: str) -> None:
    required = {HERE.arn("glue", resource) for resource in iam_policies.DEFAULT_DATABASE}
    for policy in (DEPLOYER_POLICY, operator_policy.build_policy(HERE, ["gaps"])):
        assert required <= allowed_resources(policy, f"glue:{action}")


@pytest.mark.parametrize("action", iam_policies.RESULT_ACTIONS)
def test_a_caller_of_athena_may_write_long_results(action: str) -> None:
    for policy in (DEPLOYER_POLICY, operator_policy.build_policy(HERE, ["gaps"])):
        objects = allowed_resources(policy, f"s3:{action}")
        assert {HERE.bucket_arn("*"), HERE.bucket_arn("queries/*")} & objects
        assert HERE.bucket_arn() in allowed_resources(policy, "s3:ListBucketMultipartUploads")


def allowed_resources(policy: Policy, action: str) -> set[str]:
    return {
        resource
        for statement in policy["Statement"]
        if action in statement["Action"]
        for resource in statement["Resource"]
    }


def test_roles_are_passed_to_their_services_only() -> None:
    [pass_role] = [
        statement
        for statement in DEPLOYER_POLICY["Statement"]
        if "iam:PassRole" in statement["Action"]
    ]
    services = sorted(
        policy["Statement"][0]["Principal"]["Service"] for policy in trust_policies(HERE).values()
    )
    assert pass_role["Condition"] == {"StringEquals": {"iam:PassedToService": services}}
    assert all(names.PIPELINE in role for role in pass_role["Resource"])


def test_the_deployer_is_limited_to_the_pipeline() -> None:
    own_parts = (
        names.PIPELINE,
        names.DATABASE,
        ":catalog",
        ":key/*",
        ":database/default",
        ":database/*",
    )
    unlimited = set()
    for statement in DEPLOYER_POLICY["Statement"]:
        if statement["Resource"] == ["*"]:
            unlimited |= {*statement["Action"]}
        else:
            for resource in statement["Resource"]:
                assert any(part in resource for part in own_parts), resource
    assert unlimited == {
        "logs:DescribeLogGroups",
        *(f"logs:{action}" for action in deployer_policy.LOG_DELIVERY_ACTIONS),
        "quicksight:DescribeAccountSubscription",
        "kinesis:UpdateStreamMode",
        "glue:CreateCrawler",
        "lambda:ListEventSourceMappings",
        "pipes:ListPipes",
        "quicksight:CreateDataSource",
    }


def test_the_deployers_policy_fits_into_a_role() -> None:
    text = json.dumps(DEPLOYER_POLICY["Statement"], separators=(",", ":"))
    assert len(text) + 40 * text.count(names.PIPELINE) < 10_240  # With the longest names.
