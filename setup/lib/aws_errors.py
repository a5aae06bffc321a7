"""AWS errors: one sentence for each that a user can fix, with the fix."""

from errno import ENOSPC

import botocore.exceptions as errors

from setup.lib.errors import UserError

SIGN_IN = "run aws sso login (with version 2 of the AWS CLI)"
# botocore's messages state the fact, these the fix; the first class that matches is used.
ADVICE: dict[type[Exception], str] = {
    errors.NoRegionError: "run export AWS_DEFAULT_REGION=us-east-1 (or your region)",
    errors.NoCredentialsError: "run aws configure, or set AWS_PROFILE",
    errors.PartialCredentialsError: "run aws configure",
    errors.ProfileNotFound: "set AWS_PROFILE to a profile of ~/.aws/config",
    errors.ConfigParseError: "fix that file, or set AWS_CONFIG_FILE",
    errors.UnauthorizedSSOTokenError: SIGN_IN,
    errors.SSOError: SIGN_IN,
    errors.TokenRetrievalError: SIGN_IN,
    errors.CredentialRetrievalError: "sign in again, or run aws configure",
    errors.UnknownRegionError: "check the spelling of AWS_DEFAULT_REGION",
    errors.InvalidRegionError: "check the spelling of AWS_DEFAULT_REGION",
    errors.EndpointConnectionError: (
        "check the network, the region, and the endpoint in your environment"
    ),
    errors.HTTPClientError: "check the network, and run it again",
}
ACCESS_DENIED_CODES = (
    "AccessDenied",
    "AccessDeniedException",
    "UnauthorizedOperation",
    "AuthorizationError",
    "AllAccessDisabled",
    "403",
)
INVALID_CREDENTIALS_CODES = (
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidToken",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
)
SIGNATURE_CODES = ("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed")
# How botocore's ValueErrors about an endpoint begin: there is no narrower class for them.
INVALID_ENDPOINT_PREFIXES = ("Invalid endpoint", "Port ")
# What a command reports in one line, without a traceback.
EXPECTED_ERRORS = (UserError, errors.BotoCoreError, errors.ClientError, OSError, ValueError)


def error_message(error: Exception) -> str:
    """Return one sentence with the error and its fix; reraise a ValueError that is a bug."""
    if isinstance(error, errors.ClientError):
        return _aws_error_message(error)
    if isinstance(error, ValueError) and not isinstance(error, errors.BotoCoreError):
        if not str(error).startswith(INVALID_ENDPOINT_PREFIXES):
            raise error
        return f"{error}: expected a URL such as http://127.0.0.1:5000"
    if isinstance(error, OSError) and error.errno == ENOSPC:
        return f"{error}: free some disk space, and run it again"
    for error_class, fix in ADVICE.items():
        if isinstance(error, error_class):
            return f"{str(error).rstrip('.')}: {fix}"
    return str(error)


def concerns_one_service(error: Exception) -> bool:
    """Return whether the other services may answer, unlike after invalid credentials."""
    if isinstance(error, errors.ClientError):
        code = error.response["Error"]["Code"]
        return code not in INVALID_CREDENTIALS_CODES + SIGNATURE_CODES
    return isinstance(error, UserError | errors.EndpointConnectionError | errors.HTTPClientError)


def _aws_error_message(error: errors.ClientError) -> str:
    code = error.response["Error"]["Code"]
    message = " ".join(error.response["Error"].get("Message", "").split()).rstrip(".")
    if code in ACCESS_DENIED_CODES:
        return (
            f"access denied: these credentials may not call {error.operation_name}: {message}: "
            f"docs/aws.md lists the permissions that they need"
        )
    if code in INVALID_CREDENTIALS_CODES:
        return f"invalid or expired credentials: {message}: sign in again, or run aws configure"
    if code in SIGNATURE_CODES:
        return f"invalid signature: {message}: check the secret key and the system clock"
    return f"{error.operation_name} failed: {code}: {message}"
