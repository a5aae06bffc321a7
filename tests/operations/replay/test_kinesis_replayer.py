"""Kinesis replayer: each content is sent once in a run, and every record is counted."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from operations.kinesis_writer import OutgoingRecord
from operations.replay.kinesis_reader import StoredRecord
from operations.replay.kinesis_replayer import CODE, KinesisReplayer
from operations.replay.summary import ReplaySummary
from tests.support.replay_fixture import insert_record

ARRIVED_AT = datetime(2026, 11, 29, 10, tzinfo=UTC)
SINCE = datetime(2026, 11, 29, tzinfo=UTC)
CHANGES = [insert_record(f"SO-{number}", number) for number in range(4)]
POISON = b"never a change"
PAGES = st.lists(st.lists(st.sampled_from([*CHANGES, POISON]), max_size=4), max_size=4)


class Reader:
    """A reader of these pages."""

    def __init__(self, pages: list[list[bytes]]) -> None:
        self.pages = pages
        self.times: list[datetime] = []

    def read_pages(self, since: datetime) -> Iterable[list[StoredRecord]]:
        self.times.append(since)
        for page in self.pages:
            yield [StoredRecord(data, ARRIVED_AT, "shard 1") for data in page]


def replay(pages: list[list[bytes]], sent: list[bytes] | None) -> ReplaySummary:
    """Replay the pages into a list; without one it is a dry run."""
    # It has the one method that is called.
    reader: Any = Reader(pages)

    def send(records: Iterable[OutgoingRecord]) -> None:
        assert sent is not None
        sent.extend(record.data for record in records)

    total = ReplaySummary()
    for summary in KinesisReplayer(reader, None if sent is None else send).replay_since(SINCE):
        total.add(summary)
    assert reader.times == [SINCE]
    return total


@given(PAGES)
def test_each_content_is_sent_once(pages: list[list[bytes]]) -> None:
    contents = list(dict.fromkeys(data for page in pages for data in page))
    sent: list[bytes] = []
    total = replay(pages, sent)
    assert sent == [data for data in contents if data != POISON]
    document = total.document()
    assert (document["found"], document["replayed"]) == (len(contents), len(sent))
    assert document["left"] == int(POISON in contents)
    assert document["unrecoverable"] == []
    assert set(total.first_locations.values()) <= {"shard 1"}
    assert set(total.record_counts) <= {CODE}
    assert replay(pages, None).document() == document


def test_the_time_of_arrival_is_that_of_kinesis() -> None:
    """A change without a time of its own gets it."""
    change = CHANGES[0].replace(b'"ApproximateCreationDateTime"', b'"SomethingElse"')
    sent: list[bytes] = []
    replay([[change]], sent)
    [data] = sent
    assert b'"ApproximateCreationDateTime":"2026-11-29 10:00:00.000"' in data
