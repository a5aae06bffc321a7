"""IAM's limits on roles and their policies, which moto does not enforce."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

from moto.iam.models import Role, iam_backends

from local.core.errors import constraint_violation
from local.core.request import ApiResponse, AwsError
from local.core.server import ACCOUNT

NAME_CHARACTERS = 64
POLICY_CHARACTERS = 10_240  # All inline policies of a role together, without white space.
XML_HEADERS = (("Content-Type", "text/xml"),)


def check_call(action: str, query: Mapping[str, str], partition: str) -> None:
    """Raise IAM's error for a call that breaks a limit, given its form parameters."""
    roles = list(iam_backends[ACCOUNT][partition].roles.values())
    if action == "CreateRole":
        _check_name(query.get("RoleName", ""), roles)
    if action == "PutRolePolicy":
        _check_policy_size(query, roles)


def error_response(error: AwsError) -> ApiResponse:
    """Return an error in the XML of IAM's protocol."""
    xml = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{error.code}</Code>"
        f"<Message>{escape(error.message)}</Message></Error></ErrorResponse>"
    )
    return ApiResponse(xml.encode(), error.status, XML_HEADERS)


def _check_name(name: str, roles: Sequence[Role]) -> None:
    if len(name) > NAME_CHARACTERS:
        constraint = f"Member must have length less than or equal to {NAME_CHARACTERS}"
        raise constraint_violation(name, "roleName", constraint, code="ValidationError")
    if name.lower() in (role.name.lower() for role in roles):
        raise AwsError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)


def _check_policy_size(query: Mapping[str, str], roles: Sequence[Role]) -> None:
    role_name = query.get("RoleName", "")
    inline = next((role.policies for role in roles if role.name == role_name), {})
    documents = {**inline, query.get("PolicyName", ""): query.get("PolicyDocument", "")}
    if sum(map(_policy_size, documents.values())) > POLICY_CHARACTERS:
        message = f"Maximum policy size of {POLICY_CHARACTERS} bytes exceeded for role {role_name}"
        raise AwsError("LimitExceeded", message, 409)


def _policy_size(document: str | dict[str, Any]) -> int:
    text = json.dumps(document) if isinstance(document, dict) else document
    return len("".join(text.split()))
