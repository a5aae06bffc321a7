"""Every policy against AWS's reference: which actions exist, and on what AWS judges them."""

from collections.abc import Iterator

import pytest

from setup.lib.iam_policies import Policy
from tests.support.iam_actions import all_policies, is_of_kind, load_actions

KINDS_BY_ACTION = load_actions()
# AWS marks every kind as required, but a call concerns a resource of one kind.
ALTERNATIVES = {"athena:ListTagsForResource", "athena:TagResource", "kinesis:GetResourcePolicy"}
# The account's identity region, which the resource would have to name, is not known.
UNLIMITED = {"quicksight:DescribeAccountSubscription"}
POLICIES = all_policies()


def grants(policy: Policy) -> Iterator[tuple[str, list[str]]]:
    """Yield each action of a policy, with the resources that it is allowed on."""
    resources_by_action: dict[str, list[str]] = {}
    for statement in policy["Statement"]:
        for action in statement["Action"]:
            resources_by_action.setdefault(action, []).extend(statement["Resource"])
    yield from resources_by_action.items()


@pytest.mark.parametrize("holder", POLICIES)
def test_aws_knows_every_action(holder: str) -> None:
    assert {action for action, _ in grants(POLICIES[holder])} <= KINDS_BY_ACTION.keys()


def test_the_reference_has_no_other_actions() -> None:
    used = {action for policy in POLICIES.values() for action, _ in grants(policy)}
    assert KINDS_BY_ACTION.keys() == used


@pytest.mark.parametrize("holder", POLICIES)
def test_a_list_call_is_allowed_where_aws_judges_it(holder: str) -> None:
    """Only a call without a resource of its own is judged on `*`."""
    for action, resources in grants(POLICIES[holder]):
        is_unlimited = not KINDS_BY_ACTION[action] or action in UNLIMITED
        assert ("*" in resources) == is_unlimited, action


@pytest.mark.parametrize("holder", POLICIES)
def test_each_required_kind_of_resource_is_allowed(holder: str) -> None:
    for action, resources in grants(POLICIES[holder]):
        if action in ALTERNATIVES | UNLIMITED:
            continue
        for kind, is_required in KINDS_BY_ACTION[action].items():
            is_allowed = any(is_of_kind(resource, kind) for resource in resources)
            assert is_allowed or not is_required, (action, kind)


@pytest.mark.parametrize("holder", POLICIES)
def test_a_resource_is_of_a_kind_that_aws_judges(holder: str) -> None:
    for statement in POLICIES[holder]["Statement"]:
        kinds = {kind for action in statement["Action"] for kind in KINDS_BY_ACTION[action]}
        for resource in statement["Resource"]:
            assert resource == "*" or any(is_of_kind(resource, kind) for kind in kinds), resource
