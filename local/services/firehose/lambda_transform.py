"""Invocations of the Lambda function: the event it receives, and the meaning of its response.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
"""

import base64
import binascii
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.services.firehose.config import Settings
from local.services.firehose.kinesis_source import SourceRecord

MAX_REQUEST_BYTES = 6_000_000  # Lambda accepts events of at most 6 MB.
# Upper bound for the JSON around the data of a record in an event, without its partition key.
RECORD_OVERHEAD_BYTES = 420
VALID_RESULTS = ("Ok", "Dropped", "ProcessingFailed")

FUNCTION_ERROR = (
    "Lambda.FunctionError",
    "The Lambda function was successfully invoked but it returned an error result.",
)
MALFORMED_RESPONSE = (
    "Lambda.FunctionError",
    "Check your function and make sure the output is in required format. In addition to that, "
    "make sure the processed records contain valid result status of Dropped, Ok, or "
    "ProcessingFailed",
)
MISSING_RECORD_ID = (
    "Lambda.MissingRecordId",
    "One or more record Ids were not returned. Ensure that the Lambda function returns all "
    "received record Ids.",
)
DUPLICATED_RECORD_ID = (
    "Lambda.DuplicatedRecordId",
    "Multiple records were returned with the same record Id. Ensure that the Lambda function "
    "returns a unique record Id for each record.",
)
PROCESSING_FAILED = ("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
INVALID_RETURN_FORMAT = (
    "Lambda.InvalidReturnFormat",
    "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and "
    "processing result is Ok. The value field cannot be null when the SourceType is MSKAsSource "
    "and processing result is Ok.",
)
METADATA_EXTRACTION_FAILED = (
    "DynamicPartitioning.MetadataExtractionFailed",
    "partitionKeys values must not be null or empty",
)
ACCESS_DENIED = (
    "Lambda.InvokeAccessDenied",
    "Access was denied. Ensure that the access policy allows access to the Lambda function.",
)
CALL_ERRORS = {
    "AccessDenied": ACCESS_DENIED,
    "AccessDeniedException": ACCESS_DENIED,
    "ResourceNotFoundException": (
        "Lambda.ResourceNotFound",
        "The specified Lambda function does not exist. Use a different function that does exist.",
    ),
    "TooManyRequestsException": (
        "Lambda.InvokeLimitExceeded",
        "The Lambda call limit is exceeded. Increase the Lambda call limit.",
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A transformed record: bytes to deliver, and the partition that they belong to."""

    data: bytes
    partition: tuple[str, ...]
    arrived_at: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that cannot be delivered, with AWS's code and message."""

    code: str
    message: str
    raw_data: bytes
    arrived_at: float


@dataclass(frozen=True, slots=True)
class ResponseEntry:
    """The part of the function's response for one record."""

    record_id: str
    result: str
    data: bytes | None
    partition_keys: Mapping[str, Any]


class MalformedResponse(Exception):
    """A response that Firehose rejects for every record of the batch."""


def request_bytes(record: SourceRecord) -> int:
    """Return an upper bound for the size of a record in an event."""
    key = record.partition_key.encode("utf-16-le", "surrogatepass")
    escaped_bytes = len(key) * 3  # JSON writes two bytes of UTF-16 as \uXXXX.
    return len(record.data) * 4 // 3 + escaped_bytes + RECORD_OVERHEAD_BYTES


def invocation_event(
    settings: Settings, invocation_id: str, records: Iterable[SourceRecord]
) -> bytes:
    """Return the event for a batch of records."""
    return json.dumps(
        {
            "invocationId": invocation_id,
            "sourceKinesisStreamArn": settings.source_arn,
            "deliveryStreamArn": settings.arn,
            "region": settings.arn.split(":")[3],
            "records": [_event_record(record) for record in records],
        }
    ).encode()


def _event_record(record: SourceRecord) -> dict[str, Any]:
    arrived_at_millis = int(record.arrived_at * 1000)
    return {
        "recordId": record.record_id,
        "approximateArrivalTimestamp": arrived_at_millis,
        "data": binascii.b2a_base64(record.data, newline=False).decode(),
        "kinesisRecordMetadata": {
            "shardId": record.shard_id,
            "partitionKey": record.partition_key,
            "approximateArrivalTimestamp": arrived_at_millis,
            "sequenceNumber": record.sequence_number,
            "subsequenceNumber": 0,
        },
    }


def results(
    keys: tuple[str, ...] | None, records: Sequence[SourceRecord], response: bytes
) -> Iterator[Row | Failure | None]:
    """Yield the result of each record, in order; None for one that the function dropped.

    A record that is missing, duplicated or failed fails alone. An entry with an unknown result,
    or with data that is not base64, fails the whole batch.
    """
    try:
        entries = [_parse_entry(entry) for entry in _response_entries(response)]
    except MalformedResponse:
        yield from failures(MALFORMED_RESPONSE, records)
        return
    id_counts = Counter(entry.record_id for entry in entries)
    entry_by_id = {entry.record_id: entry for entry in entries}
    for record in records:
        if id_counts[record.record_id] > 1:
            yield _failure(DUPLICATED_RECORD_ID, record)
        else:
            yield _result(keys or (), record, entry_by_id.get(record.record_id))


def _result(
    keys: tuple[str, ...], record: SourceRecord, entry: ResponseEntry | None
) -> Row | Failure | None:
    if entry is None:
        return _failure(MISSING_RECORD_ID, record)
    if entry.result == "Dropped":
        return None
    if entry.result == "ProcessingFailed":
        return _failure(PROCESSING_FAILED, record)
    if entry.data is None:
        return _failure(INVALID_RETURN_FORMAT, record)
    values = [entry.partition_keys.get(key) for key in keys]
    partition = tuple(value for value in values if isinstance(value, str) and value)
    if len(partition) < len(keys):
        return Failure(*METADATA_EXTRACTION_FAILED, entry.data, record.arrived_at)
    return Row(entry.data, partition, record.arrived_at)


def _response_entries(response: bytes) -> list[Mapping[str, Any]]:
    """Return the entries of a response that have a record id; malformed JSON has no entries."""
    try:
        document = json.loads(response)
    except ValueError:
        return []
    entries = document.get("records") if isinstance(document, Mapping) else None
    if not isinstance(entries, list):
        return []
    return [
        entry
        for entry in entries
        if isinstance(entry, Mapping) and isinstance(entry.get("recordId"), str)
    ]


def _parse_entry(entry: Mapping[str, Any]) -> ResponseEntry:
    result = entry.get("result")
    text = entry.get("data")
    if result not in VALID_RESULTS:
        raise MalformedResponse
    metadata = entry.get("metadata")
    keys = metadata.get("partitionKeys") if isinstance(metadata, Mapping) else None
    return ResponseEntry(
        record_id=entry["recordId"],
        result=result,
        data=None if result != "Ok" or text is None else _decode_base64(text),
        partition_keys=keys if isinstance(keys, Mapping) else {},
    )


def _decode_base64(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise MalformedResponse from None


def _failure(reason: tuple[str, str], record: SourceRecord) -> Failure:
    return Failure(*reason, record.data, record.arrived_at)


def failures(reason: tuple[str, str], records: Iterable[SourceRecord]) -> list[Failure]:
    """Return a failure for each record of a batch."""
    return [_failure(reason, record) for record in records]
