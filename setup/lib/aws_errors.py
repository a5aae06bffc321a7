"""What a user can do about an error of AWS or of the way there, in one sentence."""

import botocore.exceptions as errors

# botocore's own texts say what is wrong; these say what to do about it. The first that fits holds.
ADVICE: dict[type[Exception], str] = {
    errors.NoRegionError: "run export AWS_DEFAULT_REGION=us-east-1, or yours",
    errors.NoCredentialsError: "run aws configure, or set AWS_PROFILE",
    errors.PartialCredentialsError: "run aws configure",
    errors.ProfileNotFound: "run aws configure list-profiles",
    errors.ConfigParseError: "mend that file, or name another by AWS_CONFIG_FILE",
    errors.UnauthorizedSSOTokenError: "run aws sso login",
    errors.SSOError: "run aws sso login",
    errors.TokenRetrievalError: "run aws sso login",
    errors.CredentialRetrievalError: "sign in again, or run aws configure",
    errors.UnknownRegionError: "is AWS_DEFAULT_REGION spelled right?",
    errors.InvalidRegionError: "is AWS_DEFAULT_REGION spelled right?",
    errors.EndpointConnectionError: (
        "is the network up, and do the region and the endpoint of your environment exist?"
    ),
    errors.HTTPClientError: "is the network up? run it again",
}
DENIED = (
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"),
    *("AllAccessDisabled", "403"),
)
EXPIRED = (
    *("ExpiredToken", "ExpiredTokenException", "RequestExpired", "InvalidToken"),
    *("InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException"),
)
UNSIGNED = ("SignatureDoesNotMatch", "InvalidSignatureException", "RequestTimeTooSkewed")
NO_ADDRESS = ("Invalid endpoint", "Port ")  # A number out of range, or none.
FULL = "No space left on device"
FAULTS = (errors.BotoCoreError, errors.ClientError, ValueError)


def reason(error: Exception) -> str:
    """Return in one sentence what a user can do something about; raise a ValueError that is none.

    botocore tells of an endpoint that is no address by nothing narrower than a ValueError.
    """
    if isinstance(error, errors.ClientError):
        return _of_aws(error)
    if isinstance(error, ValueError) and not isinstance(error, errors.BotoCoreError):
        if not str(error).startswith(NO_ADDRESS):
            raise error
        return f"{error}: expected an address such as http://127.0.0.1:5000"
    if isinstance(error, OSError) and FULL in str(error):
        return f"{error}: make room, and run it again"
    advice = next((text for kind, text in ADVICE.items() if isinstance(error, kind)), "")
    return f"{str(error).rstrip('.')}: {advice}" if advice else str(error)


def _of_aws(error: errors.ClientError) -> str:
    told = error.response["Error"]
    code, text = told["Code"], " ".join(told.get("Message", "").split()).rstrip(".")
    if code in DENIED:
        return (
            f"{error.operation_name} is not allowed to these credentials: {text}: docs/aws.md "
            f"says which rights they need"
        )
    if code in EXPIRED:
        return f"the credentials are not valid (any more): {text}: sign in again, or aws configure"
    if code in UNSIGNED:
        return f"AWS refuses the signature: {text}: is the secret key right, and the clock?"
    return f"{error.operation_name} failed: {code}: {text}"
