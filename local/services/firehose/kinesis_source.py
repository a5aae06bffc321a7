"""Kinesis source of a delivery stream: each shard in order, parents before children."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from local.core.raw_records import return_raw_records

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient
    from types_boto3_kinesis.type_defs import ShardTypeDef

PAGE_RECORDS = 1000  # records of one shard in one call
PARENT_FIELDS = ("ParentShardId", "AdjacentParentShardId")

Page = Mapping[str, Any]  # A GetRecords response with raw records, which the stubs do not know.


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """One record of the stream; `arrived_at` is approximate, in seconds since 1970."""

    data: bytes
    arrived_at: float
    shard_id: str
    sequence_number: str
    partition_key: str

    @property
    def record_id(self) -> str:
        """The opaque id by which the Lambda function identifies the record."""
        return f"{self.sequence_number}{self.shard_id[-6:]}"


class KinesisSource:
    """A reader of one stream, which starts at LATEST and keeps its position in each shard.

    After `read_batches`, `millis_behind` is the lag and `has_backlog` says whether a shard is
    known to have more records.
    """

    def __init__(self, kinesis: KinesisClient, stream_arn: str) -> None:
        return_raw_records(kinesis)
        self._kinesis = kinesis
        self._stream_arn = stream_arn
        self._iterators: dict[str, str] = {}
        self._last_records: dict[str, SourceRecord] = {}
        self._start_times: dict[str, datetime] = {}  # By the clock of Kinesis, not the cloud's.
        self._shards: dict[str, ShardTypeDef] = {}
        self._finished: set[str] = set()
        self.millis_behind = 0
        self.has_backlog = False
        self._start_at_latest()

    def restart(self, oldest_arrival: float | None) -> None:
        """Read again from `oldest_arrival`, the arrival of the oldest undelivered record.

        A shard in which no such record was read continues where it was.
        """
        self._iterators.clear()
        for shard_id, record in list(self._last_records.items()):
            if oldest_arrival is not None and record.arrived_at >= oldest_arrival:
                del self._last_records[shard_id]
                self._start_times[shard_id] = datetime.fromtimestamp(oldest_arrival, UTC)
                self._finished.discard(shard_id)

    def read_batches(self) -> Iterator[list[SourceRecord]]:
        """Yield the next records of each shard; asking for the next batch acknowledges the last."""
        found_records = False
        self.millis_behind = 0
        self.has_backlog = False
        while not found_records:
            finished_before = len(self._finished)
            for shard_id in [name for name in self._shards if self._is_readable(name)]:
                page = self._read_page(shard_id)
                if page["Records"]:
                    found_records = True
                    yield [_parse_record(shard_id, record) for record in page["Records"]]
                self._advance(shard_id, page)
            shard_finished = len(self._finished) > finished_before
            if not (found_records or self._refresh_shards() or shard_finished):
                return

    def _start_at_latest(self) -> None:
        self._kinesis.describe_stream(StreamARN=self._stream_arn)
        for shard in self._list_shards():
            shard_id = shard["ShardId"]
            if _is_closed(shard):
                self._finished.add(shard_id)
            else:
                self._start_times[shard_id] = datetime.now(UTC)
                self._iterators[shard_id] = self._get_iterator(shard_id, ShardIteratorType="LATEST")
            self._shards[shard_id] = shard

    def _read_page(self, shard_id: str) -> Page:
        iterator = self._iterators.get(shard_id) or self._resume(shard_id)
        try:
            page = self._kinesis.get_records(ShardIterator=iterator, Limit=PAGE_RECORDS)
        except self._kinesis.exceptions.ExpiredIteratorException:
            iterator = self._resume(shard_id)
            page = self._kinesis.get_records(ShardIterator=iterator, Limit=PAGE_RECORDS)
        return cast("Page", page)

    def _resume(self, shard_id: str) -> str:
        """Return an iterator after the last record read, or at the shard's starting position."""
        if record := self._last_records.get(shard_id):
            return self._get_iterator(
                shard_id,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                StartingSequenceNumber=record.sequence_number,
            )
        if started_at := self._start_times.get(shard_id):
            return self._get_iterator(
                shard_id, ShardIteratorType="AT_TIMESTAMP", Timestamp=started_at
            )
        return self._get_iterator(shard_id, ShardIteratorType="TRIM_HORIZON")

    def _get_iterator(self, shard_id: str, **position: Any) -> str:
        response = self._kinesis.get_shard_iterator(
            StreamARN=self._stream_arn,
            StreamName=self._stream_arn.rpartition("/")[2],  # AWS needs only one, moto the name.
            ShardId=shard_id,
            **position,
        )
        return response["ShardIterator"]

    def _advance(self, shard_id: str, page: Page) -> None:
        records = page["Records"]
        next_iterator = page.get("NextShardIterator")
        self.millis_behind = max(self.millis_behind, page.get("MillisBehindLatest", 0))
        self.has_backlog |= len(records) >= PAGE_RECORDS
        if records:
            self._last_records[shard_id] = _parse_record(shard_id, records[-1])
        if next_iterator:
            self._iterators[shard_id] = next_iterator
        if not next_iterator or (not records and _is_closed(self._shards[shard_id])):
            self._finished.add(shard_id)

    def _is_readable(self, shard_id: str) -> bool:
        """Return whether a shard may have more records and its parents have none."""
        shard: Mapping[str, Any] = self._shards[shard_id]
        parent_ids = {shard.get(name) for name in PARENT_FIELDS} & self._shards.keys()
        return shard_id not in self._finished and self._finished.issuperset(parent_ids)

    def _refresh_shards(self) -> bool:
        """List the shards, and return whether one was created or closed since the last time."""
        before = {shard_id: _is_closed(shard) for shard_id, shard in self._shards.items()}
        self._shards = {shard["ShardId"]: shard for shard in self._list_shards()}
        return before != {shard_id: _is_closed(shard) for shard_id, shard in self._shards.items()}

    def _list_shards(self) -> Iterator[ShardTypeDef]:
        page = self._kinesis.list_shards(StreamARN=self._stream_arn)
        yield from page["Shards"]
        while next_token := page.get("NextToken"):
            page = self._kinesis.list_shards(NextToken=next_token)  # AWS takes no other argument.
            yield from page["Shards"]


def _is_closed(shard: ShardTypeDef) -> bool:
    return "EndingSequenceNumber" in shard["SequenceNumberRange"]


def _parse_record(shard_id: str, record: Mapping[str, Any]) -> SourceRecord:
    return SourceRecord(
        data=b64decode(record["Data"]),
        arrived_at=float(record["ApproximateArrivalTimestamp"]),
        shard_id=shard_id,
        sequence_number=record["SequenceNumber"],
        partition_key=record["PartitionKey"],
    )
