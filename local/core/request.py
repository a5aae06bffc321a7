"""One request to AWS's API as the layer in front of moto sees it, and the replies to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """One request, taken apart; `operation` is empty where a service speaks REST."""

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
class Reply:
    """One answer, as it goes over the wire."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/x-amz-json-1.1"),)

    @property
    def payload(self) -> dict[str, Any]:
        """The decoded JSON body of an answer that carries one."""
        return json.loads(self.body) if self.body else {}


def json_reply(payload: Mapping[str, Any], status: int = 200) -> Reply:
    """Return a JSON answer; times are numbers of seconds, as AWS's JSON protocols want them."""
    return Reply(json.dumps(payload).encode(), status)


class AwsError(Exception):
    """An error that AWS answers with: its code, its text and its HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def error_reply(error: AwsError) -> Reply:
    """Return an error in the form that both of AWS's JSON protocols understand."""
    body = json.dumps({"__type": error.code, "message": error.message, "Message": error.message})
    headers = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", error.code))
    return Reply(body.encode(), error.status, headers)
