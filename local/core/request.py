"""Requests to the laptop cloud's API, and its responses and errors."""

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
        """The decoded JSON body; {} if it is empty."""
        params: dict[str, Any] = json.loads(self.body) if self.body else {}
        return params


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
    """An error response of AWS: code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def error_response(error: AwsError) -> ApiResponse:
    """Return an error response that clients of both AWS JSON protocols understand."""
    body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message})
    headers = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", error.code))
    return ApiResponse(body.encode(), error.status, headers)
