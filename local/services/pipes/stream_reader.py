"""Reader of a DynamoDB stream: every shard to its end, parents before children."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from local.core.raw_records import return_raw_records

if TYPE_CHECKING:
    from types_boto3_dynamodbstreams.client import DynamoDBStreamsClient
    from types_boto3_dynamodbstreams.type_defs import ShardTypeDef

MAX_PAGE_RECORDS = 1000  # The limit of GetRecords.
MAX_ITERATOR_RENEWALS = 3

Record = dict[str, Any]  # A record's JSON, whose images have any attributes.


@dataclass(slots=True)
class ShardCursor:
    """The position in one shard.

    Records up to `position` were read; the fate of those up to `checkpoint` is decided. Both are
    sequence numbers, and empty at first. A shard `is_exhausted` once its last record was read,
    and `is_finished` once the fate of that is decided too.
    """

    shard_id: str
    parent_id: str
    iterator_type: str
    checkpoint: str = ""
    position: str = ""
    iterator: str = ""
    is_exhausted: bool = False
    is_finished: bool = False

    def rewind(self, position: str) -> None:
        """Read on after a sequence number; without one, from the shard's oldest record.

        That is so even for a shard that started at LATEST: a record read twice is better than a
        record lost.
        """
        self.position = position
        self.iterator_type = "TRIM_HORIZON"
        self.iterator = ""


class StreamReader:
    """The records of a stream, as they are on the wire, from a starting position on.

    It calls DescribeStream, GetShardIterator and GetRecords and relies on nothing that AWS does
    not document, so it works with every server that implements DynamoDB Streams.
    """

    def __init__(
        self, client: DynamoDBStreamsClient, stream_arn: str, starting_position: str
    ) -> None:
        self.use_client(client)
        self._stream_arn = stream_arn
        self._starting_position = starting_position
        self._cursors: dict[str, ShardCursor] = {}
        self._shards_are_known = False

    def readable_shards(self) -> list[ShardCursor]:
        """Return the shards that may be read now: those whose parent is finished."""
        if not self._shards_are_known:
            self._discover_shards()
        return [
            cursor
            for cursor in list(self._cursors.values())
            if not cursor.is_finished and self._is_finished(cursor.parent_id)
        ]

    def read(self, cursor: ShardCursor, limit: int) -> list[Record]:
        """Return a shard's next records, at most `limit` of them.

        An empty page does not mean the end, so it is requested a second time. An expired
        iterator is renewed; if the next record has been trimmed, reading continues with the
        oldest record that still exists.
        """
        errors = self._client.exceptions
        for _ in range(MAX_ITERATOR_RENEWALS):
            try:
                return self._read_page(cursor, limit) or self._read_page(cursor, limit)
            except errors.ExpiredIteratorException:
                cursor.rewind(cursor.position)
            except errors.TrimmedDataAccessException:
                cursor.rewind("")
        return self._read_page(cursor, limit)

    def finish(self, cursor: ShardCursor) -> None:
        """Mark a shard as finished, so that its children may be read."""
        cursor.is_finished = True
        self._shards_are_known = False

    def restart(self) -> None:
        """Rewind every shard to its checkpoint."""
        for cursor in self._cursors.values():
            cursor.rewind(cursor.checkpoint)
            cursor.is_exhausted = False
        self._shards_are_known = False

    def use_client(self, client: DynamoDBStreamsClient) -> None:
        """Read on with another client."""
        self._client = client
        return_raw_records(client)

    def _is_finished(self, shard_id: str) -> bool:
        return shard_id not in self._cursors or self._cursors[shard_id].is_finished

    def _discover_shards(self) -> None:
        """Add the shards that are new; the first time all, at the starting position."""
        shards = list(self._list_shards())
        parent_ids = {shard.get("ParentShardId") for shard in shards}
        from_latest = self._starting_position == "LATEST" and not self._cursors
        for shard in shards:
            shard_id = shard["ShardId"]
            cursor = ShardCursor(
                shard_id,
                shard.get("ParentShardId", ""),
                iterator_type="LATEST" if from_latest else "TRIM_HORIZON",
                # A shard with children is closed: no new record will be written to it.
                is_finished=from_latest and shard_id in parent_ids,
            )
            self._cursors.setdefault(shard_id, cursor)
        listed_ids = {shard["ShardId"] for shard in shards}
        self._cursors = {
            shard_id: cursor
            for shard_id, cursor in self._cursors.items()
            if not cursor.is_finished or shard_id in listed_ids
        }
        self._shards_are_known = True

    def _read_page(self, cursor: ShardCursor, limit: int) -> list[Record]:
        if cursor.is_exhausted:
            return []
        cursor.iterator = cursor.iterator or self._get_iterator(cursor)
        limit = min(limit, MAX_PAGE_RECORDS)
        page = self._client.get_records(ShardIterator=cursor.iterator, Limit=limit)
        cursor.iterator = page.get("NextShardIterator", "")
        cursor.is_exhausted = not cursor.iterator
        records = cast("list[Record]", page["Records"])  # Raw: see return_raw_records.
        if records:
            cursor.position = records[-1]["dynamodb"]["SequenceNumber"]
        return records

    def _list_shards(self) -> Iterator[ShardTypeDef]:
        page = self._client.describe_stream(StreamArn=self._stream_arn)["StreamDescription"]
        yield from page["Shards"]
        while "LastEvaluatedShardId" in page:
            page = self._client.describe_stream(
                StreamArn=self._stream_arn, ExclusiveStartShardId=page["LastEvaluatedShardId"]
            )["StreamDescription"]
            yield from page["Shards"]

    def _get_iterator(self, cursor: ShardCursor) -> str:
        if cursor.position:
            response = self._client.get_shard_iterator(
                StreamArn=self._stream_arn,
                ShardId=cursor.shard_id,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                SequenceNumber=cursor.position,
            )
        else:
            response = self._client.get_shard_iterator(
                StreamArn=self._stream_arn,
                ShardId=cursor.shard_id,
                ShardIteratorType=cursor.iterator_type,  # type: ignore[arg-type]  # A literal.
            )
        return response["ShardIterator"]
