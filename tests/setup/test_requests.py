"""Every request of a pipeline's whole life: legal, not needlessly repeated, and allowed."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import boto3
import pytest
from botocore import xform_name

from tests.support.fake_quicksight import QuickSight
from tests.support.setup_fixture import (
    SCRIPTS,
    SESSION,
    SETUP,
    World,
    a_world,
    changes,
    inventory,
    names,
    removed,
)

deployer_policy = import_module("setup.deployer_policy")
SERVICES = (
    *("athena", "cloudwatch", "dynamodb", "dynamodbstreams", "firehose", "glue", "iam", "kinesis"),
    *("lambda", "logs", "pipes", "quicksight", "s3", "sns", "sqs", "sts"),
)
HERE = names.Location("aws", "eu-west-1", "111122223333")


@dataclass(frozen=True)
class Life:
    """What a pipeline's scripts asked of AWS from the first run to the last."""

    asked: list[tuple[str, str]]
    again: list[tuple[str, str]]
    broken: list[str]
    left: tuple[Any, Any, Any]


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Life]:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ALARM_EMAIL", "orders@example.com")
        patched.setenv("QUICKSIGHT_USER", "arn:aws:quicksight:us-east-1:1:user/default/analyst")
        with a_world(tmp_path_factory.mktemp("life"), "us-east-1", QuickSight) as world:
            yield lived(world)


def lived(world: World) -> Life:
    """Return what is asked to set up twice, to crawl, and to take down twice."""
    before = inventory()
    del world.asked[:]
    world.run()
    first = len(world.asked)
    world.run()
    again = world.asked[first:]
    boto3.client("lambda").update_function_configuration(FunctionName=names.FUNCTION, Timeout=3)
    for thing in world.cloud.service(QuickSight).things.values():
        thing["Name"] = "changed by hand"
    world.run()
    import_module("setup.lib.run_crawler").crawl()
    own = len(world.asked)
    s3 = boto3.client("s3")
    s3.put_object(Bucket=names.bucket(), Key="lake/dt=2026-11-23/a")
    s3.delete_object(Bucket=names.bucket(), Key="lake/dt=2026-11-23/a")
    del world.asked[own:]
    removed(delete_data=False)
    removed(delete_data=True)
    once = world.asked[:]
    # All crawlers of an account share this log; Glue makes it, and setup knows nothing of it.
    boto3.client("logs").delete_log_group(logGroupName="/aws-glue/crawlers")
    after = inventory()
    removed(delete_data=True)
    return Life(once, again, world.broken, (before, after, inventory()))


def test_every_request_obeys_the_whole_service_model(life: Life) -> None:
    assert len(SCRIPTS) == 12
    assert {service for service, _ in life.asked} == set(SERVICES)
    assert life.broken == []


def test_a_second_run_only_asks(life: Life) -> None:
    assert changes(life.again) == []


def test_teardown_leaves_nothing_and_can_be_run_again(life: Life) -> None:
    before, after, later = life.left
    assert before == after == later


# S3's actions and a few others are not called what the operation is called.
ACTIONS = {
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
# What AWS asks for besides, when a thing is made with tags or a role, and for Athena's own work.
BESIDES = {
    *(f"{service}:TagResource" for service in ("dynamodb", "lambda", "logs", "pipes", "sns")),
    *(f"{service}:TagResource" for service in ("cloudwatch", "glue", "athena", "quicksight")),
    *("firehose:TagDeliveryStream", "sqs:TagQueue", "iam:TagRole", "iam:PassRole"),
    *("s3:PutBucketOwnershipControls", "s3:GetBucketLocation", "s3:GetObject", "s3:PutObject"),
    *("quicksight:PassDataSource", "glue:GetDatabases"),
}


def allowed() -> set[str]:
    return {
        action for each in deployer_policy.deployer(HERE)["Statement"] for action in each["Action"]
    }


def actions(service: str, operation: str) -> set[str]:
    """Return the actions that an operation needs."""
    prefix = "dynamodb" if service == "dynamodbstreams" else service
    names = ACTIONS.get(operation, (operation,)) if service == "s3" else (operation,)
    return {f"{prefix}:{name}" for name in names}


def test_the_deployers_policy_allows_all_that_was_asked(life: Life) -> None:
    require = set().union(*(actions(*each) for each in life.asked if each[0] != "sts"))
    assert require <= allowed()


def test_the_deployers_policy_allows_nothing_that_no_script_asks(life: Life) -> None:
    asked = set().union(*(actions(*each) for each in life.asked))
    sources = "".join(path.read_text("utf-8") for path in SETUP.rglob("*.py"))
    for action in allowed() - asked - BESIDES:
        operation = action.partition(":")[2]
        called = next((name for name, of in ACTIONS.items() if operation in of), operation)
        assert f".{xform_name(called)}(" in sources, action


def test_a_call_in_the_sources_that_no_run_made_is_allowed_too() -> None:
    sources = "".join(path.read_text("utf-8") for path in SETUP.rglob("*.py"))
    operations = {action.partition(":")[2] for action in allowed()} | set(ACTIONS)
    known = {xform_name(name) for name in operations}
    every = {
        xform_name(name)
        for service in SERVICES
        for name in SESSION._session.get_service_model(service).operation_names
    }
    called = set(re.findall(r"\.(\w+)[(,]", sources)) & every
    assert called - known <= {"get_caller_identity"}


def test_the_deployer_may_look_wherever_athena_looks_for_a_database() -> None:
    def looked_at(policy: dict[str, Any]) -> set[str]:
        looking = [each for each in policy["Statement"] if "glue:GetDatabase" in each["Action"]]
        return {one for each in looking for one in each["Resource"]}

    asking = looked_at(import_module("setup.operator_policy").operator(HERE, ["gaps"]))
    assert HERE.arn("glue", "database/default") in asking
    assert asking <= looked_at(deployer_policy.deployer(HERE))


def test_a_role_is_passed_only_to_its_own_kind_of_service() -> None:
    statements = deployer_policy.deployer(HERE)["Statement"]
    [passing] = [each for each in statements if "iam:PassRole" in each["Action"]]
    trusted = [
        each["Statement"][0]["Principal"]["Service"]
        for each in import_module("setup.lib.iam_policies").trusts(HERE).values()
    ]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": sorted(trusted)}}
    assert all(names.PIPELINE in role for role in passing["Resource"])


def test_the_deployers_policy_speaks_of_the_pipeline_alone_and_fits_into_a_role() -> None:
    statements = deployer_policy.deployer(HERE)["Statement"]
    free = {each["Action"][0] for each in statements if each["Resource"] == ["*"]}
    assert free == {
        *("logs:DescribeLogGroups", "kinesis:UpdateStreamMode", "glue:CreateCrawler"),
        "quicksight:CreateDataSource",
    }
    own = (names.PIPELINE, names.DATABASE, ":catalog", ":key/*", ":database/default", ":database/*")
    for each in statements:
        assert all(any(name in one for name in own) or one == "*" for one in each["Resource"])
    text = json.dumps(statements, separators=(",", ":"))
    assert len(text) + 40 * text.count(names.PIPELINE) < 10_240  # With the longest names.
