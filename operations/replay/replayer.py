"""Replayer: sends failed records into Kinesis again, one error object or dead letter at a time.

What Kinesis acknowledges is archived under `replayed/` with an audit, and only then removed from
its source. After a kill in between, the next replay sends records twice, which is harmless: the
lake counts both copies as one change.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from operations.kinesis_writer import OutgoingRecord
from operations.object_content import Content, ObjectChanged, UnreadableObject
from operations.replay.audit import Archive, SourceReplay
from operations.replay.dead_letters import (
    DeadLetter,
    DeadLetterQueue,
    SequenceRange,
    TableStreams,
)
from operations.replay.error_documents import UNKNOWN_CODE, ErrorDocument, parse_documents
from operations.replay.error_objects import ErrorObject, ErrorObjects
from operations.replay.pipe_format import to_pipe_record
from operations.replay.summary import ReplaySummary
from operations.replay.validation import NO_RECORD, Accepted, Rejected, validate_record
from operations.tempfiles import SpooledFiles, read_chunks
from setup.names import REPLAYED

NO_SEQUENCE_RANGE = "not a dead letter that names a range of a stream"
NO_DOCUMENTS = "no error documents, only white space"
EXPIRED = "no longer in the table's stream"
LOCKED = "locked by another replay run (or one that was killed); retry in 15 minutes"


@dataclass(frozen=True)
class Replayer:
    """Replays records from all sources; a dry run, without `send`, changes nothing.

    `archive` says which rejected records it archives.
    """

    error_objects: ErrorObjects
    dead_letters: DeadLetterQueue
    streams: TableStreams
    send: Callable[[Iterable[OutgoingRecord]], object] | None
    archive: Archive = Archive.NOTHING

    def replay_all(self) -> Generator[ReplaySummary, None, None]:
        """Yield a summary of each error object, then of each dead letter, once it is archived."""
        for error_object in self.error_objects.list_objects():
            with SpooledFiles() as files:
                yield self._replay_object(error_object, files)
        yield self._locked_letters()
        for letter in self.dead_letters.receive_all():
            with SpooledFiles() as files:
                yield self._replay_letter(letter, files)

    def _replay_object(self, error_object: ErrorObject, files: SpooledFiles) -> ReplaySummary:
        location = self.error_objects.uri(error_object.key)
        source = SourceReplay(location, self.archive, files)
        try:
            remaining = self._send_documents(error_object, source, files)
            if self.send and source.may_leave:
                if not source.summary.remaining_counts:
                    remaining = None
                self.error_objects.archive(error_object, source.write_audit(_now()), remaining)
                source.summary.archived_count += 1
        except ObjectChanged:
            # What was sent is acknowledged; the object may still be there with all its records.
            source.summary.changed_count += 1
        return source.summary

    def _send_documents(
        self, error_object: ErrorObject, source: SourceReplay, files: SpooledFiles
    ) -> Content | None:
        """Send the changes of an object, and return the documents that remain of it."""
        try:
            content = self.error_objects.download(error_object, files)
        except UnreadableObject as error:
            source.count_outcome(UNKNOWN_CODE, Rejected(str(error), is_unrecoverable=True))
            return None
        self._send(_accepted_documents(content, source))
        if not source.summary.record_counts:
            source.count_outcome(UNKNOWN_CODE, Rejected(NO_DOCUMENTS, is_unrecoverable=True))
        return replace(content, file=source.remaining)

    def _locked_letters(self) -> ReplaySummary:
        summary = ReplaySummary()
        letter_count = self.dead_letters.count_in_flight()
        if letter_count:
            summary.count_remaining(
                UNKNOWN_CODE, Rejected(LOCKED), "the dead-letter queue", letter_count
            )
        return summary

    def _replay_letter(self, letter: DeadLetter, files: SpooledFiles) -> ReplaySummary:
        location = f"dead letter {letter.message_id}"
        source = SourceReplay(location, self.archive, files)
        remaining: list[SequenceRange] = []
        if letter.range is None:
            rejected = Rejected(NO_SEQUENCE_RANGE, is_unrecoverable=True)
            source.count_outcome(letter.code, rejected)
        else:
            self._send(self._accepted_changes(letter.code, letter.range, source, remaining))
        if self.send and source.may_leave:
            for sequence_range in remaining:
                self.dead_letters.send(letter.body_for(sequence_range))
            key = f"{REPLAYED}dead-letters/{letter.message_id}.audit.jsonl"
            audit = source.write_audit(_now(), letter=letter.body)
            self.error_objects.write(key, Content(audit))
            self.dead_letters.delete(letter)
            source.summary.archived_count += 1
        return source.summary

    def _send(self, records: Iterable[OutgoingRecord]) -> None:
        """Send records; in a dry run, only validate them."""
        if self.send:
            self.send(records)
        else:
            for _ in records:
                pass

    def _accepted_changes(
        self,
        code: str,
        sequence_range: SequenceRange,
        source: SourceReplay,
        remaining: list[SequenceRange],
    ) -> Iterator[OutgoingRecord]:
        """Yield the changes of a dead letter that are accepted, and append the other ranges."""
        numbers: list[str] = []
        for record in self.streams.read_range(sequence_range):
            number = record["dynamodb"]["SequenceNumber"]
            numbers.append(number)
            if sequence_range.is_replayed(number):
                continue
            validation = validate_record(to_pipe_record(record, sequence_range.stream))
            if not source.count_outcome(code, validation):
                remaining.append(sequence_range.part_of_one(number))
            elif isinstance(validation, Accepted):
                yield validation.outgoing
        expired = Rejected(EXPIRED, is_unrecoverable=True)
        remaining += [
            missing_range
            for missing_range in sequence_range.missing_ranges(numbers)
            if not source.count_outcome(code, expired, missing_range.count)
        ]


def _accepted_documents(content: Content, source: SourceReplay) -> Iterator[OutgoingRecord]:
    """Yield the changes of an object that are accepted; the other documents remain."""
    for document in parse_documents(read_chunks(content.file)):
        validation = _validate_document(document)
        if not source.count_outcome(document.code, validation):
            source.remaining.write(document.text + b"\n")
        elif isinstance(validation, Accepted):
            yield validation.outgoing


def _validate_document(document: ErrorDocument) -> Accepted | Rejected:
    if document.record is None:
        return Rejected(NO_RECORD, is_unrecoverable=True)
    return validate_record(document.record, document.arrived_at)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
