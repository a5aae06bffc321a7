"""Policies that deny what the roles of setup allow, which setup neither makes nor removes.

`setup --check` compares each role's own policy. Another policy of the role, or the policy of a
resource that it uses, can still deny an action. A denial that depends on a condition may or may
not concern the pipeline: then that is not known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from operations.status.check import is_not_found
from operations.status.check_result import CheckResult, Status
from operations.status.denials import Policy, concerns, denied_actions, denying_statements
from operations.status.metrics import MetricHistory
from setup.lib.resources import current_role_policies, stream_arn
from setup.names import DEAD_LETTERS, PIPELINE, STREAM, arn, bucket, location

if TYPE_CHECKING:
    from types_boto3_iam.client import IAMClient

NO_POLICY_CODES = ("NoSuchBucketPolicy", "ResourceNotFoundException")


@dataclass(frozen=True, slots=True)
class Denial:
    """An action of a role that a policy denies, perhaps under a condition."""

    policy: str
    action: str
    is_conditional: bool


def check(_: MetricHistory | None) -> CheckResult:
    """Check that no other policy denies what the pipeline's roles need."""
    required = current_role_policies()
    denials = [*_role_denials(required), *_resource_denials(required)]
    certain = [denial for denial in denials if not denial.is_conditional]
    if certain:
        return _result(certain, "denies", Status.PROBLEM)
    if denials:
        return _result(denials, "denies under a condition", Status.UNKNOWN)
    bounded = _bounded_roles(required)
    if bounded:
        message = f"role {bounded[0]} has a permissions boundary, which is not evaluated here"
        return CheckResult("policies", message, Status.UNKNOWN)
    return CheckResult("policies", "none denies what the roles need")


def _result(denials: list[Denial], verb: str, status: Status) -> CheckResult:
    actions: dict[str, list[str]] = {}
    for denial in denials:
        actions.setdefault(denial.policy, []).append(denial.action)
    message = "; ".join(
        f"{name} {verb} {', '.join(sorted(set(actions[name])))}" for name in actions
    )
    return CheckResult("policies", message, status, "remove the statement from the policy")


def _role_denials(required: Mapping[str, Policy]) -> Iterator[Denial]:
    """Yield what the other policies of each role deny it."""
    iam = boto3.client("iam")
    for service, required_policy in required.items():
        role = location().role_name(service)
        for name, policy in _other_policies(iam, role):
            for statement in denying_statements(policy):
                for action in denied_actions(required_policy, statement):
                    yield Denial(f"policy {name} of role {role}", action, "Condition" in statement)


def _other_policies(iam: IAMClient, role: str) -> Iterator[tuple[str, Policy]]:
    """Yield the names and documents of a role's policies except setup's own."""
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            if name != PIPELINE:
                response = iam.get_role_policy(RoleName=role, PolicyName=name)
                yield name, _document(response["PolicyDocument"])
    for attached_page in iam.get_paginator("list_attached_role_policies").paginate(RoleName=role):
        for attached in attached_page["AttachedPolicies"]:
            policy_arn = attached["PolicyArn"]
            version = iam.get_policy(PolicyArn=policy_arn)["Policy"]["DefaultVersionId"]
            document = iam.get_policy_version(PolicyArn=policy_arn, VersionId=version)
            yield attached["PolicyName"], _document(document["PolicyVersion"]["Document"])


def _bounded_roles(services: Iterable[str]) -> list[str]:
    iam = boto3.client("iam")
    roles = [location().role_name(service) for service in services]
    return [role for role in roles if "PermissionsBoundary" in iam.get_role(RoleName=role)["Role"]]


def _resource_denials(required: Mapping[str, Policy]) -> Iterator[Denial]:
    """Yield what the policies of bucket, stream and queue deny the roles."""
    required_by_role = {
        location().role_arn(service): policy for service, policy in required.items()
    }
    for name, policy in _resource_policies():
        for statement in denying_statements(policy):
            for role, required_policy in required_by_role.items():
                if concerns(statement, role):
                    for action in denied_actions(required_policy, statement):
                        yield Denial(name, action, "Condition" in statement)


def _resource_policies() -> Iterator[tuple[str, Policy]]:
    """Yield the names and policies of the resources that have a policy."""
    for name, read_policy in (
        (f"policy of bucket {bucket()}", _bucket_policy),
        (f"policy of stream {STREAM}", _stream_policy),
        (f"policy of queue {DEAD_LETTERS}", _queue_policy),
    ):
        try:
            yield name, json.loads(read_policy() or "{}")
        except ClientError as error:
            _require_no_policy(error)


def _bucket_policy() -> str:
    return boto3.client("s3").get_bucket_policy(Bucket=bucket())["Policy"]


def _stream_policy() -> str:
    stream = stream_arn() or arn("kinesis", f"stream/{STREAM}")
    return boto3.client("kinesis").get_resource_policy(ResourceARN=stream)["Policy"]


def _queue_policy() -> str:
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=DEAD_LETTERS)["QueueUrl"]
    response = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    return response.get("Attributes", {}).get("Policy", "")


def _require_no_policy(error: ClientError) -> None:
    """Raise the error unless it says that a resource has no policy, or does not exist."""
    if not (error.response["Error"]["Code"] in NO_POLICY_CODES or is_not_found(error)):
        raise error


def _document(document: Any) -> Policy:
    """Return a policy document, which boto3 decodes although its stubs allow text."""
    decoded: Policy = document
    return decoded
