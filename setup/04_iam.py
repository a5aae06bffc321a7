"""Create one role for each service: pipe, Firehose, Lambda, crawler; each may do what it must."""

import json
import sys
from pathlib import Path
from typing import Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import run
from setup.lib.iam_policies import Policy, normalized, rights, trusts
from setup.lib.resources import describe_or_none
from setup.names import PIPELINE, TAG_LIST, location


def create() -> str:
    """Create or update the roles, and say which there are."""
    iam, here = boto3.client("iam"), location()
    trusted, allowed = trusts(here), rights(here)
    for service in allowed:
        put_role(iam, here.role_name(service), trusted[service], allowed[service])
    return f"roles {', '.join(map(here.role_name, allowed))}"


def put_role(iam: Any, name: str, trusted: Policy, allowed: Policy) -> None:
    """Create the role with its only policy, or give both their present text."""
    if found := describe_or_none(iam.get_role, RoleName=name):
        if normalized(found["Role"]["AssumeRolePolicyDocument"]) != normalized(trusted):
            iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trusted))
    else:
        iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(trusted),
            Description=f"Made by setup/04_iam.py for {PIPELINE}.",
            Tags=TAG_LIST,
        )
    which = {"RoleName": name, "PolicyName": PIPELINE}
    policy = describe_or_none(iam.get_role_policy, **which)
    if not policy or normalized(policy["PolicyDocument"]) != normalized(allowed):
        iam.put_role_policy(**which, PolicyDocument=json.dumps(allowed))


if __name__ == "__main__":
    run(create, __doc__)
