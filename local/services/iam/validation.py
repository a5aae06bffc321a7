"""What IAM refuses of roles and their policies, and moto takes."""

import json
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import Role, iam_backends

from local.core.errors import constraint_violation
from local.core.request import ApiResponse, AwsError

NAME_CHARACTERS = 64
POLICY_CHARACTERS = 10_240  # Of all inline policies of a role; white space does not count.
XML = (("Content-Type", "text/xml"),)


def check(action: str, query: Mapping[str, str], partition: str) -> None:
    """Refuse a call that IAM refuses, by its form parameters and the roles of its partition."""
    roles = list(iam_backends[DEFAULT_ACCOUNT_ID][partition].roles.values())
    if action == "CreateRole":
        _check_name(query.get("RoleName", ""), roles)
    if action == "PutRolePolicy":
        _check_size(query, roles)


def refusal(error: AwsError) -> ApiResponse:
    """Return an error as IAM's protocol spells it."""
    text = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{error.code}</Code>"
        f"<Message>{escape(error.message)}</Message></Error></ErrorResponse>"
    )
    return ApiResponse(text.encode(), error.status, XML)


def _check_name(name: str, roles: Sequence[Role]) -> None:
    if len(name) > NAME_CHARACTERS:
        constraint = f"Member must have length less than or equal to {NAME_CHARACTERS}"
        raise constraint_violation(name, "roleName", constraint, code="ValidationError")
    if name.lower() in (role.name.lower() for role in roles):
        raise AwsError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)


def _check_size(query: Mapping[str, str], roles: Sequence[Role]) -> None:
    name, policy = query.get("RoleName", ""), query.get("PolicyName", "")
    held = next((role.policies for role in roles if role.name == name), {})
    others = [text for each, text in held.items() if each != policy]
    documents = [json.dumps(text) if isinstance(text, dict) else text for text in others]
    if sum(map(_size, [*documents, query.get("PolicyDocument", "")])) > POLICY_CHARACTERS:
        text = f"Maximum policy size of {POLICY_CHARACTERS} bytes exceeded for role {name}"
        raise AwsError("LimitExceeded", text, 409)


def _size(document: str) -> int:
    return len("".join(document.split()))
