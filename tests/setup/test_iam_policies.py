"""IAM policies: each role has the permissions that its service needs, and no others."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setup import names
from setup.lib import iam_policies
from setup.names import Location

HERE = Location("aws", "eu-west-1", "111122223333")
CHINA = Location("aws-cn", "cn-north-1", "111122223333")
ROLE_POLICIES = iam_policies.role_policies(HERE)
TRUST_POLICIES = iam_policies.trust_policies(HERE)
# Resources that the pipeline shares with others: a key of unknown id, a log group of all crawlers,
# and the only catalog.
SHARED = ("arn:aws:kms:eu-west-1:111122223333:key/*", ":log-group:/aws-glue/crawlers*", ":catalog")
REQUIRED_GRANTS = {
    "pipe": {
        ("dynamodb:GetRecords", HERE.arn("dynamodb", f"table/{names.TABLE}/stream/*")),
        ("kinesis:PutRecords", HERE.arn("kinesis", f"stream/{names.STREAM}")),
        ("sqs:SendMessage", HERE.arn("sqs", names.DEAD_LETTERS)),
    },
    "firehose": {
        ("kinesis:GetRecords", HERE.arn("kinesis", f"stream/{names.STREAM}")),
        ("lambda:InvokeFunction", HERE.arn("lambda", f"function:{names.FUNCTION}")),
        ("lambda:InvokeFunction", HERE.arn("lambda", f"function:{names.FUNCTION}:*")),
        ("s3:PutObject", HERE.bucket_arn("lake/*")),
        ("s3:PutObject", HERE.bucket_arn("errors/*")),
        ("s3:ListBucketMultipartUploads", HERE.bucket_arn()),
        (
            "logs:PutLogEvents",
            HERE.arn("logs", f"log-group:{names.DELIVERY_LOGS}:log-stream:*"),
        ),
    },
    "lambda": {
        ("logs:PutLogEvents", HERE.arn("logs", f"log-group:{names.FUNCTION_LOGS}:*")),
        ("logs:CreateLogStream", HERE.arn("logs", f"log-group:{names.FUNCTION_LOGS}:*")),
    },
    "crawler": {
        ("s3:GetObject", HERE.bucket_arn("lake/*")),
        ("glue:UpdateTable", HERE.arn("glue", f"table/{names.DATABASE}/{names.CHANGES}")),
    },
}


def grants(policy: dict[str, Any]) -> set[tuple[str, str]]:
    """Return the policy's grants, as pairs of an action and a resource."""
    return {
        (action, resource)
        for statement in policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


@pytest.mark.parametrize("role", REQUIRED_GRANTS)
def test_a_role_has_the_rights_of_its_service(role: str) -> None:
    assert REQUIRED_GRANTS[role] <= grants(ROLE_POLICIES[role])


@pytest.mark.parametrize("role", ROLE_POLICIES)
def test_a_role_is_limited_to_the_pipeline(role: str) -> None:
    for action, resource in grants(ROLE_POLICIES[role]):
        assert "*" not in action
        if action == "dynamodb:ListStreams":
            continue  # AWS supports no narrower resource for it.
        is_own = names.PIPELINE in resource or names.DATABASE in resource
        assert is_own or resource.endswith(SHARED), resource


def test_keys_are_used_through_kinesis_only() -> None:
    all_statements = [
        statement for policy in ROLE_POLICIES.values() for statement in policy["Statement"]
    ]
    key_statements = [
        statement for statement in all_statements if statement["Resource"] == [SHARED[0]]
    ]
    actions = [statement["Action"] for statement in key_statements]
    assert actions == [["kms:GenerateDataKey"], ["kms:Decrypt"]]
    via_kinesis = {"StringEquals": {"kms:ViaService": "kinesis.eu-west-1.amazonaws.com"}}
    assert all(statement["Condition"] == via_kinesis for statement in key_statements)


def test_a_role_trusts_its_service_in_this_account() -> None:
    assert set(TRUST_POLICIES) == set(ROLE_POLICIES)
    for role, service in {"pipe": "pipes", "crawler": "glue"}.items():
        [statement] = TRUST_POLICIES[role]["Statement"]
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": HERE.account}
    [firehose] = TRUST_POLICIES["firehose"]["Statement"]
    assert firehose["Condition"] == {"StringEquals": {"sts:ExternalId": HERE.account}}
    assert "Condition" not in TRUST_POLICIES["lambda"]["Statement"][0]
    assert HERE.arn("pipes", f"pipe/{names.PIPE}") in json.dumps(TRUST_POLICIES["pipe"])


def test_the_bucket_denies_requests_without_tls() -> None:
    statement = iam_policies.tls_only_statement(HERE)
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Resource"] == [HERE.bucket_arn(), HERE.bucket_arn("*")]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_arns_have_the_partition_of_the_region() -> None:
    role_policies = iam_policies.role_policies(CHINA)
    trust_policies = iam_policies.trust_policies(CHINA)
    statement = iam_policies.tls_only_statement(CHINA)
    text = json.dumps([role_policies, trust_policies, statement])
    assert "arn:aws-cn:" in text
    assert "arn:aws:" not in text


@pytest.mark.parametrize("role", ROLE_POLICIES)
def test_a_policy_fits_into_an_inline_policy(role: str) -> None:
    # The longest names add at most 200 characters to each of the longest policy's ARNs.
    assert len(json.dumps(ROLE_POLICIES[role])) + 200 * len(grants(ROLE_POLICIES[role])) < 10_240


ALL_POLICIES = [
    *ROLE_POLICIES.values(),
    *TRUST_POLICIES.values(),
    iam_policies.tls_only_statement(HERE),
]


@given(st.sampled_from(ALL_POLICIES), st.randoms(use_true_random=False))
def test_normalized_ignores_how_aws_spells_a_policy(policy: dict[str, Any], random: Random) -> None:
    respelled = respell(policy, random)
    assert iam_policies.normalized(respelled) == iam_policies.normalized(policy)
    text = json.dumps(respelled)
    changed = json.loads(text.replace("Allow", "Deny").replace('"false"', '"true"'))
    assert iam_policies.normalized(changed) != iam_policies.normalized(policy)


# Any part of a policy's JSON.
def respell(value: Any, random: Random) -> Any:
    """Return the value with lists and members shuffled, and some lists of one unwrapped."""
    if isinstance(value, dict):
        items = random.sample(list(value.items()), len(value))
        return {name: respell(member, random) for name, member in items}
    if isinstance(value, list):
        members = [respell(member, random) for member in random.sample(value, len(value))]
        return members[0] if len(members) == 1 and random.random() < 0.5 else members
    return value


def test_normalized_keeps_different_policies_apart() -> None:
    distinct = {json.dumps(iam_policies.normalized(policy)) for policy in ALL_POLICIES}
    assert len(distinct) == len(ALL_POLICIES)
