"""A table's life on the chain, and what must come of it: a plain dict is the oracle."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from setup import names
from tests.campaign import validators
from tests.campaign.chain import Chain
from tests.campaign.evidence import Evidence, evidence, lake_objects
from tests.laptop import aws
from transform import canonical
from transform.state import Row, gaps

Item = dict[str, Any]
ACCOUNTS, OPENING = ("A", "B", "C"), 100
LARGE = {"S": "\x01" * 200_000}  # In JSON six times as long: more than Kinesis takes.
SWEEP = 11  # seconds after which the cloud looks for expired items again


class Told(NamedTuple):
    """A change as its table made it: the key and both images, canonical."""

    key: str
    old: str | None
    new: str | None


def key_of(order: str) -> Item:
    """Return the key of an order."""
    return {"order_id": {"S": order}}


def text_of(order: str) -> str:
    """Return the key of an order as the lake writes it."""
    return canonical(key_of(order))


class Life:
    """One campaign: its methods are what happens, and `judge` says what must be true in the end.

    `items` is what the table must hold, `log` what its streams must tell. A change may be missing
    in the end only if it is `at_risk`: on its way when something was taken away.
    """

    def __init__(self, chain: Chain) -> None:
        chain.begin_anew()
        self.chain = chain
        self.began = chain.stream()
        self.items: dict[str, Item] = {}
        self.log: list[Told] = []
        self.at_risk: set[str] = set()
        self.unseen: set[str] = set()
        self.poison: set[bytes] = set()
        self.poison_at_risk: set[bytes] = set()
        self.counts: Counter[str] = Counter()
        self.rows_before, self.rows_taken = chain.delivered, 0
        self.streams, self.runs, self.works = True, True, True
        self._open_accounts()

    # What happens to the table.

    def put(self, order: str, status: str, **more: Any) -> None:
        """Put an order as a whole."""
        item = {**key_of(order), "status": {"S": status}, **more}
        aws("dynamodb").put_item(TableName=names.TABLE, Item=item)
        self._changed(order, item)

    def remove(self, order: str) -> None:
        """Delete an order that may not be there."""
        aws("dynamodb").delete_item(TableName=names.TABLE, Key=key_of(order))
        self._changed(order, None)

    def update(self, order: str, name: str, value: Item) -> None:
        """Add an attribute to an order, or give it another value or type."""
        aws("dynamodb").update_item(
            TableName=names.TABLE,
            Key=key_of(order),
            UpdateExpression="SET #name = :value",
            ExpressionAttributeNames={"#name": name},
            ExpressionAttributeValues={":value": value},
        )
        self._changed(order, {**self.items.get(order, key_of(order)), name: value})

    def expire(self, order: str) -> None:
        """Let an order outlive its time."""
        past = {"N": str(int(self.chain.cloud.clock.now()) - 1)}
        self.put(order, "expiring", **{names.TTL_ATTRIBUTE: past})
        self.chain.cloud.clock.advance(SWEEP)
        self.chain.step()
        self._changed(order, None)

    def enlarge(self, order: str) -> None:
        """Let an order become larger than Kinesis takes."""
        self.put(order, "large", note=LARGE)

    def transfer(self, giver: str, taker: str, amount: int) -> None:
        """Move an amount from account to account in one transaction."""
        legs = {giver: -amount, taker: amount}
        aws("dynamodb").transact_write_items(
            TransactItems=[{"Update": _added(order, legs[order])} for order in legs]
        )
        for order, more in legs.items():
            balance = int(self.items[order]["balance"]["N"]) + more
            self._changed(order, {**self.items[order], "balance": {"N": str(balance)}})

    def _open_accounts(self) -> None:
        for account in ACCOUNTS:
            self.put(account, "open", balance={"N": str(OPENING)})

    def _changed(self, order: str, new: Item | None) -> None:
        old = self.items.pop(order, None)
        if new is not None:
            self.items[order] = new
        told = Told(text_of(order), old and canonical(old), new and canonical(new))
        if told.old == told.new:
            return
        if self.streams:
            self.log.append(told)
        else:
            self.unseen.add(told.key)

    # What happens to the chain.

    def move(self) -> None:
        """Let every part work once."""
        self.chain.step()

    def settle(self) -> None:
        """Let the chain come to rest."""
        self.chain.settle()

    def storm(self, kind: str, faults: Sequence[str]) -> None:
        """Let the next calls of a kind go wrong."""
        self.chain.storm.coming[kind].extend(faults)

    def spoil(self, record: bytes) -> None:
        """Put into Kinesis what no transform accepts."""
        record = b"%s %d" % (record, len(self.poison))
        aws("kinesis").put_record(StreamName=names.STREAM, Data=record, PartitionKey="poison")
        self.poison.add(record)

    def stop_pipe(self) -> None:
        """Let the pipe stand."""
        self.chain.stop_pipe()
        self.runs = False

    def start_pipe(self) -> None:
        """Let the pipe run."""
        self.chain.script("08_start_pipe")
        self.runs = True

    def break_function(self) -> None:
        """Let the function raise on each batch."""
        self.chain.break_function()
        self.works = False

    def mend_function(self) -> None:
        """Deploy the function as it should be."""
        self.chain.script("05_lambda")
        self.works = True

    def recreate_pipe(self) -> None:
        """Let another pipe begin with the stream's first change: all comes again."""
        self.chain.recreate_pipe()
        self.runs = True

    def recreate_firehose(self) -> None:
        """Let another delivery stream take over: what the old one held is gone."""
        self._risk_all()
        self.poison_at_risk |= self.poison - set(self.found().failed)
        self.chain.recreate_firehose()

    def delete_object(self, number: int) -> None:
        """Delete an object of the lake."""
        found = list(lake_objects())
        if found:
            key, rows = found[number % len(found)]
            self.at_risk |= {row["cdc_event_id"] or "" for row in rows}
            self.rows_taken += len(rows)
            aws("s3").delete_object(Bucket=names.bucket(), Key=key)

    def look_away(self, meanwhile: Callable[[], None]) -> None:
        """Switch the table's stream off, and on again after something has happened."""
        self._risk_all()
        self.chain.enable_stream(False)
        self.streams = False
        meanwhile()
        self.chain.enable_stream(True)
        self.streams = True
        self.recreate_pipe()

    def recreate_table(self) -> None:
        """Let an empty table take the place of the table; it gets the same accounts."""
        self._risk_all()
        self.unseen |= {text_of(order) for order in self.items}
        self.items.clear()
        self.chain.recreate_table()
        self.recreate_pipe()
        self._open_accounts()

    def _risk_all(self) -> None:
        """Note that what is on its way may be lost."""
        self.at_risk |= validators.unaccounted(self.found())

    # What is done about it.

    def backfill(self) -> None:
        """Send every item again; one that is too large is left."""
        assert self.chain.backfilled() == int(bool(self.large))

    def repair(self) -> None:
        """Repair while changes are on their way."""
        _, document = self.chain.verified("--repair", at_rest=False)
        assert "repair" in document

    def replay(self) -> None:
        """Send again what the transform accepts; while the function is broken, nothing."""
        _, document = self.chain.replayed()
        assert document.get("whole", False) == self.works

    # What must be true in the end.

    @property
    def large(self) -> list[str]:
        """The orders that are larger than Kinesis takes."""
        return [order for order, item in self.items.items() if "note" in item]

    def found(self) -> Evidence:
        """Return what lies in the cloud since this life began."""
        return evidence(self.began)

    def judge(self) -> None:
        """Bring the chain to rest, and hold against it all that must be true of it."""
        self._rest()
        found = self.found()
        self._judge_changes(found)
        self._judge_gaps(found)
        self._judge_repair(found)
        self._judge_the_end()

    def _rest(self) -> None:
        """End what is wrong with the chain, and send again what failed."""
        self.mend_function()
        self.start_pipe()
        self.settle()
        self.chain.storm.calm()
        self.replay()
        self.settle()

    def _judge_changes(self, found: Evidence) -> None:
        """Hold the lake against what was written."""
        texts = [_told(change) for change in found.written]
        assert texts == self.log
        lost = validators.unaccounted(found)
        assert lost <= self.at_risk, lost - self.at_risk
        assert validators.faults(found, lost) == []
        large = {each.event_id for each in found.written if '"note":' in "".join(_images(each))}
        assert found.buried == large - lost
        assert set(found.failed) <= self.poison
        assert self.poison - set(found.failed) <= self.poison_at_risk
        assert len(found.failed) == len(set(found.failed))
        assert len(found.rows) + self.rows_taken == self.chain.delivered - self.rows_before
        assert self.chain.unbalanced() == []

    def _judge_gaps(self, found: Evidence) -> None:
        """Hold what verify --gaps names against the law, and against what was lost."""
        status, document = self.chain.verified("--gaps")
        named = {(gap["key"], gap["source"], gap["sequence"]) for gap in document["gaps"]}
        lawful = {(gap.after.key, gap.after.source, gap.after.sequence) for gap in _gaps(found)}
        assert (status, named) == (int(bool(lawful)), lawful)
        assert {key for key, *_ in named} <= self._suspects(found)
        assert _broken(found) <= named

    def _suspects(self, found: Evidence) -> set[str]:
        """Return the keys of the changes that are not in the lake, or that no stream told."""
        return validators.absent_keys(found) | self.unseen

    def _judge_repair(self, found: Evidence) -> None:
        """Let verify name what is wrong, and mend it; what is too large it only names."""
        wrong = validators.equality(found)
        assert wrong <= self._suspects(found)
        assert _named(self.chain.verified("--wait", "0")) == (int(bool(wrong)), wrong)
        large = self.large
        status, mended = self.chain.verified("--repair")
        assert (status, mended["equal"]) == (int(bool(large)), not large)
        assert mended["repair"]["left"].keys() == set(map(text_of, large))
        for order in large:
            self.put(order, "small")
            self.settle()
            assert self.chain.verified("--repair")[0] == 0
        self.counts["repaired"] += len(wrong)

    def _judge_the_end(self) -> None:
        """Hold the repaired lake against the table, and let replay file what was repaired."""
        assert self.chain.verified("--wait", "0")[0] == 0
        poison = len(self.found().failed)
        self.chain.replayed("--repaired")
        found = self.found()
        accounts = [text_of(account) for account in ACCOUNTS]
        assert found.items == {text_of(order): canonical(self.items[order]) for order in self.items}
        assert validators.equality(found) == set()
        assert list(validators.bank(found, accounts, OPENING * len(ACCOUNTS))) == []
        assert (found.buried, len(found.failed)) == (set(), poison)
        status, again = self.chain.replayed()
        assert (status, again["replayed"], again["left"]) == (int(bool(poison)), 0, poison)
        self.counts.update(
            changes=len(self.log),
            lost=len(validators.unaccounted(found)),
            poison=poison,
            snapshots=len(validators.snapshots(found)),
            **self.chain.storm.struck,
        )
        self.chain.storm.struck.clear()


