"""The API of DynamoDB Streams: pages of shards, and iterators that hold their own place."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import Any

from moto.dynamodb.models.table import Table

from local.core.clock import Clock
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.services.dynamodb.stream import PAGE_RECORDS, ChangeStream, Shard, stream_label

ITERATOR_LIFE = 15 * 60
PAGE_SHARDS = 100
TRIMMED = "The operation attempted to read past the oldest stream record in a shard."


class ChangeStreams:
    """Every stream of every table, those too that are disabled and not yet trimmed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._streams: dict[str, ChangeStream] = {}

    def opened(self, _: str, table: Table) -> ChangeStream:
        """Return the stream of a table on which one has just been enabled."""
        now = self._clock.now()
        while f"{table.table_arn}/stream/{stream_label(now)}" in self._streams:
            now += 0.001
        table.latest_stream_label = stream_label(now)
        stream = ChangeStream(table, table.latest_stream_label, self._clock.now)
        self._streams[stream.arn] = stream
        return stream

    def write(self) -> None:
        """Write the records of the call that is over."""
        for stream in self._streams.values():
            stream.write()

    def discard(self) -> None:
        """Forget the changes of a call that has been rolled back."""
        for stream in self._streams.values():
            stream.discard()

    def written(self) -> int:
        """Return how many changes all streams have taken in."""
        return sum(stream.written for stream in self._streams.values())

    def close(self, region: str, table: str, current: ChangeStream | None) -> None:
        """Close the streams of a table but for the one that goes on."""
        for stream in self._streams.values():
            if (stream.region, stream.table) == (region, table) and stream is not current:
                stream.close()

    def handle(self, request: ApiRequest) -> ApiResponse:
        """Return the reply to a call of DynamoDB Streams."""
        answer = _CALLS[request.operation](self, request)
        return ApiResponse(answer) if isinstance(answer, bytes) else json_response(answer)

    def _trim(self) -> None:
        """Forget what is older than 24 hours, streams that were closed then included."""
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
        after = params.get("ExclusiveStartStreamArn", "")
        rest = [arn for arn in arns if arn > after]
        page = rest[: params.get("Limit", 100)]
        shown = [self._streams[arn] for arn in page]
        streams = [
            {"StreamArn": each.arn, "TableName": each.table, "StreamLabel": each.label}
            for each in shown
        ]
        return {"Streams": streams, **_more("LastEvaluatedStreamArn", page, rest)}

    def _describe_stream(self, request: ApiRequest) -> Mapping[str, Any]:
        params = request.params
        stream = self._stream(params["StreamArn"])
        after = params.get("ExclusiveStartShardId", "")
        rest = [shard.shard_id for shard in stream.shards if shard.shard_id > after]
        page = rest[: min(params.get("Limit", PAGE_SHARDS), PAGE_SHARDS)]
        description = {
            "StreamArn": stream.arn,
            "StreamLabel": stream.label,
            "StreamStatus": "ENABLED" if stream.enabled else "DISABLED",
            "StreamViewType": stream.view,
            "CreationRequestDateTime": stream.created,
            "TableName": stream.table,
            "KeySchema": stream.key_schema,
            "Shards": [each.description() for each in stream.shards if each.shard_id in page],
        }
        more = _more("LastEvaluatedShardId", page, rest)
        return {"StreamDescription": {**description, **more}}

    def _get_shard_iterator(self, request: ApiRequest) -> Mapping[str, Any]:
        params = request.params
        stream = self._stream(params["StreamArn"])
        shard = _shard(stream, params["ShardId"])
        position = _position(shard, params)
        return {"ShardIterator": self._iterator(stream, shard, position)}

    def _get_records(self, request: ApiRequest) -> bytes:
        params = request.params
        stream, shard, position = self._place(params["ShardIterator"])
        limit = params.get("Limit", PAGE_RECORDS)
        if not 1 <= limit <= PAGE_RECORDS:
            raise _constraint(limit, "limit", f"have value between 1 and {PAGE_RECORDS}")
        if 0 < position <= shard.trimmed:
            raise AwsError("TrimmedDataAccessException", TRIMMED)
        records, following = shard.page(position, limit)
        end = b"{"
        if following is not None:
            token = self._iterator(stream, shard, following)
            end = json.dumps({"NextShardIterator": token})[:-1].encode() + b","
        return end + b'"Records":[' + b",".join(records) + b"]}"

    def _iterator(self, stream: ChangeStream, shard: Shard, position: int) -> str:
        """Return an iterator that holds its whole position, so that nobody has to keep it."""
        place = json.dumps([shard.shard_id, position, self._clock.now()])
        return f"{stream.arn}|1|{base64.b64encode(place.encode()).decode()}"

    def _place(self, iterator: str) -> tuple[ChangeStream, Shard, int]:
        arn, _, token = iterator.rpartition("|1|")
        try:
            shard_id, position, issued = json.loads(base64.b64decode(token, validate=True))
        except (binascii.Error, ValueError):
            raise AwsError("ValidationException", "Invalid ShardIterator") from None
        if self._clock.now() - issued > ITERATOR_LIFE:
            text = "Iterator expired. The iterator was created more than 15 minutes ago."
            raise AwsError("ExpiredIteratorException", text)
        stream = self._stream(arn)
        return stream, _shard(stream, shard_id), position

    def _stream(self, arn: str) -> ChangeStream:
        self._trim()
        if arn not in self._streams:
            text = f"Requested resource not found: Stream: {arn} not found"
            raise AwsError("ResourceNotFoundException", text)
        return self._streams[arn]


_CALLS = {
    "ListStreams": ChangeStreams._list_streams,
    "DescribeStream": ChangeStreams._describe_stream,
    "GetShardIterator": ChangeStreams._get_shard_iterator,
    "GetRecords": ChangeStreams._get_records,
}
STREAM_CALLS = frozenset(_CALLS)


def _more(name: str, page: list[str], rest: list[str]) -> dict[str, str]:
    """Return where the next page goes on, if there is one."""
    return {name: page[-1]} if page and len(rest) > len(page) else {}


def _shard(stream: ChangeStream, shard_id: str) -> Shard:
    for shard in stream.shards:
        if shard.shard_id == shard_id:
            return shard
    text = f"Requested resource not found: Shard: {shard_id} in stream: {stream.arn} not found"
    raise AwsError("ResourceNotFoundException", text)


def _position(shard: Shard, params: Mapping[str, Any]) -> int:
    """Return the sequence number from which an iterator reads; 0 is the oldest record."""
    kind = params["ShardIteratorType"]
    if kind == "TRIM_HORIZON":
        return 0
    if kind == "LATEST":
        return shard.end
    if kind not in ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER"):
        raise AwsError("ValidationException", f"ShardIteratorType {kind} is not modelled here")
    text = params.get("SequenceNumber", "")
    if not re.fullmatch(r"\d{21,40}", text):
        raise _constraint(text, "sequenceNumber", "have length between 21 and 40")
    number = int(text)
    if number <= shard.trimmed and kind == "AT_SEQUENCE_NUMBER":
        raise AwsError("TrimmedDataAccessException", TRIMMED)
    return number + (kind == "AFTER_SEQUENCE_NUMBER")


def _constraint(value: object, member: str, rule: str) -> AwsError:
    text = (
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
        f"constraint: Member must {rule}"
    )
    return AwsError("ValidationException", text)
