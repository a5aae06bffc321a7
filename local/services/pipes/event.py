"""What a pipe makes of a stream record: the event's JSON, and its partition key in Kinesis."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PATH = re.compile(r"\$(?:\.[A-Za-z0-9_-]+|\[\d+\])+")
HEAD = ("eventID", "eventName", "eventVersion", "eventSource", "awsRegion")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Event:
    """One change on its way; `partition_key` is empty if its path leads nowhere.

    `second` is when the change was made, 0 if the stream's server does not say so.
    """

    sequence_number: str
    second: int
    data: bytes
    partition_key: str


def event(record: Mapping[str, Any], stream_arn: str, partition_key: str) -> Event:
    """Return the event of a record as GetRecords sends it, in the spelling that Pipes uses."""
    change = _change(record["dynamodb"])
    shown = {name: record[name] for name in HEAD if name in record} | {"dynamodb": change}
    if identity := record.get("userIdentity"):
        shown["userIdentity"] = {
            "type": identity.get("Type") or identity["type"],
            "principalId": identity.get("PrincipalId") or identity["principalId"],
        }
    shown["eventSourceARN"] = stream_arn
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    key = resolved(partition_key, shown) if partition_key.startswith("$") else partition_key
    second = change.get("ApproximateCreationDateTime", 0)
    return Event(change["SequenceNumber"], second, text.encode(), key)


def resolved(path: str, shown: Any) -> str:
    """Return the text to which a JSON path leads, or nothing.

    >>> resolved("$.Keys.id.S", {"Keys": {"id": {"S": "7"}}})
    '7'
    """
    for name, index in _STEP.findall(path):
        try:
            shown = shown[name] if name else shown[int(index)]
        except (KeyError, IndexError, TypeError):
            return ""
    if isinstance(shown, (int, float)) and not isinstance(shown, bool):
        return json.dumps(shown)
    return shown if isinstance(shown, str) else ""


def _change(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `dynamodb` part in AWS's order, its time in whole seconds."""
    change = dict(sorted(sent.items()))
    if "ApproximateCreationDateTime" in change:
        change["ApproximateCreationDateTime"] = int(change["ApproximateCreationDateTime"])
    return change
