"""What a running pipe does: batches from the stream's shards into Kinesis, or to the dead letters.

A shard's position moves on only when the fate of a whole batch is settled: delivered, dead-
lettered, or discarded by a rule of the pipe.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from botocore.exceptions import BotoCoreError, ClientError

from local.core.server import Cloud
from local.services.pipes.config import PRINCIPAL, TARGET, Settings
from local.services.pipes.dead_letters import DeadLetters
from local.services.pipes.event import Event, event
from local.services.pipes.stream_reader import Cursor, StreamReader

BATCH_BYTES = 6 * 1024 * 1024
RETENTION = 24 * 3600  # After that the stream has forgotten the record.
LONGEST_PAUSE = 60.0
FAILURES = (ClientError, BotoCoreError)
CONTENT_ERRORS = ("ValidationException", "InvalidArgumentException")
THROTTLES = ("ProvisionedThroughputExceededException", "LimitExceededException")
TOO_OLD = "RecordAgeExceeded"
EXHAUSTED = "RetryAttemptsExhausted"


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that share their fate; `condition` says why they are given up, once they are."""

    events: tuple[Event, ...]
    attempts: int = 0
    due: float = 0.0
    condition: str = ""


@dataclass(slots=True)
class Lane:
    """One shard on its way: events read, waiting since, and the batches they became."""

    cursor: Cursor
    waiting: list[Event] = field(default_factory=list)
    since: float = 0.0
    batches: deque[Batch] = field(default_factory=deque)
    taken: str = ""

    @property
    def held(self) -> int:
        """How many events were read whose fate is open."""
        return len(self.waiting) + sum(len(batch.events) for batch in self.batches)

    def next_due_at(self, window: float) -> float | None:
        """Return when there is something to do; what waits behind a batch waits as long as it."""
        if self.batches:
            return self.batches[0].due
        return self.since + window if self.waiting else None


