"""Roles read from IAM: the services that a role trusts, and its permissions."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.services.iam.policy_evaluation import (
    Document,
    Statement,
    parse_statements,
    trusts,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from types_boto3_iam.client import IAMClient

    from local.core.server import Cloud

CACHE_SECONDS = 1.0  # How long a role is not read again if its changes cannot be seen.


@dataclass(frozen=True, slots=True)
class Role:
    """The statements of a role's trust policy and of its permission policies."""

    trust: tuple[Statement, ...]
    permissions: tuple[Statement, ...]


def is_assumable(iam: IAMClient, role: str, principal: str, context: Mapping[str, str]) -> bool:
    """Return whether the role (its ARN or name) exists and trusts the service `principal`."""
    existing = read_role(iam, role)
    return existing is not None and trusts(existing.trust, principal, context)


def assume_role_context(role: str, principal: str) -> dict[str, str]:
    """Return the condition keys that a service presents whenever it assumes that role."""
    account = role.split(":")[4]
    keys = {"aws:SourceAccount": account}
    if principal == "firehose.amazonaws.com":
        keys["sts:ExternalId"] = account
    return keys


def read_role(iam: IAMClient, role: str) -> Role | None:
    """Read a role (its ARN or name); None if it does not exist."""
    name = role.rpartition("/")[2]
    try:
        description = iam.get_role(RoleName=name)["Role"]
        if role.startswith("arn:") and role != description["Arn"]:
            return None
        documents = [*_inline_policies(iam, name), *_attached_policies(iam, name)]
    except iam.exceptions.NoSuchEntityException:
        return None
    permissions = [statement for document in documents for statement in parse_statements(document)]
    trust = parse_statements(_document(description["AssumeRolePolicyDocument"]))
    return Role(trust, tuple(permissions))


def _document(decoded: Any) -> Document:
    """Return a policy document, which boto3 decodes although the stubs say that it may not."""
    document: Document = decoded
    return document


def _inline_policies(iam: IAMClient, role: str) -> Iterator[Document]:
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            response = iam.get_role_policy(RoleName=role, PolicyName=name)
            yield _document(response["PolicyDocument"])


def _attached_policies(iam: IAMClient, role: str) -> Iterator[Document]:
    for page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for policy in page["AttachedPolicies"]:
            arn = policy["PolicyArn"]
            version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
            response = iam.get_policy_version(PolicyArn=arn, VersionId=version)
            yield _document(response["PolicyVersion"]["Document"])


@dataclass(frozen=True, slots=True)
class _CachedRole:
    """A role, when it was read, and how many changes of IAM had been seen by then."""

    role: Role | None
    changes: int
    read_at: float


class RoleCache:
    """The roles of a cloud, each read again only if it may have changed.

    A change is seen if it passes through the cloud's own IAM. With AWS_ENDPOINT_URL_IAM, IAM may
    be another process's: then a role is read again after CACHE_SECONDS.
    """

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._changes = 0
        self._cached: dict[str, _CachedRole] = {}

    def record_change(self) -> None:
        """Make every cached role stale."""
        self._changes += 1

    def role(self, arn: str) -> Role | None:
        """Return a role as it is now; None if it does not exist."""
        iam = self._cloud.client("iam")
        now, changes = time.monotonic(), self._changes
        cached = self._cached.get(arn)
        if cached is None or cached.changes != changes or self._is_expired(cached, now, iam):
            cached = _CachedRole(read_role(iam, arn), changes, now)
            self._cached[arn] = cached
        return cached.role

    def _is_expired(self, cached: _CachedRole, now: float, iam: IAMClient) -> bool:
        sees_changes = iam.meta.endpoint_url == self._cloud.endpoint
        return not sees_changes and now - cached.read_at > CACHE_SECONDS
