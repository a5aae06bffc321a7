"""Poller of a running pipe: it moves batches from the shards of a stream into Kinesis.

How a pipe behaves when it cannot deliver decides whether the pipeline loses data, so here is the
whole of it.

**Polling.** On each tick the poller looks at every shard that may be read: a shard waits until
its parent is finished. Each shard has its own state (`ShardState`) and makes progress
independently of the others, but has only one batch in work, so the order within a shard holds
unless a partial failure breaks it (see *Retries*).

**Batching window.** Events that were read wait in `pending`. A batch closes when it has
`batch_size` events, when the next event would exceed 6 MB, when the shard is exhausted, or when
its first event has waited for the batching window. With a window of 0 it closes at once.

**Record age.** Before each attempt, events older than `max_record_age`, or than the 24 hours that
the stream keeps records, are taken out of the batch and dead-lettered.

**Retries.** If the call fails, the whole batch is retried; if Kinesis rejects some records, only
those are, after the records that followed them: this is where order inverts. The pause starts at
one second, doubles with each attempt and never exceeds a minute. After `max_retries` attempts the
rest is dead-lettered; -1 means no limit.

**Bisecting.** An error about the content (a record that is too large, an empty partition key)
would repeat forever, so a pipe that may bisect splits the batch in half and tries both halves, in
order, until each poison record is alone. That record, or the whole batch if the pipe may not
bisect, is dead-lettered. The attempts between are not simulated, for they all end the same way.
With unlimited retries it blocks its shard until it is too old.

**Dead letters.** A batch that is given up becomes one message in the dead-letter queue, which says
where the batch lies in the stream. If the queue does not accept the message, sending is retried
until the stream no longer has the records either. Without a queue the batch is discarded.

**Error log.** With a log group, each execution that fails writes one record with its reason.

**Checkpoints and restart.** A shard's checkpoint advances only when the fate of every event of a
closed batch is decided: delivered, dead-lettered or discarded. A restart loses what is in memory
and reads on after the checkpoint, so events may be delivered twice but are never lost.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from local.core.server import Cloud
from local.services.pipes.config import PRINCIPAL, Settings
from local.services.pipes.dead_letters import DeadLetters, error_message
from local.services.pipes.error_log import ErrorLog
from local.services.pipes.event import Event, event_from_record
from local.services.pipes.stream_reader import ShardCursor, StreamReader

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient

MAX_BATCH_BYTES = 6 * 1024 * 1024
RETENTION_SECONDS = 24 * 3600  # The stream deletes older records.
MAX_BACKOFF_SECONDS = 60.0
CALL_ERRORS = (ClientError, BotoCoreError)
CONTENT_ERRORS = ("ValidationException", "InvalidArgumentException")
THROTTLING_ERRORS = ("ProvisionedThroughputExceededException", "LimitExceededException")
RECORD_TOO_OLD = "RecordAgeExceeded"
RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
NO_PARTITION_KEY = "the partition key of a record is empty"


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that are delivered together; `condition` is why they are to be dead-lettered."""

    events: tuple[Event, ...]
    attempts: int = 0
    due_at: float = 0.0
    condition: str = ""


@dataclass(slots=True)
class ShardState:
    """One shard's progress: `pending` events, read since `pending_since`, and open batches.

    `batch_end` is the last sequence number of the batches: the checkpoint, once none is open.
    """

    cursor: ShardCursor
    pending: list[Event] = field(default_factory=list)
    pending_since: float = 0.0
    batches: deque[Batch] = field(default_factory=deque)
    batch_end: str = ""

    @property
    def undecided(self) -> int:
        """The number of events that were read and whose fate is not decided."""
        return len(self.pending) + sum(len(batch.events) for batch in self.batches)

    def next_due_at(self, batching_window: float) -> float | None:
        """Return when there is work to do; pending events wait for the batch before them."""
        if self.batches:
            return self.batches[0].due_at
        return self.pending_since + batching_window if self.pending else None


