"""What Firehose reads of its Kinesis stream: each shard in order, and parents before children."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from local.core.raw_records import return_raw_records

READ_LIMIT = 1000  # records of one shard in one go
PARENTS = ("ParentShardId", "AdjacentParentShardId")


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record of the stream; `arrived` is its approximate arrival, in seconds since 1970."""

    data: bytes
    arrived: float
    shard: str
    sequence: str
    partition_key: str

    @property
    def record_id(self) -> str:
        """The opaque id by which the Lambda function knows the record."""
        return f"{self.sequence}{self.shard[-6:]}"


class Source:
    """A reader of one stream: it starts at LATEST, and remembers how far it got in each shard.

    After a round, `behind` tells by how many milliseconds it lags, and `backlog` whether a shard
    surely has more.
    """

    def __init__(self, kinesis: Any, stream_arn: str) -> None:
        return_raw_records(kinesis)
        self._kinesis = kinesis
        self._stream = stream_arn.rpartition("/")[2]
        self._iterators: dict[str, str] = {}
        self._reached: dict[str, SourceRecord] = {}
        self._since: dict[str, datetime] = {}  # When a shard's end was taken, on Kinesis's clock.
        self._shards: dict[str, Mapping[str, Any]] = {}
        self._finished: set[str] = set()
        self.behind = 0
        self.backlog = False
        self._start()

    def _start(self) -> None:
        self._kinesis.describe_stream(StreamName=self._stream)
        for shard in self._listed():
            name = shard["ShardId"]
            if _closed(shard):
                self._finished.add(name)
            else:
                self._since[name] = datetime.now(timezone.utc)
                self._iterators[name] = self._iterator(name, ShardIteratorType="LATEST")
            self._shards[name] = shard

    def restart(self, oldest: float | None) -> None:
        """Read again what arrived since `oldest`; a shard that has no such record, on where it was.

        With the arrival of the oldest record that is not delivered yet, none is left out.
        """
        self._iterators.clear()
        for shard, reached in list(self._reached.items()):
            if oldest is not None and reached.arrived >= oldest:
                del self._reached[shard]
                self._since[shard] = datetime.fromtimestamp(oldest, timezone.utc)
                self._finished.discard(shard)

    def batches(self) -> Iterator[list[SourceRecord]]:
        """Yield the next records of each shard; asking for more says that they are kept."""
        found, self.behind, self.backlog = False, 0, False
        while not found:
            ended = len(self._finished)
            for shard in [name for name in self._shards if self._readable(name)]:
                answer = self._read(shard)
                if answer["Records"]:
                    found = True
                    yield [_record(shard, each) for each in answer["Records"]]
                self._advance(shard, answer)
            if not (found or self._shards_changed() or len(self._finished) > ended):
                return

    def _read(self, shard: str) -> dict[str, Any]:
        iterator = self._iterators.get(shard) or self._resumed(shard)
        try:
            return self._kinesis.get_records(ShardIterator=iterator, Limit=READ_LIMIT)
        except self._kinesis.exceptions.ExpiredIteratorException:
            iterator = self._resumed(shard)
            return self._kinesis.get_records(ShardIterator=iterator, Limit=READ_LIMIT)

    def _resumed(self, shard: str) -> str:
        """Return an iterator from where reading got to, or from where it has to begin."""
        if reached := self._reached.get(shard):
            place = {"StartingSequenceNumber": reached.sequence}
            return self._iterator(shard, ShardIteratorType="AFTER_SEQUENCE_NUMBER", **place)
        if since := self._since.get(shard):
            return self._iterator(shard, ShardIteratorType="AT_TIMESTAMP", Timestamp=since)
        return self._iterator(shard, ShardIteratorType="TRIM_HORIZON")

    def _iterator(self, shard: str, **place: Any) -> str:
        wanted = {"StreamName": self._stream, "ShardId": shard, **place}
        return self._kinesis.get_shard_iterator(**wanted)["ShardIterator"]

    def _advance(self, shard: str, answer: Mapping[str, Any]) -> None:
        records, following = answer["Records"], answer.get("NextShardIterator")
        self.behind = max(self.behind, answer.get("MillisBehindLatest", 0))
        self.backlog |= len(records) >= READ_LIMIT
        if records:
            self._reached[shard] = _record(shard, records[-1])
        if following:
            self._iterators[shard] = following
        if not following or (not records and _closed(self._shards[shard])):
            self._finished.add(shard)

    def _readable(self, shard: str) -> bool:
        """Return whether a shard has more to give, and its parents none."""
        parents = (self._shards[shard].get(name) for name in PARENTS)
        waits_for = [name for name in parents if name in self._shards]
        return shard not in self._finished and self._finished.issuperset(waits_for)

    def _shards_changed(self) -> bool:
        """Look for shards, and return whether any is new or closed since the last look."""
        before = {name: _closed(shard) for name, shard in self._shards.items()}
        self._shards = {shard["ShardId"]: shard for shard in self._listed()}
        return before != {name: _closed(shard) for name, shard in self._shards.items()}

    def _listed(self) -> Iterator[Mapping[str, Any]]:
        for page in self._kinesis.get_paginator("list_shards").paginate(StreamName=self._stream):
            yield from page["Shards"]


def _closed(shard: Mapping[str, Any]) -> bool:
    return "EndingSequenceNumber" in shard["SequenceNumberRange"]


def _record(shard: str, record: Mapping[str, Any]) -> SourceRecord:
    return SourceRecord(
        data=b64decode(record["Data"]),
        arrived=float(record["ApproximateArrivalTimestamp"]),
        shard=shard,
        sequence=record["SequenceNumber"],
        partition_key=record["PartitionKey"],
    )
