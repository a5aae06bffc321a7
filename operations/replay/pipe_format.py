"""Records of a table's stream as a pipe sends them: the JSON that goes into Kinesis, pure."""

import json
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Record = Mapping[str, Any]


def piped(record: Record, stream_arn: str) -> bytes:
    """Return a record that boto3 has read as the pipe would have sent it."""
    shown = {name: value for name, value in record.items() if name != "userIdentity"}
    if identity := record.get("userIdentity"):
        who = {name.lower(): value for name, value in identity.items()}
        shown["userIdentity"] = {"type": who["type"], "principalId": who["principalid"]}
    shown["dynamodb"] = dict(sorted(record["dynamodb"].items()))
    shown["eventSourceARN"] = stream_arn
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"), default=_as_json)
    return text.encode("utf-8", "backslashreplace")


def _as_json(value: object) -> object:
    """Return bytes as base64 and times as whole seconds since 1970, as AWS writes them."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, datetime):
        return int(value.timestamp())
    raise TypeError(f"no JSON for {type(value).__name__}")
