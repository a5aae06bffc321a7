"""Create a role for each service (pipe, Firehose, Lambda, crawler) with its permissions."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.lib.cli import run_script
from setup.lib.comparison import note
from setup.lib.iam_policies import Policy, policy_differences, trust_policies, unconditional_trust
from setup.lib.resources import current_role_policies, describe_or_none
from setup.lib.tags import ensure_tags
from setup.names import PIPELINE, TAG_LIST, location

if TYPE_CHECKING:
    from types_boto3_iam.client import IAMClient


def create() -> str:
    """Create or update the roles, and return a line with their names."""
    iam = boto3.client("iam")
    trusts = trust_policies(location())
    role_names = []
    for service, policy in current_role_policies().items():
        name = location().role_name(service)
        put_role(iam, name, trusts[service], unconditional_trust(service))
        put_policy(iam, name, policy)
        ensure_tags("iam", name)
        role_names.append(name)
    return f"roles {', '.join(role_names)}"


def put_role(iam: IAMClient, name: str, trust: Policy, other_trust: Policy | None) -> None:
    """Create the role, or update its trust policy, unless it is the other one that it may have."""
    response = describe_or_none(iam.get_role, RoleName=name)
    if response is None:
        iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(trust),
            Description=f"Made by setup/04_iam.py for {PIPELINE}.",
            Tags=TAG_LIST,
        )
        return
    current = response["Role"]["AssumeRolePolicyDocument"]
    if other_trust is not None and is_equivalent(current, other_trust):
        return
    if not is_equivalent(current, trust):
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust))


def put_policy(iam: IAMClient, role_name: str, policy: Policy) -> None:
    """Create or update the role's only policy."""
    response = describe_or_none(iam.get_role_policy, RoleName=role_name, PolicyName=PIPELINE)
    if response is None or not is_equivalent(response["PolicyDocument"], policy):
        iam.put_role_policy(
            RoleName=role_name, PolicyName=PIPELINE, PolicyDocument=json.dumps(policy)
        )


# botocore decodes a policy document, though its stubs also allow text.
def is_equivalent(actual: Any, desired: Policy) -> bool:
    """Return whether AWS's policy document means the desired one."""
    return not note(policy_differences(desired, actual))


if __name__ == "__main__":
    run_script(create, __doc__)
