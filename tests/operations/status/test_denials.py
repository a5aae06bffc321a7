"""Denials: a statement is found if it denies what a role needs, however it is spelled."""

from typing import Any

import pytest

from operations.status.denials import concerns, denied_actions, denying_statements
from setup.lib.iam_policies import role_policies, tls_only_statement
from tests.support.operator_fixture import HERE

FIREHOSE = role_policies(HERE)["firehose"]
ROLE = HERE.role_arn("firehose")
STREAM = FIREHOSE["Statement"][0]["Resource"][0]


@pytest.mark.parametrize(
    ("statement", "actions"),
    [
        ({"Action": "kinesis:GetRecords", "Resource": "*"}, {"GetRecords"}),
        ({"Action": "KINESIS:getrecords", "Resource": STREAM}, {"GetRecords"}),
        ({"Action": ["kinesis:Get*"], "Resource": ["arn:*"]}, {"GetShardIterator", "GetRecords"}),
        ({"Action": "kinesis:GetRecords", "Resource": f"{STREAM}-other"}, set()),
        ({"Action": "kinesis:DeleteStream", "Resource": "*"}, set()),
        ({"Action": "s3:PutObject", "Resource": HERE.bucket_arn("lake/dt=1/*")}, {"PutObject"}),
        ({"Action": "s3:PutObject", "NotResource": HERE.bucket_arn("lake/*")}, {"PutObject"}),
        ({"NotAction": ["kinesis:*", "kms:*", "lambda:*", "s3:*"]}, {"PutLogEvents"}),
    ],
)
def test_actions_and_resources_are_matched(statement: dict[str, Any], actions: set[str]) -> None:
    denied = denied_actions(FIREHOSE, statement)
    assert {action.partition(":")[2] for action in denied} == actions


@pytest.mark.parametrize(
    ("principal", "is_concerned"),
    [
        ({"Principal": "*"}, True),
        ({"Principal": {"AWS": "*"}}, True),
        ({"Principal": {"AWS": ["x", ROLE]}}, True),
        ({"Principal": {"AWS": HERE.account}}, True),
        ({"Principal": {"AWS": HERE.role_arn("pipe")}}, False),
        ({"Principal": {"Service": "logging.s3.amazonaws.com"}}, False),
        ({"NotPrincipal": {"AWS": HERE.role_arn("pipe")}}, True),
        ({"NotPrincipal": {"AWS": [ROLE]}}, False),
    ],
)
def test_principals_are_matched(principal: dict[str, Any], is_concerned: bool) -> None:
    assert concerns(principal, ROLE) == is_concerned


def test_the_statement_of_setup_denies_nothing() -> None:
    tls_only = tls_only_statement(HERE)
    deny_all = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    allow_all = {**deny_all, "Effect": "Allow"}
    policy = {"Statement": [tls_only, allow_all, deny_all]}
    assert list(denying_statements(policy)) == [deny_all]
    assert list(denying_statements({"Statement": deny_all})) == [deny_all]
    assert list(denying_statements({})) == []
