"""Policies: each role may do what its service must, on the pipeline's own things alone."""

import json
from importlib import import_module
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

names, policies = map(import_module, ("setup.names", "setup.lib.iam_policies"))

HERE = names.Location("aws", "eu-west-1", "111122223333")
CHINA = names.Location("aws-cn", "cn-north-1", "111122223333")
RIGHTS = policies.rights(HERE)
# What cannot be narrowed to the pipeline: a key nobody names, a log that crawlers share, Glue's
# root, of which there is one.
SHARED = ("arn:aws:kms:eu-west-1:111122223333:key/*", ":log-group:/aws-glue/crawlers*", ":catalog")
NEEDED = {
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
    """Return every action with every resource that a policy allows."""
    return {
        (action, resource)
        for statement in policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


@pytest.mark.parametrize("role", NEEDED)
def test_a_role_may_do_what_its_service_must(role: str) -> None:
    assert NEEDED[role] <= grants(RIGHTS[role])


@pytest.mark.parametrize("role", RIGHTS)
def test_a_role_may_do_nothing_beyond_the_pipeline(role: str) -> None:
    for action, resource in grants(RIGHTS[role]):
        assert "*" not in action
        if action == "dynamodb:ListStreams":
            continue  # AWS knows no narrower resource for it.
        own = names.PIPELINE in resource or names.DATABASE in resource
        assert own or resource.endswith(SHARED), resource


def test_the_use_of_a_key_is_bound_to_kinesis() -> None:
    statements = [each for role in RIGHTS.values() for each in role["Statement"]]
    [put, read] = [each for each in statements if each["Resource"] == [SHARED[0]]]
    assert (put["Action"], read["Action"]) == (["kms:GenerateDataKey"], ["kms:Decrypt"])
    service_host = {"StringEquals": {"kms:ViaService": "kinesis.eu-west-1.amazonaws.com"}}
    assert put["Condition"] == read["Condition"] == service_host


def test_only_its_own_service_may_assume_a_role_and_only_for_this_account() -> None:
    trusts = policies.trusts(HERE)
    assert set(trusts) == set(RIGHTS)
    for role, service in {"pipe": "pipes", "crawler": "glue"}.items():
        [statement] = trusts[role]["Statement"]
        assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
        assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": HERE.account}
    [firehose] = trusts["firehose"]["Statement"]
    assert firehose["Condition"] == {"StringEquals": {"sts:ExternalId": HERE.account}}
    assert "Condition" not in trusts["lambda"]["Statement"][0]
    assert HERE.arn("pipes", f"pipe/{names.PIPE}") in json.dumps(trusts["pipe"])


def test_the_bucket_refuses_whoever_comes_without_tls() -> None:
    statement = policies.tls_only(HERE)
    assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
    assert statement["Resource"] == [HERE.bucket_arn(), HERE.bucket_arn("*")]
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_in_another_partition_every_arn_is_of_that_partition() -> None:
    every = [*policies.rights(CHINA).values(), *policies.trusts(CHINA).values()]
    text = json.dumps([*every, policies.tls_only(CHINA)])
    assert "arn:aws-cn:" in text
    assert "arn:aws:" not in text


@pytest.mark.parametrize("role", RIGHTS)
def test_a_policy_fits_into_a_role(role: str) -> None:
    # The longest names add at most 200 characters to each of the longest policy's ARNs.
    assert len(json.dumps(RIGHTS[role])) + 200 * len(grants(RIGHTS[role])) < 10_240


EVERY = [*RIGHTS.values(), *policies.trusts(HERE).values(), policies.tls_only(HERE)]


@given(st.sampled_from(EVERY), st.randoms(use_true_random=False))
def test_a_policy_means_the_same_however_aws_writes_it_down(
    policy: dict[str, Any], random: Random
) -> None:
    written = rewritten(policy, random)
    assert policies.normalized(written) == policies.normalized(policy)
    changed = json.loads(json.dumps(written).replace("Allow", "Deny").replace('"false"', '"true"'))
    assert policies.normalized(changed) != policies.normalized(policy)


def rewritten(part: Any, random: Random) -> Any:
    """Return the same with its lists and members in another order, and single members bare."""
    if isinstance(part, dict):
        members = random.sample(list(part.items()), len(part))
        return {name: rewritten(value, random) for name, value in members}
    if isinstance(part, list):
        members = [rewritten(each, random) for each in random.sample(part, len(part))]
        return members[0] if len(members) == 1 and random.random() < 0.5 else members
    return part


def test_policies_that_differ_mean_something_else() -> None:
    assert len({json.dumps(policies.normalized(each)) for each in EVERY}) == len(EVERY)
