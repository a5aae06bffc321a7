"""What stands between a service and AWS: the rights of the role that it acts as, call by call."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local.services.iam.denials import denials_of
from local.services.iam.kms import LOOKING, USES, StreamKeys
from local.services.iam.policy_evaluation import Decision, NotModelled, decision, trusts
from local.services.iam.required_permissions import (
    TOKEN_MEMBERS,
    TOKENS,
    Place,
    needed,
    request_keys,
)
from local.services.iam.roles import Role, presented, role_lately
from local.services.iam.service import Iam


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


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asks for: the call, and the condition keys that it presents."""

    service: str
    operation: str
    keys: Mapping[str, str]


JUDGEABLE = "a policy that the laptop cloud can judge"
# The codes of services that spell a refusal in another way than AccessDeniedException.
_CODES = {
    **dict.fromkeys(("s3", "sqs", "sts"), ("AccessDenied", 403)),
    "kms": ("KMSAccessDeniedException", 400),
}


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
        self._keys = StreamKeys(client, self._place)

    def before(
        self, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        """Raise AccessDenied unless the role may be assumed and allows this call."""
        if LOOKING.get():
            return
        service = model.service_model.service_name
        asked_for = [
            (need.action, need.resources(params, self._place))
            for need in needed(service, model.name)
        ]
        role = self._assumed()
        keys = {**self._surroundings(), **request_keys(service, params)}
        asked = Asked(service, model.name, keys)
        for action, each in asked_for:
            for resource in each:
                self._judge(role, asked, action, resource)
        _, resources = asked_for[0]
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
        try:
            role = role_lately(self._iam, self._arn)
        except NotModelled as error:  # The service fails, and not the whole cloud.
            asked = Asked("sts", "AssumeRole", {})
            raise self._refusal(asked, JUDGEABLE, error.message) from None
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
