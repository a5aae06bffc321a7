"""Kinesis replayer: sends again what the stream still holds, for changes that Firehose never read.

The copies pass the stream once more, and are read by a later run too. So each content is sent once
in a run: a repeated run sends no more than the first, and the lake counts all copies as one change.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from operations.kinesis_writer import OutgoingRecord
from operations.replay.kinesis_reader import KinesisReader, StoredRecord
from operations.replay.summary import ReplaySummary
from operations.replay.text_set import TextSet
from operations.replay.validation import Accepted, validate_record

CODE = "Kinesis"  # in the summary, in place of an error code


@dataclass(frozen=True)
class KinesisReplayer:
    """Replays the stream; a dry run has no `send`, and changes nothing."""

    reader: KinesisReader
    send: Callable[[Iterable[OutgoingRecord]], object] | None

    def replay_since(self, since: datetime) -> Generator[ReplaySummary, None, None]:
        """Yield a summary of each page of the stream, once its records are sent."""
        with closing(TextSet()) as digests:
            for page in self.reader.read_pages(since):
                new_records = [
                    record for record in page if digests.add(sha256(record.data).hexdigest())
                ]
                summary = ReplaySummary()
                accepted = _accepted_records(new_records, summary)
                if self.send:
                    self.send(accepted)
                else:
                    for _ in accepted:
                        pass
                yield summary


def _accepted_records(
    records: Iterable[StoredRecord], summary: ReplaySummary
) -> Iterator[OutgoingRecord]:
    """Yield the records that the transform accepts, and count all."""
    for record in records:
        arrived_at = int(record.arrived_at.timestamp() * 1000)
        validation = validate_record(record.data, arrived_at)
        if isinstance(validation, Accepted):
            summary.count_replayed(CODE)
            yield validation.outgoing
        else:
            # No option archives it: it is not in the error store, or Firehose has put it there.
            rejected = replace(validation, is_unrecoverable=False)
            summary.count_remaining(CODE, rejected, record.location)
