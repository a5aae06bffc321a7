"""A request to the laptop cloud's API, and the response to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


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
        """The decoded JSON body; an empty body has no parameters."""
        return json.loads(self.body) if self.body else {}


@dataclass(frozen=True, slots=True)
class ApiResponse:
    """A response as it goes over the wire."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/x-amz-json-1.1"),)

    @property
    def payload(self) -> dict[str, Any]:
        """The decoded JSON body; an empty body has no members."""
        return json.loads(self.body) if self.body else {}


def json_response(payload: Mapping[str, Any], status: int = 200) -> ApiResponse:
    """Return a JSON response; AWS's JSON protocols write times as epoch seconds."""
    return ApiResponse(json.dumps(payload).encode(), status)


class AwsError(Exception):
    """An error response of AWS: code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def error_response(error: AwsError) -> ApiResponse:
    """Return the error in a form that clients of both AWS JSON protocols understand."""
    body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message})
    headers = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", error.code))
    return ApiResponse(body.encode(), error.status, headers)
