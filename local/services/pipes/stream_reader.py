"""Reading a DynamoDB stream to its end: every shard, parents before children, with positions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.core.raw_records import return_raw_records

PAGE_RECORDS = 1000
REPAIRS = 3

Record = dict[str, Any]


@dataclass(slots=True)
class Cursor:
    """How far one shard has been read (`reached`), and settled (`settled`)."""

    shard_id: str
    parent: str
    start: str
    settled: str = ""
    reached: str = ""
    iterator: str = ""
    ended: bool = False
    done: bool = False

    def restart(self, after: str) -> None:
        """Read on behind a sequence number; without one, from the shard's oldest record.

        That holds for a shard that was to be read from LATEST too: rather too much than too
        little.
        """
        self.reached, self.start, self.iterator = after, "TRIM_HORIZON", ""


class StreamReader:
    """A stream's records as they travel over the wire, from a starting position on.

    It needs DescribeStream, GetShardIterator and GetRecords, and nothing that AWS's API does
    not say: any server that speaks DynamoDB Streams will do.
    """

    def __init__(self, client: Any, stream_arn: str, starting_position: str) -> None:
        self.use(client)
        self._arn = stream_arn
        self._start = starting_position
        self._cursors: dict[str, Cursor] = {}
        self._is_known = False

    def cursors(self) -> list[Cursor]:
        """Return the shards that may be read now: those whose parent has been settled."""
        if not self._is_known:
            self._discover()
        return [
            cursor
            for cursor in list(self._cursors.values())
            if not cursor.done and self._is_done(cursor.parent)
        ]

    def read(self, cursor: Cursor, limit: int) -> list[Record]:
        """Return a shard's next records, at most `limit` of them.

        An empty answer is not the end: it is asked for once more. An expired iterator is
        renewed; where the next record has been trimmed, reading goes on with the oldest that is
        left.
        """
        errors = self.client.exceptions
        for _ in range(REPAIRS):
            try:
                return self._next(cursor, limit) or self._next(cursor, limit)
            except errors.ExpiredIteratorException:
                cursor.restart(cursor.reached)
            except errors.TrimmedDataAccessException:
                cursor.restart("")
        return self._next(cursor, limit)

    def settle(self, cursor: Cursor, sequence_number: str) -> None:
        """Note that the fate of every record up to this one is decided."""
        cursor.settled = sequence_number

    def finish(self, cursor: Cursor) -> None:
        """Note that a shard is read and settled to its end: its children may be read now."""
        cursor.done = True
        self._is_known = False

    def restart(self) -> None:
        """Read every shard again behind what is settled of it."""
        for cursor in self._cursors.values():
            cursor.restart(cursor.settled)
            cursor.ended = False
        self._is_known = False

    def use(self, client: Any) -> None:
        """Read on with another client."""
        self.client = client
        return_raw_records(client)

    def _is_done(self, shard_id: str) -> bool:
        return shard_id not in self._cursors or self._cursors[shard_id].done

    def _discover(self) -> None:
        """Take up the shards that are new; at first all, from the starting position."""
        shards = list(self._shards())
        parents = {shard.get("ParentShardId") for shard in shards}
        from_latest = self._start == "LATEST" and not self._cursors
        for shard in shards:
            shard_id = shard["ShardId"]
            if from_latest and shard_id in parents:  # Closed: nothing new will come there.
                cursor = Cursor(shard_id, shard.get("ParentShardId", ""), "LATEST", done=True)
            else:
                start = "LATEST" if from_latest else "TRIM_HORIZON"
                cursor = Cursor(shard_id, shard.get("ParentShardId", ""), start)
            self._cursors.setdefault(shard_id, cursor)
        listed = {shard["ShardId"] for shard in shards}
        held = self._cursors.items()
        self._cursors = {name: cursor for name, cursor in held if not cursor.done or name in listed}
        self._is_known = True

    def _next(self, cursor: Cursor, limit: int) -> list[Record]:
        if cursor.ended:
            return []
        cursor.iterator = cursor.iterator or self._iterator(cursor)
        limit = min(limit, PAGE_RECORDS)
        page = self.client.get_records(ShardIterator=cursor.iterator, Limit=limit)
        cursor.iterator = page.get("NextShardIterator", "")
        cursor.ended = not cursor.iterator
        for record in page["Records"][-1:]:
            cursor.reached = record["dynamodb"]["SequenceNumber"]
        return page["Records"]

    def _shards(self) -> Iterator[Mapping[str, Any]]:
        start: dict[str, str] = {}
        while True:
            page = self.client.describe_stream(StreamArn=self._arn, **start)["StreamDescription"]
            yield from page["Shards"]
            if "LastEvaluatedShardId" not in page:
                return
            start = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}

    def _iterator(self, cursor: Cursor) -> str:
        """Return an iterator behind what has been read."""
        place = {"ShardIteratorType": cursor.start}
        if cursor.reached:
            place = {
                "ShardIteratorType": "AFTER_SEQUENCE_NUMBER",
                "SequenceNumber": cursor.reached,
            }
        answer = self.client.get_shard_iterator(
            StreamArn=self._arn, ShardId=cursor.shard_id, **place
        )
        return answer["ShardIterator"]
