"""Secrets Manager: moto keeps the secrets; a function reads them with its role's permissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from local.core.request import AwsError, json_response
from local.core.service import Service

if TYPE_CHECKING:
    from local.core.request import ApiRequest, ApiResponse

FUNCTION_PRINCIPAL = "lambda.amazonaws.com"


class SecretsManager(Service):
    """The session token of a function's process is the ARN of its role: see `aws_lambda.process`.

    Every other caller may do everything, as in the rest of the laptop cloud.
    """

    credential_scopes = ("secretsmanager",)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return a secret's value to a function, if its role may read it."""
        role = request.environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
        if not role.startswith("arn:") or request.operation != "GetSecretValue":
            return None
        client = self.cloud.client("secretsmanager", role, FUNCTION_PRINCIPAL)
        try:
            secret = client.get_secret_value(**request.params)
        except ClientError as error:
            details = error.response["Error"]
            raise AwsError(details["Code"], details["Message"]) from None
        members = ("ARN", "Name", "VersionId", "SecretString")
        return json_response({name: secret[name] for name in members if name in secret})
