"""The call of the Lambda function: the event that it gets, and what its answer means.

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

REQUEST_LIMIT = 6_000_000  # bytes of an event; Lambda takes no more than 6 MB
ENVELOPE = 420  # bytes of an event's record around its data, at most, without the partition key
RESULTS = ("Ok", "Dropped", "ProcessingFailed")

FUNCTION_ERROR = (
    "Lambda.FunctionError",
    "The Lambda function was successfully invoked but it returned an error result.",
)
WRONG_SHAPE = (
    "Lambda.FunctionError",
    "Check your function and make sure the output is in required format. In addition to that, "
    "make sure the processed records contain valid result status of Dropped, Ok, or "
    "ProcessingFailed",
)
MISSING = (
    "Lambda.MissingRecordId",
    "One or more record Ids were not returned. Ensure that the Lambda function returns all "
    "received record Ids.",
)
DUPLICATED = (
    "Lambda.DuplicatedRecordId",
    "Multiple records were returned with the same record Id. Ensure that the Lambda function "
    "returns a unique record Id for each record.",
)
FAILED_STATUS = ("Lambda.ProcessingFailedStatus", "ProcessingFailed status set for record")
NO_DATA = (
    "Lambda.InvalidReturnFormat",
    "The data field cannot be null when the SourceType is DirectPut or KinesisStreamAsSource and "
    "processing result is Ok. The value field cannot be null when the SourceType is MSKAsSource "
    "and processing result is Ok.",
)
NO_PARTITION = (
    "DynamicPartitioning.MetadataExtractionFailed",
    "partitionKeys values must not be null or empty",
)
DENIED = (
    "Lambda.InvokeAccessDenied",
    "Access was denied. Ensure that the access policy allows access to the Lambda function.",
)
CALL_ERRORS = {
    "AccessDenied": DENIED,
    "AccessDeniedException": DENIED,
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
    """What a record became: bytes to deliver, and the partition that they belong to."""

    data: bytes
    partition: tuple[str, ...]
    arrived: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A record that is not delivered, with AWS's code and text for why."""

    code: str
    message: str
    raw: bytes
    arrived: float


@dataclass(frozen=True, slots=True)
class Entry:
    """What the function answered for one record."""

    record_id: str
    result: str
    data: bytes | None
    partition_keys: Mapping[str, Any]


class WrongShape(Exception):
    """An answer that Firehose takes as no answer for any record."""


def request_size(record: SourceRecord) -> int:
    """Return how much of an event's limit a record takes, at most."""
    key = record.partition_key.encode("utf-16-le", "surrogatepass")
    escaped = len(key) * 3  # JSON writes two bytes of UTF-16 as \uXXXX.
    return len(record.data) * 4 // 3 + escaped + ENVELOPE


def event(of: Settings, invocation: str, records: Iterable[SourceRecord]) -> bytes:
    """Return the event for a batch of records."""
    return json.dumps(
        {
            "invocationId": invocation,
            "sourceKinesisStreamArn": of.source,
            "deliveryStreamArn": of.arn,
            "region": of.arn.split(":")[3],
            "records": [_event_record(record) for record in records],
        }
    ).encode()


def _event_record(record: SourceRecord) -> dict[str, Any]:
    arrived = int(record.arrived * 1000)
    return {
        "recordId": record.record_id,
        "approximateArrivalTimestamp": arrived,
        "data": binascii.b2a_base64(record.data, newline=False).decode(),
        "kinesisRecordMetadata": {
            "shardId": record.shard,
            "partitionKey": record.partition_key,
            "approximateArrivalTimestamp": arrived,
            "sequenceNumber": record.sequence,
            "subsequenceNumber": 0,
        },
    }


def verdicts(
    keys: tuple[str, ...] | None, records: Sequence[SourceRecord], answer: bytes
) -> Iterator[Row | Failure | None]:
    """Yield what each record became, in order; None for one that the function dropped.

    A record that is missing, sent twice or failed fails alone; an answer that names another
    status, or data that is no base64, fails them all.
    """
    try:
        entries = [_entry(each) for each in _answered(answer)]
    except WrongShape:
        yield from failures(WRONG_SHAPE, records)
        return
    times = Counter(entry.record_id for entry in entries)
    by_id = {entry.record_id: entry for entry in entries}
    for record in records:
        if times[record.record_id] > 1:
            yield _failure(DUPLICATED, record)
        else:
            yield _verdict(keys or (), record, by_id.get(record.record_id))


def _verdict(
    keys: tuple[str, ...], record: SourceRecord, entry: Entry | None
) -> Row | Failure | None:
    if entry is None:
        return _failure(MISSING, record)
    if entry.result == "Dropped":
        return None
    if entry.result == "ProcessingFailed":
        return _failure(FAILED_STATUS, record)
    if entry.data is None:
        return _failure(NO_DATA, record)
    values = tuple(entry.partition_keys.get(key) for key in keys)
    if not all(value and isinstance(value, str) for value in values):
        return Failure(*NO_PARTITION, entry.data, record.arrived)
    return Row(entry.data, values, record.arrived)


def _answered(answer: bytes) -> list[Mapping[str, Any]]:
    """Return the entries of an answer that have an id; one of another shape has none."""
    try:
        content = json.loads(answer)
    except ValueError:
        return []
    entries = content.get("records") if isinstance(content, Mapping) else None
    return [
        entry
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping) and isinstance(entry.get("recordId"), str)
    ]


def _entry(given: Mapping[str, Any]) -> Entry:
    result, text = given.get("result"), given.get("data")
    if result not in RESULTS:
        raise WrongShape
    metadata = given.get("metadata")
    keys = metadata.get("partitionKeys") if isinstance(metadata, Mapping) else None
    data = None if result != "Ok" or text is None else _decoded(text)
    return Entry(given["recordId"], result, data, keys if isinstance(keys, Mapping) else {})


def _decoded(text: Any) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (TypeError, ValueError):
        raise WrongShape from None


def _failure(reason: tuple[str, str], record: SourceRecord) -> Failure:
    return Failure(*reason, record.data, record.arrived)


def failures(reason: tuple[str, str], records: Iterable[SourceRecord]) -> list[Failure]:
    """Return the failure of a whole batch."""
    return [_failure(reason, record) for record in records]
