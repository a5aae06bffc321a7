"""Pages of records as the wire has them, for who sends them on: boto3 takes 1 ms to read each."""

import json
from typing import Any


def return_raw_records(client: Any) -> None:
    """Let a client's GetRecords return records as their JSON says: base64, seconds since 1970."""
    service = client.meta.service_model.service_id.hyphenize()
    client.meta.events.register(
        f"before-parse.{service}.GetRecords", _as_sent, unique_id="records-as-sent"
    )


def _as_sent(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    if response_dict["status_code"] == 200:
        answer = json.loads(response_dict["body"])
        customized_response_dict["Records"] = answer.pop("Records", [])
        response_dict["body"] = json.dumps(answer).encode()
