"""What a role may do, by the policies that setup gave it, call by call."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

import boto3
from botocore.exceptions import ClientError

from local.call import Call, Reply
from local.iam.calls import TOKEN_MEMBERS, TOKENS, Place, needed, request_keys
from local.iam.denials import denials_of
from local.iam.keys import USES, StreamKeys
from local.iam.policies import Decision, Document, Statement, decision, statements, trusts
from local.part import Part

PATIENCE = 1.0  # seconds for which a role is not read again while nobody is seen to change one


class Iam(Part):
    """Sees every change of IAM, so that a guard knows when what it read of a role is stale."""

    services = ("iam",)
    changes: ClassVar[int] = 0  # Of the process: so is moto's IAM.

    def answer(self, call: Call) -> Reply | None:
        """Return moto's reply, and count the call if it may have changed something."""
        action = parse_qs(call.body.decode()).get("Action", [""])[0]
        if action.startswith(("Get", "List")):
            return None
        reply = self.cloud.moto(call)
        Iam.changes += 1
        return reply


@dataclass(frozen=True, slots=True)
class Role:
    """Whom a role trusts and what it may do."""

    trust: tuple[Statement, ...]
    permissions: tuple[Statement, ...]


def guard(
    client: Any, iam: Any, role: str, principal: str, context: Mapping[str, str] | None = None
) -> None:
    """Refuse each call of `client` that `principal`, acting as `role` (an ARN), may not make.

    `context` holds condition keys that the service presents when it assumes the role, such as
    aws:SourceArn; those that follow from role and principal are known.
    """
    checks = _Guard(client, iam, role, principal, context or {})
    client.meta.events.register("before-parameter-build", checks.before)
    client.meta.events.register("after-call", checks.after)


def denials(iam: Any) -> list[str]:
    """Return who was refused what since IAM was last changed, role by role."""
    noted = denials_of(iam, Iam.changes).sentences
    return [f"role {role} lacks {action}: {said}" for (role, action), said in list(noted.items())]


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
class Asked:
    """What a client asks for: the call, and the condition keys that it presents."""

    service: str
    operation: str
    keys: Mapping[str, str]


# The codes of services that spell a refusal in another way than AccessDeniedException.
_CODES = {
    **dict.fromkeys(("s3", "sqs", "sts"), ("AccessDenied", 403)),
    "kms": ("KMSAccessDeniedException", 400),
}


@dataclass(frozen=True, slots=True)
class _Reading:
    """What was read of a role, when, and how many changes of IAM had been seen by then."""

    role: Role | None
    changes: int
    at: float


_READINGS: WeakKeyDictionary[Any, dict[str, _Reading]] = WeakKeyDictionary()


def _role_lately(iam: Any, arn: str) -> Role | None:
    """Return what IAM says of a role, read again only if it may have changed."""
    readings = _READINGS.setdefault(iam, {})
    now, changes = time.monotonic(), Iam.changes
    last = readings.get(arn)
    if last is None or last.changes != changes or now - last.at > PATIENCE:
        last = readings[arn] = _Reading(role_now(iam, arn), changes, now)
    return last.role


class _Guard:
    """The check of one client's calls, before each, and what it learns from the answers."""

    def __init__(
        self, client: Any, iam: Any, role: str, principal: str, context: Mapping[str, str]
    ) -> None:
        self._client = client
        self._iam = iam
        self._arn = role
        self._principal = principal
        self._presented = {**presented(role, principal), **context}
        _, partition, _, _, account, _ = role.split(":", 5)
        self._place = Place(partition, client.meta.region_name, account)
        self._keys = StreamKeys(boto3.client("kinesis", config=client.meta.config), self._place)

    def before(
        self, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        """Raise AccessDenied unless the role may be assumed and allows this call."""
        service = model.service_model.service_name
        need = needed(service, model.name)
        resources = need.resources(params, self._place)
        role = self._assumed()
        keys = {**self._surroundings(), **request_keys(service, params)}
        asked = Asked(service, model.name, keys)
        for resource in resources:
            self._judge(role, asked, need.action, resource)
        if service == "kinesis" and model.name in USES:
            self._judge_key(role, asked, USES[model.name], resources[0])
        context["guarded_resources"] = resources

    def _judge(self, role: Role, asked: Asked, action: str, resource: str) -> None:
        said = decision(role.permissions, action, resource, asked.keys)
        if said is not Decision.ALLOWED:
            sentence = self._sentence(asked.service, action, resource, said)
            raise self._refusal(asked, action, sentence)

    def _judge_key(self, role: Role, asked: Asked, action: str, stream: str) -> None:
        """Judge the use of the key of an encrypted stream, which Kinesis makes for the caller."""
        if key := self._keys.key(stream):
            keys = {**asked.keys, **self._keys.context()}
            self._judge(role, Asked("kms", asked.operation, keys), action, key)

    def after(self, parsed: Mapping[str, Any], context: Mapping[str, Any], **_: Any) -> None:
        """Note which stream the tokens in an answer read."""
        for member in TOKEN_MEMBERS:
            if token := parsed.get(member):
                TOKENS.remember(token, context["guarded_resources"])

    def _assumed(self) -> Role:
        role = _role_lately(self._iam, self._arn)
        if role is None or not trusts(role.trust, self._principal, self._presented):
            sentence = (
                f"User: {self._principal} is not authorized to perform: sts:AssumeRole "
                f"on resource: {self._arn}"
            )
            raise self._refusal(Asked("sts", "AssumeRole", {}), "sts:AssumeRole", sentence)
        return role

    def _surroundings(self) -> dict[str, str]:
        """Return the condition keys of every call; loopback counts as TLS."""
        return {
            "aws:SecureTransport": "true",
            "aws:RequestedRegion": self._place.region,
            "aws:ResourceAccount": self._place.account,
        }

    def _sentence(self, service: str, action: str, resource: str, said: Decision) -> str:
        quoted = f'"{resource}"' if service == "s3" else resource
        reason = (
            "with an explicit deny in an identity-based policy"
            if said is Decision.DENIED
            else f"because no identity-based policy allows the {action} action"
        )
        return (
            f"{self._actor()} is not authorized to perform: {action} on resource: {quoted} {reason}"
        )

    def _actor(self) -> str:
        """Return who acts; the crawler's errors name the service and not the role."""
        if self._principal == "glue.amazonaws.com":
            return f"Service Principal: {self._principal}"
        place, name = self._place, self._arn.rpartition("/")[2]
        session = self._principal.partition(".")[0]
        return f"User: arn:{place.partition}:sts::{place.account}:assumed-role/{name}/{session}"

    def _refusal(self, asked: Asked, action: str, sentence: str) -> ClientError:
        """Return the error, and note it: most of the parts do not pass it on, as on AWS."""
        noted = denials_of(self._iam, Iam.changes).sentences
        noted[self._arn.rpartition("/")[2], action] = sentence
        code, status = _CODES.get(asked.service, ("AccessDeniedException", 400))
        answer: Any = {
            "Error": {"Code": code, "Message": sentence},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        return self._client.exceptions.from_code(code)(answer, asked.operation)
