"""The DynamoDB Streams API: pages of shards and records, and stateless shard iterators."""

import base64
import binascii
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.models.table import Table

from local.core.clock import Clock
from local.core.errors import constraint_violation, not_modelled_message
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.services.dynamodb.stream import PAGE_RECORDS, ChangeStream, Shard, stream_label

ITERATOR_LIFETIME = 15 * 60
PAGE_SHARDS = 100
TRIMMED_MESSAGE = "The operation attempted to read past the oldest stream record in a shard."
STREAM_OPERATIONS = frozenset(("ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"))


@dataclass(slots=True)
class StreamReads:
    """The records that GetRecords returned of a stream, and its last latency in milliseconds."""

    records: int = 0
    latency: float = 0.0


class StreamsApi:
    """The streams of every table, including disabled ones until they are trimmed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._streams: dict[str, ChangeStream] = {}
        self._reads: dict[tuple[str, str], StreamReads] = {}

    def open_stream(self, _: str, table: Table) -> ChangeStream:
        """Create and return the stream of a table that has just enabled one."""
        now = self._clock.now()
        while f"{table.table_arn}/stream/{stream_label(now)}" in self._streams:
            now += 0.001
        label = stream_label(now)
        table.latest_stream_label = label
        stream = ChangeStream(table, label, self._clock.now)
        self._streams[stream.arn] = stream
        return stream

    def commit(self) -> None:
        """Append the records of the call that has ended."""
        for stream in self._streams.values():
            stream.commit()

    def discard(self) -> None:
        """Drop the pending changes of a call that was rolled back."""
        for stream in self._streams.values():
            stream.discard()

    def record_count(self) -> int:
        """Return how many records all streams have appended."""
        return sum(stream.record_count for stream in self._streams.values())

    def close_streams(self, region: str, table: str, current: ChangeStream | None) -> None:
        """Close the streams of a table except the current one."""
        for stream in self._streams.values():
            if (stream.region, stream.table) == (region, table) and stream is not current:
                stream.close()

    def take_reads(self) -> dict[tuple[str, str], StreamReads]:
        """Return the reads of each stream, named by table and label, since the last time."""
        reads = self._reads
        self._reads = {}
        return reads

    def handle(self, request: ApiRequest) -> ApiResponse:
        """Return the response to one of STREAM_OPERATIONS."""
        match request.operation:
            case "ListStreams":
                return json_response(self._list_streams(request))
            case "DescribeStream":
                return json_response(self._describe_stream(request))
            case "GetShardIterator":
                return json_response(self._get_shard_iterator(request))
            case _:
                return ApiResponse(self._get_records(request))

    def _trim(self) -> None:
        for stream in self._streams.values():
            stream.trim()
        self._streams = {arn: stream for arn, stream in self._streams.items() if stream.shards}

    def _list_streams(self, request: ApiRequest) -> Mapping[str, Any]:
        params = request.params
        self._trim()
        arns = sorted(
            arn
            for arn, stream in self._streams.items()
            if stream.region == request.region and params.get("TableName") in (None, stream.table)
        )
        start_after = params.get("ExclusiveStartStreamArn", "")
        remaining = [arn for arn in arns if arn > start_after]
        page = remaining[: params.get("Limit", 100)]
        streams = [
            {"StreamArn": stream.arn, "TableName": stream.table, "StreamLabel": stream.label}
            for stream in map(self._streams.__getitem__, page)
        ]
        return {"Streams": streams, **_last_evaluated("LastEvaluatedStreamArn", page, remaining)}

    def _describe_stream(self, request: ApiRequest) -> Mapping[str, Any]:
        params = request.params
        stream = self._stream(params["StreamArn"])
        start_after = params.get("ExclusiveStartShardId", "")
        shard_ids = [shard.shard_id for shard in stream.shards]
        remaining = [shard_id for shard_id in shard_ids if shard_id > start_after]
        page = remaining[: min(params.get("Limit", PAGE_SHARDS), PAGE_SHARDS)]
        description = {
            "StreamArn": stream.arn,
            "StreamLabel": stream.label,
            "StreamStatus": "ENABLED" if stream.is_enabled else "DISABLED",
            "StreamViewType": stream.view_type,
            "CreationRequestDateTime": stream.created_at,
            "TableName": stream.table,
            "KeySchema": stream.key_schema,
            "Shards": [shard.describe() for shard in stream.shards if shard.shard_id in page],
            **_last_evaluated("LastEvaluatedShardId", page, remaining),
        }
        return {"StreamDescription": description}

    def _get_shard_iterator(self, request: ApiRequest) -> Mapping[str, Any]:
        params = request.params
        stream = self._stream(params["StreamArn"])
        shard = _shard(stream, params["ShardId"])
        position = _start_position(shard, params)
        return {"ShardIterator": self._encode_iterator(stream, shard, position)}

    def _get_records(self, request: ApiRequest) -> bytes:
        params = request.params
        stream, shard, position = self._decode_iterator(params["ShardIterator"])
        limit = params.get("Limit", PAGE_RECORDS)
        if not 1 <= limit <= PAGE_RECORDS:
            constraint = f"Member must have value between 1 and {PAGE_RECORDS}"
            raise constraint_violation(limit, "limit", constraint)
        if 0 < position <= shard.trimmed_number:
            raise AwsError("TrimmedDataAccessException", TRIMMED_MESSAGE)
        started_at = time.perf_counter()
        records, next_position = shard.page(position, limit)
        reads = self._reads.setdefault((stream.table, stream.label), StreamReads())
        reads.latency = (time.perf_counter() - started_at) * 1000
        reads.records += len(records)
        members = b'"Records":[' + b",".join(records) + b"]"  # Records are JSON already.
        if next_position is not None:
            iterator = json.dumps(self._encode_iterator(stream, shard, next_position))
            members = b'"NextShardIterator": ' + iterator.encode() + b"," + members
        return b"{" + members + b"}"

    def _encode_iterator(self, stream: ChangeStream, shard: Shard, position: int) -> str:
        """Return an iterator that contains its whole position, so the server keeps none."""
        token = json.dumps([shard.shard_id, position, self._clock.now()])
        return f"{stream.arn}|1|{base64.b64encode(token.encode()).decode()}"

    def _decode_iterator(self, iterator: str) -> tuple[ChangeStream, Shard, int]:
        arn, _, token = iterator.rpartition("|1|")
        try:
            shard_id, position, issued_at = json.loads(base64.b64decode(token, validate=True))
        except (binascii.Error, ValueError):
            raise AwsError("ValidationException", "Invalid ShardIterator") from None
        if self._clock.now() - issued_at > ITERATOR_LIFETIME:
            message = "Iterator expired. The iterator was created more than 15 minutes ago."
            raise AwsError("ExpiredIteratorException", message)
        stream = self._stream(arn)
        return stream, _shard(stream, shard_id), position

    def _stream(self, arn: str) -> ChangeStream:
        self._trim()
        if arn not in self._streams:
            message = f"Requested resource not found: Stream: {arn} not found"
            raise AwsError("ResourceNotFoundException", message)
        return self._streams[arn]


def _last_evaluated(member: str, page: list[str], remaining: list[str]) -> dict[str, str]:
    """Return the response member that says where the next page starts; empty on the last page."""
    return {member: page[-1]} if page and len(remaining) > len(page) else {}


def _shard(stream: ChangeStream, shard_id: str) -> Shard:
    for shard in stream.shards:
        if shard.shard_id == shard_id:
            return shard
    message = f"Requested resource not found: Shard: {shard_id} in stream: {stream.arn} not found"
    raise AwsError("ResourceNotFoundException", message)


def _start_position(shard: Shard, params: Mapping[str, Any]) -> int:
    """Return the sequence number from which an iterator reads; 0 is the oldest record."""
    iterator_type = params["ShardIteratorType"]
    if iterator_type == "TRIM_HORIZON":
        return 0
    if iterator_type == "LATEST":
        return shard.end
    if iterator_type not in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        message = not_modelled_message(f"ShardIteratorType {iterator_type}")
        raise AwsError("ValidationException", message)
    text = params.get("SequenceNumber", "")
    if not re.fullmatch(r"\d{21,40}", text):
        raise constraint_violation(
            text, "sequenceNumber", "Member must have length between 21 and 40"
        )
    number = int(text)
    if iterator_type == "AFTER_SEQUENCE_NUMBER":
        return number + 1
    if number <= shard.trimmed_number:
        raise AwsError("TrimmedDataAccessException", TRIMMED_MESSAGE)
    return number
