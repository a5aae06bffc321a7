"""Permission checks before each call of a client that acts under a role."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from local.services.iam.kms import KMS_ACTION, StreamKeys
from local.services.iam.policy_evaluation import Decision, NotModelled, decide, trusts
from local.services.iam.required_permissions import (
    LIST_MEMBERS,
    TOKEN_MEMBERS,
    Location,
    Permission,
    TokenRegistry,
    request_keys,
    required_permissions,
)
from local.services.iam.roles import Role, RoleCache, assume_role_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from botocore.exceptions import ClientError

    from local.core.server import Cloud

EVALUABLE_POLICY = "a policy that the laptop cloud can evaluate"
# S3, SQS, STS and KMS spell AccessDeniedException differently.
_ERROR_CODES = {
    "s3": ("AccessDenied", 403),
    "sqs": ("AccessDenied", 403),
    "sts": ("AccessDenied", 403),
    "kms": ("KMSAccessDeniedException", 400),
}


class AccessControl:
    """The state that all guarded clients of one cloud share.

    The log of denials has one message for each role and action since IAM last changed: AWS
    offers only CloudTrail for that.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.roles = RoleCache(cloud)
        self.tokens = TokenRegistry()
        self._denials: dict[tuple[str, str], str] = {}

    def record_change(self) -> None:
        """Make what was read of IAM stale, and the denials with it."""
        self.roles.record_change()
        self._denials = {}

    def record_denial(self, role: str, action: str, message: str) -> None:
        """Log a denial: most services do not report it to anybody, as on AWS."""
        self._denials[role, action] = message

    def denials(self) -> list[str]:
        """Return a sentence for each role and action denied since IAM last changed."""
        logged = list(self._denials.items())
        return [f"role {role} lacks {action}: {message}" for (role, action), message in logged]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that a client is about to make, and its condition keys."""

    service: str
    operation: str
    condition_keys: Mapping[str, str]


class ClientGuard:
    """The checks of one client: `principal` acts as `role`, an ARN.

    `context` holds condition keys that the service presents when it assumes the role, such as
    aws:SourceArn; those that follow from role and principal are added here.
    """

    def __init__(
        self,
        access: AccessControl,
        client: Any,
        role: str,
        principal: str,
        context: Mapping[str, str],
    ) -> None:
        _, partition, _, _, account, _ = role.split(":", 5)
        self._access = access
        self._client = client
        self._role_arn = role
        self._principal = principal
        self._assume_role_context = {**assume_role_context(role, principal), **context}
        self._location = Location(partition, client.meta.region_name, account)
        self._stream_keys = StreamKeys(access.cloud, self._location)

    def install(self) -> None:
        """Check every later call of the client."""
        events = self._client.meta.events
        events.register("before-parameter-build", self._check_call)
        events.register("after-call", self._remember_tokens)

    def _check_call(
        self, params: Mapping[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        """Raise AccessDenied unless the role may be assumed and allows this call."""
        service = model.service_model.service_name
        checks = [
            (permission.action, self._resources(permission, params))
            for permission in required_permissions(service, model.name)
        ]
        role = self._assume_role()
        keys = {**self._global_context_keys(), **request_keys(service, params)}
        call = Call(service, model.name, keys)
        for action, resources in checks:
            for resource in resources:
                self._authorize(role, call, action, resource)
        main_resources = checks[0][1]
        if service == "kinesis" and model.name in KMS_ACTION:
            self._authorize_key_use(role, call, main_resources[0])
        context["guarded_resources"] = main_resources

    def _resources(self, permission: Permission, params: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the resources of a call, by its token if nothing else names them."""
        resources = permission.resources(params, self._location)
        return self._access.tokens.resources(params) if resources is None else resources

    def _authorize(self, role: Role, call: Call, action: str, resource: str) -> None:
        decision = decide(role.permissions, action, resource, call.condition_keys)
        if decision is not Decision.ALLOWED:
            message = self._denial_message(call.service, action, resource, decision)
            raise self._access_denied(call, action, message)

    def _authorize_key_use(self, role: Role, call: Call, stream: str) -> None:
        """Authorize the key of an encrypted stream, which Kinesis uses on behalf of the caller."""
        if key := self._stream_keys.key(stream):
            keys = {**call.condition_keys, **self._stream_keys.context()}
            kms_call = replace(call, service="kms", condition_keys=keys)
            self._authorize(role, kms_call, KMS_ACTION[call.operation], key)

    def _remember_tokens(
        self, parsed: Mapping[str, Any], context: Mapping[str, Any], **_: Any
    ) -> None:
        """Remember which resources the tokens in a response belong to."""
        tokens = [parsed.get(member) for member in TOKEN_MEMBERS]
        for member in LIST_MEMBERS:
            tokens += parsed.get(member, ())
        for token in filter(None, tokens):
            self._access.tokens.remember(token, context["guarded_resources"])

    def _assume_role(self) -> Role:
        call = Call("sts", "AssumeRole", {})
        try:
            role = self._access.roles.role(self._role_arn)
        except NotModelled as error:  # This service fails, and not the whole cloud.
            raise self._access_denied(call, EVALUABLE_POLICY, error.message) from None
        if role is None or not trusts(role.trust, self._principal, self._assume_role_context):
            message = (
                f"User: {self._principal} is not authorized to perform: sts:AssumeRole "
                f"on resource: {self._role_arn}"
            )
            raise self._access_denied(call, "sts:AssumeRole", message)
        return role

    def _global_context_keys(self) -> dict[str, str]:
        """Return the condition keys of every call; loopback counts as TLS."""
        return {
            "aws:SecureTransport": "true",
            "aws:RequestedRegion": self._location.region,
            "aws:ResourceAccount": self._location.account,
        }

    def _denial_message(self, service: str, action: str, resource: str, decision: Decision) -> str:
        quoted = f'"{resource}"' if service == "s3" else resource
        reason = (
            "with an explicit deny in an identity-based policy"
            if decision is Decision.DENIED
            else f"because no identity-based policy allows the {action} action"
        )
        return (
            f"{self._actor()} is not authorized to perform: {action} on resource: {quoted} {reason}"
        )

    def _actor(self) -> str:
        """Return who acts; the crawler's errors name the service and not the role."""
        if self._principal == "glue.amazonaws.com":
            return f"Service Principal: {self._principal}"
        location, name = self._location, self._role_name()
        session = self._principal.partition(".")[0]
        role = f"assumed-role/{name}/{session}"
        return f"User: arn:{location.partition}:sts::{location.account}:{role}"

    def _role_name(self) -> str:
        return self._role_arn.rpartition("/")[2]

    def _access_denied(self, call: Call, action: str, message: str) -> ClientError:
        """Log a denial, and return it as the error that boto3 raises."""
        self._access.record_denial(self._role_name(), action, message)
        code, status = _ERROR_CODES.get(call.service, ("AccessDeniedException", 400))
        response = {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        error: ClientError = self._client.exceptions.from_code(code)(response, call.operation)
        return error
