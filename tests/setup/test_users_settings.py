"""Settings that users added to the pipeline's resources: the setup scripts keep them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from setup import names
from setup.lib.comparison import matches_desired
from setup.lib.iam_policies import role_policies, tls_only_statement, trust_policies
from tests.support.setup_fixture import (
    SetupSandbox,
    aws_client,
    setup_sandbox,
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[SetupSandbox]:
    with setup_sandbox(tmp_path) as sandbox:
        yield sandbox


def test_the_alarm_address_is_subscribed_once(
    sandbox: SetupSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    dashboard = f"dashboard {names.PIPELINE}-us-east-1"
    expected = f"12 alarms (no notifications; set ALARM_EMAIL), {dashboard}"
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
