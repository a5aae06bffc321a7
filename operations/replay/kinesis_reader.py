"""Kinesis reader: the records that the stream still holds since a time, shard by shard.

A shard allows five reads a second, and Firehose needs one of them: so there is a pause after each.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from setup.lib.backoff import backoff
from setup.lib.shards import list_shard_ids

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient
    from types_boto3_kinesis.type_defs import GetRecordsOutputTypeDef, ListShardsOutputTypeDef

PAGE_RECORDS = 500
PAUSE = 0.5  # seconds between two reads of a shard
RETRY_ATTEMPTS = 12  # with pauses of up to 10 s: about a minute
CLOCK_MARGIN = timedelta(seconds=1)  # the clock of a response has whole seconds


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record as Kinesis holds it; `location` names it in reports."""

    data: bytes
    arrived_at: datetime
    location: str


class KinesisReader:
    """Reads a stream from a time up to the present; what arrives later is left out."""

    def __init__(self, kinesis: KinesisClient, stream: str) -> None:
        self._kinesis = kinesis
        self._stream = stream

    def oldest_time(self) -> datetime:
        """Return since when the stream holds records: its creation, or its retention period."""
        response = self._kinesis.describe_stream_summary(StreamName=self._stream)
        stream = response["StreamDescriptionSummary"]
        retention = timedelta(hours=stream["RetentionPeriodHours"])
        return max(stream["StreamCreationTimestamp"], datetime.now(UTC) - retention)

    def read_pages(self, since: datetime) -> Iterator[list[StoredRecord]]:
        """Yield pages of records that arrived since a time, and before the first call."""
        response = self._kinesis.list_shards(StreamName=self._stream)
        until = _response_time(response) + CLOCK_MARGIN
        for shard in list_shard_ids(self._kinesis, response):
            yield from self._read_shard(shard, since, until)

    def _read_shard(
        self, shard: str, since: datetime, until: datetime
    ) -> Iterator[list[StoredRecord]]:
        iterator: str | None = self._kinesis.get_shard_iterator(
            StreamName=self._stream,
            ShardId=shard,
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=since,
        )["ShardIterator"]
        while iterator:
            page = self._read_page(iterator)
            records = [
                StoredRecord(
                    record["Data"],
                    record["ApproximateArrivalTimestamp"],
                    f"{shard} of {self._stream}, number {record['SequenceNumber']}",
                )
                for record in page["Records"]
            ]
            yield [record for record in records if record.arrived_at < until]
            has_ended = not records and page["MillisBehindLatest"] == 0
            if has_ended or any(record.arrived_at >= until for record in records):
                return
            time.sleep(PAUSE)
            iterator = self._next_iterator(shard, page)

    def _next_iterator(self, shard: str, page: GetRecordsOutputTypeDef) -> str | None:
        """Return where to continue; a page may take longer to send than its iterator is valid."""
        if not page["Records"]:
            return page.get("NextShardIterator")
        return self._kinesis.get_shard_iterator(
            StreamName=self._stream,
            ShardId=shard,
            ShardIteratorType="AFTER_SEQUENCE_NUMBER",
            StartingSequenceNumber=page["Records"][-1]["SequenceNumber"],
        )["ShardIterator"]

    def _read_page(self, iterator: str) -> GetRecordsOutputTypeDef:
        """Return a page; other readers of the shard may use up what it allows for a while."""
        pauses = backoff(0.5, 10.0, attempts=RETRY_ATTEMPTS)
        while True:
            try:
                return self._kinesis.get_records(ShardIterator=iterator, Limit=PAGE_RECORDS)
            except self._kinesis.exceptions.ProvisionedThroughputExceededException:
                pause = next(pauses, None)
                if pause is None:
                    raise
                time.sleep(pause)


def _response_time(response: ListShardsOutputTypeDef) -> datetime:
    """Return when Kinesis sent a response, by the clock that also stamps the records."""
    return parsedate_to_datetime(response["ResponseMetadata"]["HTTPHeaders"]["date"])
