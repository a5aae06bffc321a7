"""Roles and policies for tests."""

import json
from typing import Any

from tests.support.laptop_cloud import aws

Statement = dict[str, Any]  # A statement of an IAM policy.


def policy(*statements: Statement) -> str:
    """Return a policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def allow(actions: str, *resources: str) -> Statement:
    """Return a statement that allows these actions, which are separated by spaces."""
    return {"Effect": "Allow", "Action": actions.split(), "Resource": resources}


# The members are conditions of any kind.
def trust(service: str, **members: Any) -> str:
    """Return the trust policy that lets a service such as `pipes` assume a role."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **members,
    }
    return policy(statement)


def make_role(name: str, service: str, *statements: Statement) -> str:
    """Create a role for a service with exactly these permissions, and return its ARN."""
    role = aws("iam").create_role(RoleName=name, AssumeRolePolicyDocument=trust(service))
    grant(name, *statements)
    arn: str = role["Role"]["Arn"]
    return arn


def grant(role: str, *statements: Statement) -> None:
    """Replace the permissions of a role by these."""
    document = policy(*statements)
    aws("iam").put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=document)
