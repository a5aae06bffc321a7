"""The operator's policy as such; tests/e2e/test_role_permissions.py runs every verb under it."""

import json

from tests.support.operator_fixture import HERE, actions, names, operator_policy, statements

CHINA = names.Location("aws-cn", "cn-north-1", HERE.account)


def test_what_is_granted_to_a_verb_is_granted_to_the_operator() -> None:
    for verb in operator_policy.VERBS:
        assert all(each in statements() for each in statements(verb))
    assert actions() == set().union(*map(actions, operator_policy.VERBS))


def test_the_policy_speaks_of_the_pipeline_alone_and_fits_into_a_role() -> None:
    shared = (":catalog", ":key/*", ":database/default")
    own = (names.PIPELINE, names.DATABASE)
    for each in statements():
        for one in each["Resource"]:
            free = one == "*" and each["Action"] == ["cloudwatch:GetMetricData"]
            assert free or one.endswith(shared) or any(name in one for name in own), one
    text = json.dumps(statements(), separators=(",", ":"))
    assert len(text) + 40 * text.count(names.PIPELINE) < 10_240  # With the longest names.


def test_in_another_partition_every_arn_is_of_that_partition() -> None:
    text = json.dumps(operator_policy.operator(CHINA))
    assert "arn:aws-cn:" in text
    assert "arn:aws:" not in text
