"""What IAM says of a role: whom it trusts and what it may do."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from local.services.iam.policy_evaluation import Document, Statement, statements, trusts
from local.services.iam.service import Iam

PATIENCE = 1.0  # seconds for which a role is not read again where nobody sees it change


@dataclass(frozen=True, slots=True)
class Role:
    """Whom a role trusts and what it may do."""

    trust: tuple[Statement, ...]
    permissions: tuple[Statement, ...]


def assumable(iam: Any, role: str, principal: str, context: Mapping[str, str]) -> bool:
    """Return whether the role (its ARN or name) exists and trusts the service `principal`."""
    found = role_now(iam, role)
    return found is not None and trusts(found.trust, principal, context)


def presented(role: str, principal: str) -> dict[str, str]:
    """Return the condition keys that a service presents whenever it assumes that role."""
    account = role.split(":")[4]
    keys = {"aws:SourceAccount": account}
    if principal == "firehose.amazonaws.com":
        keys["sts:ExternalId"] = account
    return keys


def role_now(iam: Any, role: str) -> Role | None:
    """Return what IAM says of a role (its ARN or name) at this moment; None if it is absent."""
    name = role.rpartition("/")[2]
    try:
        found = iam.get_role(RoleName=name)["Role"]
        if role.startswith("arn:") and role != found["Arn"]:
            return None
        documents = [*_inline(iam, name), *_attached(iam, name)]
    except iam.exceptions.NoSuchEntityException:
        return None
    permissions = tuple(each for document in documents for each in statements(document))
    return Role(statements(found["AssumeRolePolicyDocument"]), permissions)


def _inline(iam: Any, role: str) -> Iterator[Document]:
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            yield iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]


def _attached(iam: Any, role: str) -> Iterator[Document]:
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for policy in page["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            found = iam.get_policy_version(PolicyArn=arn, VersionId=version)
            yield found["PolicyVersion"]["Document"]


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read of a role, when, and how many changes of IAM had been seen by then."""

    role: Role | None
    changes: int
    at: float


_READINGS: WeakKeyDictionary[Any, dict[str, _Reading]] = WeakKeyDictionary()


def role_lately(iam: Any, arn: str) -> Role | None:
    """Return what IAM says of a role, read again only if it may have changed."""
    readings = _READINGS.setdefault(iam, {})
    now, changes = time.monotonic(), Iam.changes
    last = readings.get(arn)
    if last is None or last.changes != changes or _is_old(last, now, iam):
        last = readings[arn] = _Reading(role_now(iam, arn), changes, now)
    return last.role


def _is_old(last: _Reading, now: float, iam: Any) -> bool:
    """Return whether IAM is another process's, and may have changed since it was read."""
    return now - last.at > PATIENCE and not Iam.sees(iam)
