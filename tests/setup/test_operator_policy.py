"""The operator's policy as such; tests/e2e/test_role_permissions.py runs the commands under it."""

import json

from setup import names, operator_policy
from setup.names import Location
from tests.support.operator_fixture import HERE, policy_actions, policy_statements

CHINA = Location("aws-cn", "cn-north-1", HERE.account)

UNLIMITED_ACTIONS = {"cloudwatch:GetMetricData", "logs:DescribeLogGroups"}


def test_the_whole_policy_is_the_sum_of_the_commands() -> None:
    for command in operator_policy.COMMANDS:
        assert grants(command) <= grants()
    assert policy_actions() == set().union(*map(policy_actions, operator_policy.COMMANDS))


def grants(*commands: str) -> set[tuple[str, str]]:
    """Return the grants of some commands, or of all, as pairs of an action and a resource."""
    return {
        (action, resource)
        for statement in policy_statements(*commands)
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


def test_the_policy_is_limited_to_the_pipeline() -> None:
    shared = (":catalog", ":key/*", ":database/default")
    for statement in policy_statements():
        for resource in statement["Resource"]:
            if resource == "*":
                assert set(statement["Action"]) <= UNLIMITED_ACTIONS
            else:
                is_own = names.PIPELINE in resource or names.DATABASE in resource
                assert is_own or resource.endswith(shared), resource


def test_the_policy_fits_into_an_inline_policy() -> None:
    text = json.dumps(policy_statements(), separators=(",", ":"))
    assert len(text) + 40 * text.count(names.PIPELINE) < 10_240  # With the longest names.


def test_arns_have_the_partition_of_the_region() -> None:
    text = json.dumps(operator_policy.build_policy(CHINA))
    assert "arn:aws-cn:" in text
    assert "arn:aws:" not in text
