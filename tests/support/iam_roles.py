"""Roles and their policies, in the few words that a test needs."""

import json
from typing import Any

from tests.support.laptop_cloud import aws

Statement = dict[str, Any]


def policy(*statements: Statement) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(actions: str, *resources: str) -> Statement:
    """Return the statement that allows these actions, divided by spaces."""
    return {"Effect": "Allow", "Action": actions.split(), "Resource": resources}


def trust(service: str, **members: Any) -> str:
    """Return the policy by which a service, such as `pipes`, may wear a role."""
    principal = {"Service": f"{service}.amazonaws.com"}
    assume = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return policy({**assume, **members})


def make_role(name: str, service: str, *statements: Statement) -> str:
    """Make a role that a service wears and that may do just this, and return its ARN."""
    role = aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))
    grant(name, *statements)
    return role["Role"]["Arn"]


def grant(role: str, *statements: Statement) -> None:
    """Let a role do this and nothing else."""
    document = policy(*statements)
    aws("iam").put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document)
