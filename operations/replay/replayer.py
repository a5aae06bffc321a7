"""Failed records on their way back into Kinesis: an error object or a dead letter at a time.

What is acknowledged is filed under `replayed/` with an audit, and only then leaves its place. A
kill between the two repeats what is harmless to repeat: a record that comes twice is one change.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from operations.kinesis_writer import Outgoing
from operations.replay.audit import Case
from operations.replay.dead_letters import DeadLetters, Letter, Run, Stream
from operations.replay.error_documents import UNNAMED, documents
from operations.replay.error_objects import Content, Entry, ErrorObjects, Moved, Unreadable
from operations.replay.pipe_format import piped
from operations.replay.summary import Tally
from operations.replay.tempfiles import Spools, chunks
from operations.replay.validation import NO_RECORD, Accepted, Refused, judged
from setup.names import REPLAYED

NO_RUN = "no letter that points into a stream"
EXPIRED = "gone from the table's stream"
HELD = "read by another replay, or by one that was killed: run it again in 15 minutes"
Send = Callable[[Iterable[Outgoing]], object]


@dataclass(frozen=True)
class Replay:
    """Where failed records lie, and where they go: without `send` nothing is changed.

    `is_repaired` tells that verify has mended what no replay can bring back: it is filed too.
    """

    objects: ErrorObjects
    letters: DeadLetters
    stream: Stream
    send: Send | None
    is_repaired: bool = False

    def tallies(self) -> Iterator[Tally]:
        """Yield what came of each error object, then of each dead letter, once that is filed."""
        for entry in self.objects.entries():
            with Spools() as spools:
                yield self._of_object(entry, spools)
        yield self._of_held_letters()
        for letter in self.letters.letters():
            with Spools() as spools:
                yield self._of_letter(letter, spools)

    def _of_object(self, entry: Entry, spools: Spools) -> Tally:
        case = Case(self.objects.place(entry.key), self.is_repaired, spools)
        try:
            rest = self._rest_of(entry, case, spools)
            if self.send and case.is_moving:
                self.objects.move(entry, case.audit(_now()), rest if case.tally.left else None)
                case.tally.moved += 1
        except Moved:
            return Tally()  # Whoever has moved it has counted it.
        return case.tally

    def _rest_of(self, entry: Entry, case: Case, spools: Spools) -> Content | None:
        """Send the changes of an object, and return the documents that stay of it."""
        try:
            content = self.objects.content(entry, spools)
        except Unreadable as error:
            case.takes(UNNAMED, Refused(str(error), lost=True))
            return None
        self._sent(_changes_of(content, case))
        return Content(case.rest, content.is_compressed, content.encoding)

    def _of_held_letters(self) -> Tally:
        tally = Tally()
        if count := self.letters.held():
            tally.leave(UNNAMED, Refused(HELD), "the dead letters", count)
        return tally

    def _of_letter(self, letter: Letter, spools: Spools) -> Tally:
        case = Case(f"dead letter {letter.message_id}", self.is_repaired, spools)
        left: list[Run] = []
        if letter.run is None:
            case.takes(letter.code, Refused(NO_RUN, lost=True))
        else:
            self._sent(self._changes_after(letter, letter.run, case, left))
        if self.send and case.is_moving:
            for run in left:
                self.letters.write(letter.about(run))
            key = f"{REPLAYED}dead-letters/{letter.message_id}.audit.jsonl"
            self.objects.write(key, Content(case.audit(_now(), letter=letter.body)))
            self.letters.delete(letter)
            case.tally.moved += 1
        return case.tally

    def _sent(self, changes: Iterable[Outgoing]) -> None:
        """Send changes; where nothing is to be changed, only look at them."""
        if self.send:
            self.send(changes)
        else:
            for _ in changes:
                pass

    def _changes_after(
        self, letter: Letter, run: Run, case: Case, left: list[Run]
    ) -> Iterator[Outgoing]:
        """Yield the changes of a letter that are accepted, and note the runs that are not."""
        numbers: list[str] = []
        for record in self.stream.records(run):
            number = record["dynamodb"]["SequenceNumber"]
            numbers.append(number)
            verdict = judged(piped(record, run.stream))
            if not case.takes(letter.code, verdict):
                left.append(run.part(number, number, 1))
            elif isinstance(verdict, Accepted):
                yield verdict.outgoing
        for gone in run.gone(numbers):
            if not case.takes(letter.code, Refused(EXPIRED, lost=True), gone.count):
                left.append(gone)


def _changes_of(content: Content, case: Case) -> Iterator[Outgoing]:
    """Yield the changes of an object that are accepted; the other documents are its rest."""
    for document in documents(chunks(content.file)):
        verdict = _verdict(document.raw, document.arrived_at)
        if not case.takes(document.code, verdict):
            case.rest.write(document.text + b"\n")
        elif isinstance(verdict, Accepted):
            yield verdict.outgoing


def _verdict(raw: bytes | None, arrived_at: object) -> Accepted | Refused:
    return Refused(NO_RECORD, lost=True) if raw is None else judged(raw, arrived_at)


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
