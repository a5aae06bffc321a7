"""Events of a pipe: the JSON of a stream record, and its partition key in Kinesis."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

JSON_PATH = re.compile(r"\$(?:\.[A-Za-z0-9_-]+|\[\d+\])+")
HEADER_FIELDS = ("eventID", "eventName", "eventVersion", "eventSource", "awsRegion")
_PATH_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Event:
    """One change in flight to Kinesis.

    `created_at` is when the change was made, in seconds since 1970; 0 if the stream's server
    does not say. `partition_key` is empty if its JSON path resolves to nothing.
    """

    sequence_number: str
    created_at: int
    data: bytes
    partition_key: str


def event_from_record(record: Mapping[str, Any], stream_arn: str, partition_key: str) -> Event:
    """Convert a record as GetRecords sends it into the event that Pipes sends."""
    change = _dynamodb_section(record["dynamodb"])
    document = {name: record[name] for name in HEADER_FIELDS if name in record}
    document["dynamodb"] = change
    if identity := record.get("userIdentity"):
        document["userIdentity"] = {
            "type": identity.get("Type") or identity["type"],
            "principalId": identity.get("PrincipalId") or identity["principalId"],
        }
    document["eventSourceARN"] = stream_arn
    if partition_key.startswith("$"):
        partition_key = resolve_path(partition_key, document)
    return Event(
        sequence_number=change["SequenceNumber"],
        created_at=change.get("ApproximateCreationDateTime", 0),
        data=json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(),
        partition_key=partition_key,
    )


def resolve_path(path: str, document: Any) -> str:
    """Return the text or number at a JSON path, or an empty string.

    >>> resolve_path("$.Keys.id.S", {"Keys": {"id": {"S": "7"}}})
    '7'
    """
    value = document
    for name, index in _PATH_STEP.findall(path):
        try:
            value = value[name] if name else value[int(index)]
        except (KeyError, IndexError, TypeError):
            return ""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return json.dumps(value)
    return value if isinstance(value, str) else ""


def _dynamodb_section(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the `dynamodb` section in AWS's order, its time in whole seconds."""
    change = dict(sorted(section.items()))
    if "ApproximateCreationDateTime" in change:
        change["ApproximateCreationDateTime"] = int(change["ApproximateCreationDateTime"])
    return change
