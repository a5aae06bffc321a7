"""Failed changes: those that a replay would still send, in the error store and the dead letters.

A replayed change ranks by its position in the stream. If it is newer than the lake's row of its
key, but older than what the table has now, it outranks a repair that was sent before it, and an
older state wins. So a key is not repaired before its failed changes are replayed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass

import boto3

from operations.object_content import ObjectChanged, UnreadableObject
from operations.replay.dead_letters import DeadLetter, DeadLetterQueue, TableStreams
from operations.replay.error_documents import parse_documents
from operations.replay.error_objects import ErrorObject, ErrorObjects
from operations.replay.pipe_format import to_pipe_record
from operations.replay.validation import Accepted, validate_record
from operations.tempfiles import SpooledFiles, read_chunks
from setup.lib.errors import UserError
from setup.names import DEAD_LETTERS, bucket
from terminal.text import count


class FailedChangesUnknown(UserError):
    """Another process has received dead letters: the keys of their changes are unknown."""


@dataclass(frozen=True)
class FailedChanges:
    """The places where failed changes are kept."""

    error_objects: ErrorObjects
    dead_letters: DeadLetterQueue
    streams: TableStreams

    @classmethod
    def of_pipeline(cls) -> FailedChanges:
        """Return the places of this pipeline."""
        return cls(
            error_objects=ErrorObjects(boto3.client("s3"), bucket()),
            dead_letters=DeadLetterQueue(boto3.client("sqs"), DEAD_LETTERS),
            streams=TableStreams(boto3.client("dynamodbstreams")),
        )

    def read_keys(self) -> Iterator[str]:
        """Yield the key of each change that a replay would send, in no order.

        What the transform rejects, or what has expired, is never sent and so not among them.
        """
        for error_object in self.error_objects.list_objects():
            yield from self._keys_of_object(error_object)
        yield from self.read_letter_keys()

    def read_letter_keys(self) -> Iterator[str]:
        """Yield the key of each change of a dead letter that a replay would send."""
        hidden_count = self.dead_letters.count_in_flight()
        if hidden_count:
            raise FailedChangesUnknown(
                f"{count(hidden_count, 'dead letter')} locked by a replay, or by one that was "
                f"killed: try again once it has ended, or in 15 minutes"
            )
        for letter in self.dead_letters.receive_all():
            yield from self._keys_of_letter(letter)

    def _keys_of_object(self, error_object: ErrorObject) -> Iterator[str]:
        with SpooledFiles() as files:
            try:
                content = self.error_objects.download(error_object, files)
            except (UnreadableObject, ObjectChanged):
                return  # Nobody can replay it, or another replay just has.
            for document in parse_documents(read_chunks(content.file)):
                if document.record is not None:
                    yield from _accepted_key(document.record, document.arrived_at)

    def _keys_of_letter(self, letter: DeadLetter) -> Iterator[str]:
        if letter.range is None:
            return
        for record in self.streams.read_range(letter.range):
            if letter.range.is_replayed(record["dynamodb"]["SequenceNumber"]):
                continue
            yield from _accepted_key(to_pipe_record(record, letter.range.stream))


def _accepted_key(record: bytes, arrived_at: object = None) -> Iterator[str]:
    validation = validate_record(record, arrived_at)
    if isinstance(validation, Accepted):
        yield validation.key


class FailedKeys:
    """The keys of the failed changes, in a temporary file, so that memory does not grow."""

    def __init__(self, changes: FailedChanges) -> None:
        self._changes = changes
        self._database: sqlite3.Connection | None = None

    def __contains__(self, key: object) -> bool:
        """Return whether a change of this key has failed; the first call reads all changes."""
        if self._database is None:
            self._database = self._load()
        rows = self._database.execute("SELECT 1 FROM failed WHERE key = ?", [key])
        return rows.fetchone() is not None

    def close(self) -> None:
        """Close the temporary file, which deletes it."""
        if self._database is not None:
            self._database.close()

    def _load(self) -> sqlite3.Connection:
        with ExitStack() as on_error:
            database = on_error.enter_context(closing(sqlite3.connect("", isolation_level=None)))
            database.execute("CREATE TABLE failed (key TEXT PRIMARY KEY) WITHOUT ROWID")
            keys = ((key,) for key in self._changes.read_keys())
            database.executemany("INSERT OR IGNORE INTO failed VALUES (?)", keys)
            on_error.pop_all()
            return database
