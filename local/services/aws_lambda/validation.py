"""What Lambda refuses of a function's configuration and code, in its own words.

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

SUPPORTED = tuple(f"python3.{minor}" for minor in range(10, 16))
DEPRECATED = ("python2.7", "python3.6", "python3.7", "python3.8", "python3.9")
RANGES = {"Timeout": (1, 900), "MemorySize": (128, 10_240)}
PATTERNS = {
    "Handler": r"[^\s]{1,128}",
    "FunctionName": r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\d{1}:)?"
    r"(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?",
}
RESERVED = frozenset(
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
NOT_MODELLED = (
    "Layers",
    "ImageConfig",
    "FileSystemConfigs",
    "DeadLetterConfig",
    "SnapStart",
    "Publish",
)
ENVIRONMENT_LIMIT = 4 * 1024
ZIP_LIMIT = 50 * 1024 * 1024
UNZIPPED_LIMIT = 262_144_000
REQUEST_LIMIT = 6_291_456
# What zipfile raises at bytes that are spoilt, encrypted or compressed in a way it does not know.
UNZIPPING_ERRORS = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError)


def check_configuration(params: Mapping[str, Any]) -> None:
    """Refuse what a create or an update of a function's configuration may not hold."""
    check_modelled(params)
    for member, pattern in PATTERNS.items():
        if member in params and not re.fullmatch(pattern, params[member]):
            wanted = f"Member must satisfy regular expression pattern: {pattern}"
            raise _violation(params[member], member, wanted)
    for member, (least, most) in RANGES.items():
        value = params.get(member, least)
        if not least <= value <= most:
            bound = (
                f"greater than or equal to {least}"
                if value < least
                else f"less than or equal to {most}"
            )
            raise _violation(value, member, f"Member must have value {bound}")
    _check_runtime(params.get("Runtime", SUPPORTED[-1]))
    _check_environment(params.get("Environment", {}).get("Variables", {}))


def check_creation(params: Mapping[str, Any]) -> None:
    """Refuse what a new function may not be."""
    if not ("Runtime" in params and "Handler" in params):
        text = (
            "Runtime and Handler are mandatory parameters for functions created with "
            "deployment packages."
        )
        raise _invalid(text)
    check_configuration(params)


def check_zip(code: bytes, operation: str) -> None:
    """Refuse code that is too large, or no zip file."""
    if len(code) > ZIP_LIMIT:
        text = f"Request must be smaller than 69905067 bytes for the {operation} operation"
        raise AwsError("RequestEntityTooLargeException", text, 413)
    try:
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
            whole = archive.testzip() is None
    except UNZIPPING_ERRORS:
        whole, size = False, 0
    if not whole:
        text = "Could not unzip uploaded file. Please check your file, then try to upload again."
        raise _invalid(text)
    if size > UNZIPPED_LIMIT:
        raise _invalid(f"Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes")


def check_event(event: bytes) -> None:
    """Refuse an event that is too large, or no JSON."""
    if len(event) > REQUEST_LIMIT:
        text = (
            f"Request must be smaller than {REQUEST_LIMIT} bytes for the InvokeFunction operation"
        )
        raise AwsError("RequestTooLargeException", text, 413)
    try:
        json.loads(event or b"{}")
    except ValueError as error:
        text = f"Could not parse request body into json: {error}"
        raise AwsError("InvalidRequestContentException", text) from None


def check_modelled(params: Mapping[str, Any]) -> None:
    """Refuse what Lambda can do and the laptop cannot."""
    extra = [name for name in NOT_MODELLED if params.get(name)]
    extra += ["PackageType=Image"] if params.get("PackageType", "Zip") != "Zip" else []
    if extra:
        raise _invalid(not_modelled_message(*extra))


def _check_runtime(runtime: str) -> None:
    if runtime in DEPRECATED:
        text = (
            f"The runtime parameter of {runtime} is no longer supported for creating or updating "
            "AWS Lambda functions. We recommend you use a supported runtime while creating or "
            "updating functions."
        )
        raise _invalid(text)
    if runtime not in SUPPORTED:
        names = ", ".join(SUPPORTED)
        text = (
            f"Value {runtime} at 'runtime' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{names}] or be a valid ARN"
        )
        raise _invalid(text)


def _check_environment(variables: Mapping[str, str]) -> None:
    failed = (
        "Lambda was unable to configure your environment variables because the environment "
        "variables you have provided"
    )
    if taken := sorted(RESERVED.intersection(variables)):
        text = (
            f"{failed} contains reserved keys that are currently not supported for modification. "
            f"Reserved keys used in this request: {', '.join(taken)}"
        )
        raise _invalid(text)
    text = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > ENVIRONMENT_LIMIT:
        raise _invalid(f"{failed} exceeded the 4KB limit. String measured: {text}")
    for name, value in variables.items():
        if not re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_]+", name):
            wanted = (
                "Map keys must satisfy constraint: [Member must satisfy regular expression "
                "pattern: [a-zA-Z]([a-zA-Z0-9_])+]"
            )
            raise _violation({name: value}, "Environment.variables", wanted)


def _invalid(text: str) -> AwsError:
    return AwsError("InvalidParameterValueException", text)


def _violation(value: Any, parameter: str, constraint: str) -> AwsError:
    return constraint_violation(value, parameter[0].lower() + parameter[1:], constraint)
