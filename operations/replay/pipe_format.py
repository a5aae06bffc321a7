"""Pipe format: a stream's record as the pipe writes it to Kinesis."""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from operations.json_objects import to_json


def to_pipe_record(record: Mapping[str, Any], stream_arn: str) -> bytes:
    """Return a record that boto3 read from the stream as the JSON that the pipe would send."""
    output = {name: value for name, value in record.items() if name != "userIdentity"}
    if identity := record.get("userIdentity"):
        # Their names come as Type and PrincipalId, or as type and principalId.
        members = {name.lower(): value for name, value in identity.items()}
        output["userIdentity"] = {"type": members["type"], "principalId": members["principalid"]}
    output["dynamodb"] = dict(sorted(record["dynamodb"].items()))
    output["eventSourceARN"] = stream_arn
    return to_json(output, default=_json_default)


def _json_default(value: object) -> object:
    """Return bytes as base64 and times as whole epoch seconds, as AWS writes them."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, datetime):
        return int(value.timestamp())
    raise TypeError(f"{type(value).__name__} has no JSON form")