def _added(order: str, amount: int) -> dict[str, Any]:
    """Return the update that adds to an account."""
    return {
        "TableName": names.TABLE,
        "Key": key_of(order),
        "UpdateExpression": "SET balance = balance + :amount",
        "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
    }


def _told(change: Any) -> Told:
    old, new = change.old_image, change.new_image
    return Told(change.key, old and old.text, new and new.text)


def _images(change: Any) -> list[str]:
    return [image.text for image in (change.old_image, change.new_image) if image]


def _gaps(found: Evidence) -> list[Any]:
    return list(gaps(map(Row.of, found.rows)))


def _broken(found: Evidence) -> set[tuple[str, str, str]]:
    """Return the changes before which another of their stream is missing, by old and new image."""
    left: dict[tuple[str, str], str | None] = {}
    broken: set[tuple[str, str, str]] = set()
    for row in validators.distinct(found):
        place = (row.key, row.source)
        if place in left and left[place] != row.old_image:
            broken.add((*place, row.sequence))
        left[place] = row.new_image
    return broken


def _named(verified: tuple[int, dict[str, Any]]) -> tuple[int, set[str]]:
    """Return the exit status of verify, and all keys that it names."""
    status, document = verified
    kinds = ("missing", "extra", "different", "unsettled")
    return status, {key for kind in kinds for key in document[kind]}
