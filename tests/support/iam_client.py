"""Clients whose calls the laptop checks against the role `mover`, and the role's permissions."""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.iam.service import Iam
from tests.support.iam_roles import allow, grant, trust
from tests.support.laptop_cloud import aws

ACCOUNT = "123456789012"
REGION = "us-east-1"
Connect = Callable[..., Any]


def guarded_client(
    cloud: Cloud, service: str, role: str, principal: str = "pipes", **context: str
) -> Any:
    # A client with options is not shared.
    client: Any = boto3.client(service, config=Config())  # type: ignore[call-overload]  # any
    cloud.service(Iam).guard_client(client, role, f"{principal}.amazonaws.com", context)
    return client


def create_role(*permissions: dict[str, Any], trust_policy: str = "") -> str:
    """Create the role `mover` with one inline policy, and return its ARN."""
    document = trust_policy or trust("pipes")
    response = aws("iam").create_role(RoleName="mover", AssumeRolePolicyDocument=document)
    put_permissions(*permissions)
    return str(response["Role"]["Arn"])


def put_permissions(*permissions: dict[str, Any]) -> None:
    """Replace the permissions of the role `mover`."""
    unrelated = allow("ec2:RunInstances", "*")  # AWS rejects a policy without statements.
    grant("mover", unrelated, *permissions)


def denial(client: Any, operation: str, **params: Any) -> str:
    """Return the AccessDenied message of a call; "" if it was allowed."""
    try:
        getattr(client, operation)(**params)
    except ClientError as error:
        details = error.response["Error"]
        return details["Message"] if details["Code"].startswith("AccessDenied") else ""
    return ""
