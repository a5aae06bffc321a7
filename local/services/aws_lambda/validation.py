"""Lambda's checks of a function's configuration, code and events, with its error messages.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

import io
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

from local.core.errors import constraint_violation, not_modelled_message
from local.core.request import AwsError

SUPPORTED_RUNTIMES = tuple(f"python3.{minor}" for minor in range(10, 16))
DEPRECATED_RUNTIMES = ("python2.7", "python3.6", "python3.7", "python3.8", "python3.9")
RANGES = {"Timeout": (1, 900), "MemorySize": (128, 10_240)}
PATTERNS = {
    "Handler": r"[^\s]{1,128}",
    "FunctionName": r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
}
RESERVED_VARIABLES = frozenset(
    (
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API",
        "LAMBDA_TASK_ROOT",
        "LAMBDA_RUNTIME_DIR",
    )
)
NOT_MODELLED_PARAMS = (
    "Layers",
    "ImageConfig",
    "FileSystemConfigs",
    "DeadLetterConfig",
    "SnapStart",
    "Publish",
)
ENVIRONMENT_BYTES = 4 * 1024
ZIP_BYTES = 50 * 1024 * 1024
UNZIPPED_BYTES = 262_144_000
REQUEST_BYTES = 6_291_456
# zipfile raises these for corrupted, encrypted or unknown compressed data.
UNZIPPING_ERRORS = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError)


def check_configuration(params: Mapping[str, Any]) -> None:
    """Reject an invalid configuration of a new or updated function."""
    check_modelled(params)
    for member, pattern in PATTERNS.items():
        if member in params and not re.fullmatch(pattern, params[member]):
            constraint = f"Member must satisfy regular expression pattern: {pattern}"
            raise _violation(params[member], member, constraint)
    for member, (minimum, maximum) in RANGES.items():
        value = params.get(member, minimum)
        if value < minimum:
            constraint = f"Member must have value greater than or equal to {minimum}"
            raise _violation(value, member, constraint)
        if value > maximum:
            constraint = f"Member must have value less than or equal to {maximum}"
            raise _violation(value, member, constraint)
    _check_runtime(params.get("Runtime", SUPPORTED_RUNTIMES[-1]))
    _check_environment(params.get("Environment", {}).get("Variables", {}))


def check_creation(params: Mapping[str, Any]) -> None:
    """Reject an invalid new function."""
    if not ("Runtime" in params and "Handler" in params):
        message = (
            "Runtime and Handler are mandatory parameters for functions created with "
            "deployment packages."
        )
        raise _invalid(message)
    check_configuration(params)


def check_zip(code: bytes, operation: str) -> None:
    """Reject code that is too large or not a zip archive."""
    if len(code) > ZIP_BYTES:
        message = f"Request must be smaller than 69905067 bytes for the {operation} operation"
        raise AwsError("RequestEntityTooLargeException", message, 413)
    try:
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            is_intact = archive.testzip() is None
    except UNZIPPING_ERRORS:
        is_intact = False
    if not is_intact:
        message = "Could not unzip uploaded file. Please check your file, then try to upload again."
        raise _invalid(message)
    if size > UNZIPPED_BYTES:
        raise _invalid(f"Unzipped size must be smaller than {UNZIPPED_BYTES} bytes")


def check_event(event: bytes) -> None:
    """Reject an event that is too large or not JSON."""
    if len(event) > REQUEST_BYTES:
        message = (
            f"Request must be smaller than {REQUEST_BYTES} bytes for the InvokeFunction operation"
        )
        raise AwsError("RequestTooLargeException", message, 413)
    try:
        json.loads(event or b"{}")
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise AwsError("InvalidRequestContentException", message) from None


def check_modelled(params: Mapping[str, Any]) -> None:
    """Reject parameters that are not modelled by the laptop cloud."""
    features = [name for name in NOT_MODELLED_PARAMS if params.get(name)]
    if params.get("PackageType", "Zip") != "Zip":
        features.append("PackageType=Image")
    if features:
        raise _invalid(not_modelled_message(*features))


def _check_runtime(runtime: str) -> None:
    if runtime in DEPRECATED_RUNTIMES:
        message = (
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )
        raise _invalid(message)
    if runtime not in SUPPORTED_RUNTIMES:
        names = ", ".join(SUPPORTED_RUNTIMES)
        message = (
            f"Value {runtime} at 'runtime' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{names}] or be a valid ARN"
        )
        raise _invalid(message)


def _check_environment(variables: Mapping[str, str]) -> None:
    prefix = (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided"
    )
    if reserved := sorted(RESERVED_VARIABLES.intersection(variables)):
        message = (
            f"{prefix} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(reserved)}"
        )
        raise _invalid(message)
    encoded = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(encoded.encode()) > ENVIRONMENT_BYTES:
        raise _invalid(f"{prefix} exceeded the 4KB limit. String measured: {encoded}")
    for name, value in variables.items():
        if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]+", name):
            constraint = (
                "Map keys must satisfy constraint: [Member must satisfy regular expression "
                "pattern: [a-zA-Z]([a-zA-Z0-9_])+]"
            )
            raise _violation({name: value}, "Environment.variables", constraint)


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameterValueException", message)


def _violation(value: Any, parameter: str, constraint: str) -> AwsError:
    return constraint_violation(value, parameter[0].lower() + parameter[1:], constraint)