class PipePoller:
    """The poller of one pipe.

    `read_error` is why the source could not be read last time, or empty; `metrics` are those
    that the service has not published yet.
    """

    def __init__(self, cloud: Cloud, pipe_arn: str, settings: Settings) -> None:
        self._cloud = cloud
        self._pipe_arn = pipe_arn
        self._shards: dict[str, ShardState] = {}
        self.read_error = ""
        self.metrics: Counter[str] = Counter()
        self.received = 0
        self.delivered = 0
        self.failed = 0
        self.lost_on_restart = 0
        streams = cloud.client("dynamodbstreams", settings.role_arn, PRINCIPAL, pipe_arn)
        self._reader = StreamReader(streams, settings.source_arn, settings.starting_position)
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Continue with other settings."""
        self._settings = settings
        role_arn, pipe_arn = settings.role_arn, self._pipe_arn
        self._reader.use_client(
            self._cloud.client("dynamodbstreams", role_arn, PRINCIPAL, pipe_arn)
        )
        self._kinesis: KinesisClient = self._cloud.client("kinesis", role_arn, PRINCIPAL, pipe_arn)
        self._dead_letters = DeadLetters(self._cloud, pipe_arn, settings)
        self._error_log = ErrorLog(self._cloud, pipe_arn, settings.log_group)

    def restart(self) -> None:
        """Drop what is in memory and continue from the checkpoints."""
        self.lost_on_restart += sum(shard.undecided for shard in self._shards.values())
        self._shards.clear()
        self._reader.restart()

    def tick(self) -> bool:
        """Process at most one batch of each readable shard; return whether any made progress."""
        try:
            cursors = self._reader.readable_shards()
        except CALL_ERRORS as error:
            self.read_error = str(error)
            return False
        self.read_error = ""
        progress = [self._tick_shard(self._shard(cursor)) for cursor in cursors]
        return any(progress)

    def next_due_at(self) -> float | None:
        """Return when the next retry is due or the next batching window ends."""
        window = self._settings.batching_window
        due_times = [shard.next_due_at(window) for shard in self._shards.values()]
        return min((due_at for due_at in due_times if due_at is not None), default=None)

    def _shard(self, cursor: ShardCursor) -> ShardState:
        return self._shards.setdefault(cursor.shard_id, ShardState(cursor))

    def _tick_shard(self, shard: ShardState) -> bool:
        made_progress = not shard.batches and self._read_batch(shard)
        if shard.batches and shard.batches[0].due_at <= self._now():
            # A poller that is killed in `_process` must still have the batch: remove it after.
            unfinished = self._process(shard.batches[0], shard.cursor.shard_id)
            shard.batches.popleft()
            shard.batches.extendleft(reversed(unfinished))
            made_progress = True
        if not shard.batches and shard.batch_end:
            shard.cursor.checkpoint = shard.batch_end
            shard.batch_end = ""
        if shard.cursor.is_exhausted and not shard.batches and not shard.pending:
            self._reader.finish(shard.cursor)
            del self._shards[shard.cursor.shard_id]
            made_progress = True
        return made_progress

    def _read_batch(self, shard: ShardState) -> bool:
        """Read on, close a batch if one is complete, and return whether there were records."""
        settings = self._settings
        now = self._now()
        try:
            room = max(1, settings.batch_size - len(shard.pending))
            records = self._reader.read(shard.cursor, room)
        except CALL_ERRORS as error:
            self.read_error = str(error)
            records = []
        if records and not shard.pending:
            shard.pending_since = now
        shard.pending += [
            event_from_record(record, settings.source_arn, settings.partition_key)
            for record in records
        ]
        self.received += len(records)
        window_is_over = now - shard.pending_since >= settings.batching_window
        self._take_batch(shard, is_last=shard.cursor.is_exhausted or window_is_over)
        return bool(records)

    def _take_batch(self, shard: ShardState, is_last: bool) -> None:
        """Close a batch of the pending events if it is full, or in any case if it is the last."""
        events = self._first_batch(shard.pending)
        is_full = len(events) == self._settings.batch_size or len(events) < len(shard.pending)
        if events and (is_full or is_last):
            del shard.pending[: len(events)]
            shard.batches.append(Batch(tuple(events)))
            shard.batch_end = events[-1].sequence_number

    def _first_batch(self, pending: list[Event]) -> list[Event]:
        """Return the first events that fit into a batch by number and size, at least one."""
        events: list[Event] = []
        batch_bytes = 0
        for event in pending:
            batch_bytes += len(event.data)
            is_full = batch_bytes > MAX_BATCH_BYTES or len(events) == self._settings.batch_size
            if events and is_full:
                break
            events.append(event)
        return events

    def _process(self, batch: Batch, shard_id: str) -> list[Batch]:
        """Deliver, split or dead-letter a batch, and return the batches still to be processed."""
        if batch.condition:
            return self._dead_letter(batch, shard_id)
        max_age = self._max_age()
        expired = tuple(event for event in batch.events if self._age(event) > max_age)
        if not expired:
            return self._deliver(batch)
        current = tuple(event for event in batch.events if self._age(event) <= max_age)
        unfinished = [Batch(expired, condition=RECORD_TOO_OLD)]
        if current:
            unfinished.append(replace(batch, events=current))
        return unfinished

    def _deliver(self, batch: Batch) -> list[Batch]:
        """Put a batch into Kinesis, and return the batches to be retried."""
        self.metrics["Invocations"] += 1
        if not all(event.partition_key for event in batch.events):
            return self._bisect_or_give_up(batch, NO_PARTITION_KEY)
        reason = "some records were rejected"
        try:
            failed = self._put_records(batch.events)
        except ClientError as error:
            reason = error_message(error)
            code = error.response["Error"]["Code"]
            if code in CONTENT_ERRORS:
                return self._bisect_or_give_up(batch, reason)
            self.metrics["ExecutionThrottled"] += code in THROTTLING_ERRORS
            failed = batch.events
        except BotoCoreError as error:
            reason = str(error)
            failed = batch.events
        self.metrics["EventCount"] += len(batch.events) - len(failed)
        self.delivered += len(batch.events) - len(failed)
        return self._requeue(batch, failed, reason) if failed else []

    def _put_records(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """Put events into Kinesis, and return those that it rejected."""
        response = self._kinesis.put_records(
            StreamARN=self._settings.target_arn,
            Records=[{"Data": event.data, "PartitionKey": event.partition_key} for event in events],
        )
        results = zip(events, response["Records"], strict=True)
        return tuple(event for event, result in results if result.get("ErrorCode"))

    def _bisect_or_give_up(self, batch: Batch, reason: str) -> list[Batch]:
        """Return what becomes of a batch whose content Kinesis rejects."""
        self._record_failure("Failed", reason)
        if self._settings.bisects_batches and len(batch.events) > 1:
            middle = len(batch.events) // 2
            halves = (batch.events[:middle], batch.events[middle:])
            return [replace(batch, events=events) for events in halves]
        if self._settings.max_retries >= 0:
            return [replace(batch, condition=RETRIES_EXHAUSTED)]
        oldest_age = max(self._age(event) for event in batch.events)
        return [replace(batch, due_at=self._now() + self._max_age() - oldest_age + 1)]

    def _requeue(self, batch: Batch, failed: tuple[Event, ...], reason: str) -> list[Batch]:
        """Return the failed events of a batch, to be retried later or dead-lettered."""
        is_partial = len(failed) < len(batch.events)
        self._record_failure("PartiallyFailed" if is_partial else "Failed", reason)
        attempts = batch.attempts + 1
        if 0 <= self._settings.max_retries < attempts:
            return [Batch(failed, attempts, condition=RETRIES_EXHAUSTED)]
        return [Batch(failed, attempts, due_at=self._now() + backoff_seconds(attempts))]

    def _dead_letter(self, batch: Batch, shard_id: str) -> list[Batch]:
        """Send a batch to the dead-letter queue, and return it for a retry if that failed."""
        now = self._now()
        try:
            self._dead_letters.send(batch.events, batch.condition, shard_id, now)
        except CALL_ERRORS:
            if max(self._age(event) for event in batch.events) <= RETENTION_SECONDS:
                attempts = batch.attempts + 1
                due_at = now + backoff_seconds(attempts)
                return [replace(batch, attempts=attempts, due_at=due_at)]
        self.failed += len(batch.events)
        return []

    def _record_failure(self, kind: str, reason: str) -> None:
        self._error_log.write(kind, reason)
        self.metrics[f"Execution{kind}"] += 1
        self.metrics[f"TargetStage{kind}"] += 1

    def _age(self, event: Event) -> float:
        return self._now() - event.created_at if event.created_at else 0.0

    def _max_age(self) -> float:
        max_age = self._settings.max_record_age
        return RETENTION_SECONDS if max_age < 0 else min(max_age, RETENTION_SECONDS)

    def _now(self) -> float:
        return self._cloud.clock.now()


def backoff_seconds(attempts: int) -> float:
    """Return the pause after so many attempts; AWS does not publish its own schedule."""
    return min(2.0 ** min(attempts - 1, 10), MAX_BACKOFF_SECONDS)
