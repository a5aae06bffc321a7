"""Requests to the laptop cloud's API, and its responses and errors."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.sax.saxutils import escape


class Members(dict[str, Any]):
    """A JSON object of a request: an operation that needs a missing member rejects the call."""

    def __missing__(self, name: str) -> Any:
        raise AwsError(
            "ValidationException",
            f"1 validation error detected: Value null at '{name[:1].lower()}{name[1:]}' failed to "
            "satisfy constraint: Member must not be null",
        )


def decode_members(body: bytes) -> dict[str, Any]:
    """Return a JSON body, or raise AWS's error unless it is an object or empty."""
    try:
        members = json.loads(body, object_pairs_hook=Members) if body else Members()
    except (ValueError, RecursionError):
        raise AwsError("SerializationException", "The request body is not valid JSON") from None
    if not isinstance(members, Members):
        raise AwsError("SerializationException", "The request body must be a JSON object")
    return members


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A parsed request; `operation` is empty for REST services such as S3 and Lambda."""

    service: str
    operation: str
    method: str
    path: str
    query: Mapping[str, str]
    region: str
    body: bytes
    environ: Mapping[str, Any] = field(repr=False)

    @property
    def params(self) -> dict[str, Any]:
        """The decoded JSON body; {} if it is empty."""
        return decode_members(self.body)


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response of the API: body, status and headers."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/x-amz-json-1.1"),)

    @property
    def payload(self) -> dict[str, Any]:
        """The decoded JSON body; {} if it is empty."""
        payload: dict[str, Any] = json.loads(self.body) if self.body else {}
        return payload


def json_response(payload: Mapping[str, Any], status: int = 200) -> ApiResponse:
    """Return a JSON response."""
    return ApiResponse(json.dumps(payload).encode(), status)


class AwsError(Exception):
    """An error response of AWS: code, message, HTTP status, and members that some errors add."""

    def __init__(
        self, code: str, message: str, status: int = 400, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.members = members or {}


def error_response(error: AwsError, service: str = "", content_type: str = "") -> ApiResponse:
    """Return an error response in the protocol of the request: AWS's XML or JSON protocols."""
    if service == "s3" or content_type.startswith("application/x-www-form-urlencoded"):
        return _xml_error_response(error, is_s3=service == "s3")
    texts = {"__type": error.code, "message": error.message, "Message": error.message}
    body = json.dumps({**texts, **error.members})
    headers = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", error.code))
    return ApiResponse(body.encode(), error.status, headers)


def _xml_error_response(error: AwsError, *, is_s3: bool) -> ApiResponse:
    code, message = escape(error.code), escape(error.message)
    xml = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    body = xml if is_s3 else f"<ErrorResponse>{xml}</ErrorResponse>"
    return ApiResponse(body.encode(), error.status, (("Content-Type", "application/xml"),))