class Flow:
    """The moving of one pipe; `trouble` is what keeps it from its source, `metrics` are new."""

    def __init__(self, cloud: Cloud, arn: str, settings: Settings) -> None:
        self._cloud = cloud
        self._arn = arn
        self._lanes: dict[str, Lane] = {}
        self.trouble = ""
        self.metrics: Counter[str] = Counter()
        self.received = self.delivered = self.failed = self.lost_on_restart = 0
        streams = cloud.client("dynamodbstreams", settings.role, PRINCIPAL, arn)
        self._reader = StreamReader(streams, settings.source, settings.starting_position)
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Go on with these settings."""
        self._settings = settings
        acting = (settings.role, PRINCIPAL, self._arn)
        self._reader.use(self._cloud.client("dynamodbstreams", *acting))
        self._kinesis = self._cloud.client("kinesis", *acting)
        self._dead_letters = DeadLetters(self._cloud, self._arn, settings)

    def restart(self) -> None:
        """Forget all but what is settled: the rest is read, and perhaps delivered, again."""
        self.lost_on_restart += sum(lane.held for lane in self._lanes.values())
        self._lanes.clear()
        self._reader.restart()

    def tick(self) -> bool:
        """Bring one batch of each readable shard further, and return whether any moved."""
        try:
            cursors = self._reader.cursors()
        except FAILURES as error:
            self.trouble = str(error)
            return False
        self.trouble = ""
        moved = [self._lane_step(self._lane(cursor)) for cursor in cursors]
        return any(moved)

    def next_due_at(self) -> float | None:
        """Return when a batch may be tried again, or is closed though not full."""
        window, lanes = self._settings.window, self._lanes.values()
        times = [at for lane in lanes if (at := lane.next_due_at(window)) is not None]
        return min(times, default=None)

    def _lane(self, cursor: Cursor) -> Lane:
        return self._lanes.setdefault(cursor.shard_id, Lane(cursor))

    def _lane_step(self, lane: Lane) -> bool:
        worked = not lane.batches and self._fill(lane)
        if lane.batches and lane.batches[0].due <= self._now():
            left = self._tried(lane.batches[0], lane.cursor.shard_id)
            lane.batches.popleft()
            lane.batches.extendleft(reversed(left))
            worked = True
        if not lane.batches and lane.taken:
            self._reader.settle(lane.cursor, lane.taken)
            lane.taken = ""
        if lane.cursor.ended and not lane.batches and not lane.waiting:
            self._reader.finish(lane.cursor)
            del self._lanes[lane.cursor.shard_id]
            worked = True
        return worked

    def _fill(self, lane: Lane) -> bool:
        """Read on in a shard, and close a batch when it is full or has waited long enough."""
        settings, now = self._settings, self._now()
        try:
            room = max(1, settings.batch_size - len(lane.waiting))
            records = self._reader.read(lane.cursor, room)
        except FAILURES as error:
            self.trouble = str(error)
            records = []
        if records and not lane.waiting:
            lane.since = now
        source, key = settings.source, settings.partition_key
        lane.waiting += [event(record, source, key) for record in records]
        self.received += len(records)
        taken = self._taken(lane.waiting)
        full = len(taken) == settings.batch_size or len(taken) < len(lane.waiting)
        if taken and (full or lane.cursor.ended or now - lane.since >= settings.window):
            del lane.waiting[: len(taken)]
            lane.batches.append(Batch(tuple(taken)))
            lane.taken = taken[-1].sequence_number
        return bool(records)

    def _taken(self, waiting: Iterable[Event]) -> list[Event]:
        """Return the events that fit into a batch: by number and by size, at least one."""
        taken: list[Event] = []
        size = 0
        for each in waiting:
            size += len(each.data)
            if taken and (size > BATCH_BYTES or len(taken) == self._settings.batch_size):
                break
            taken.append(each)
        return taken

    def _tried(self, batch: Batch, shard_id: str) -> list[Batch]:
        """Bring a batch nearer to its fate, and return what is left of it to be tried."""
        if batch.condition:
            return self._buried(batch, shard_id)
        limit = self._age_limit()
        old = tuple(each for each in batch.events if self._age(each) > limit)
        if old:
            young = tuple(each for each in batch.events if self._age(each) <= limit)
            aged = Batch(old, condition=TOO_OLD)
            return [aged, replace(batch, events=young)] if young else [aged]
        return self._delivered(batch)

    def _delivered(self, batch: Batch) -> list[Batch]:
        """Put a batch into Kinesis, and return what is to be tried again."""
        self.metrics["Invocations"] += 1
        if not all(each.partition_key for each in batch.events):
            return self._refused(batch)
        try:
            failed = self._put(batch)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in CONTENT_ERRORS:
                return self._refused(batch)
            self.metrics["ExecutionThrottled"] += code in THROTTLES
            failed = batch.events
        except BotoCoreError:
            failed = batch.events
        self.metrics["EventCount"] += len(batch.events) - len(failed)
        self.delivered += len(batch.events) - len(failed)
        return self._again(batch, failed) if failed else []

    def _put(self, batch: Batch) -> tuple[Event, ...]:
        """Return those events that Kinesis did not take."""
        stream = TARGET.fullmatch(self._settings.target)
        answer = self._kinesis.put_records(
            StreamName=stream[1] if stream else "",
            Records=[
                {"Data": each.data, "PartitionKey": each.partition_key} for each in batch.events
            ],
        )
        results = zip(batch.events, answer["Records"], strict=True)
        return tuple(each for each, result in results if result.get("ErrorCode"))

    def _refused(self, batch: Batch) -> list[Batch]:
        """Return what is left of a batch whose content Kinesis refuses, in halves if it may be.

        One that cannot be halved is refused at each attempt: it is not acted out. Without end
        to its attempts it blocks the shard until its first record is too old.
        """
        self._note_failure("Failed")
        if self._settings.bisects and len(batch.events) > 1:
            middle = len(batch.events) // 2
            first, second = batch.events[:middle], batch.events[middle:]
            return [replace(batch, events=first), replace(batch, events=second)]
        if self._settings.retries >= 0:
            return [replace(batch, condition=EXHAUSTED)]
        oldest = max(self._age(each) for each in batch.events)
        return [replace(batch, due=self._now() + self._age_limit() - oldest + 1)]

    def _again(self, batch: Batch, failed: tuple[Event, ...]) -> list[Batch]:
        """Return the failed rest of a batch, to be tried again later or given up."""
        partly = len(failed) < len(batch.events)
        self._note_failure("PartiallyFailed" if partly else "Failed")
        attempts, retries = batch.attempts + 1, self._settings.retries
        if 0 <= retries < attempts:
            return [Batch(failed, attempts, condition=EXHAUSTED)]
        return [Batch(failed, attempts, due=self._now() + pause(attempts))]

    def _buried(self, batch: Batch, shard_id: str) -> list[Batch]:
        """Send a batch to the dead letters, and return it again if that failed."""
        now = self._now()
        try:
            self._dead_letters.send(batch.events, batch.condition, shard_id, now)
        except FAILURES:
            if max(self._age(each) for each in batch.events) <= RETENTION:
                attempts = batch.attempts + 1
                return [replace(batch, attempts=attempts, due=now + pause(attempts))]
        self.failed += len(batch.events)
        return []

    def _note_failure(self, how: str) -> None:
        self.metrics[f"Execution{how}"] += 1
        self.metrics[f"TargetStage{how}"] += 1

    def _age(self, each: Event) -> float:
        return self._now() - each.second if each.second else 0.0

    def _age_limit(self) -> float:
        age = self._settings.record_age
        return RETENTION if age < 0 else min(age, RETENTION)

    def _now(self) -> float:
        return self._cloud.clock.now()


def pause(attempts: int) -> float:
    """Return the seconds to wait after so many attempts; AWS's own schedule is not published."""
    return min(2.0 ** min(attempts - 1, 10), LONGEST_PAUSE)
