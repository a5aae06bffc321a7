"""A table's life on the chain, and what must come of it: a plain dict is the oracle."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from local.crawler import Glue
from local.firehose import Firehose
from local.lambda_runtime import Lambda
from local.part import Part
from local.pipe import Pipes
from setup import names
from tests.campaign import validators
from tests.campaign.chain import Chain
from tests.campaign.effects import Effects
from tests.campaign.evidence import Evidence, evidence, in_kinesis, lake_objects
from tests.campaign.interruptions import Death
from tests.campaign.storm import ASK, INVOKE, PUT
from tests.laptop import aws
from transform import canonical
from transform.state import Row, gaps

Item = dict[str, Any]
ACCOUNTS, OPENING = ("A", "B", "C"), 100
LARGE = {"S": "\x01" * 200_000}  # In JSON six times as long: more than Kinesis takes.
SWEEP = 11  # seconds after which the cloud looks for expired items again
PARTS: dict[str, type[Part]] = {
    "pipe": Pipes,
    "firehose": Firehose,
    "function": Lambda,
    "crawler": Glue,
}


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
        self.began, self.began_at = chain.stream(), time.time()
        self.items: dict[str, Item] = {}
        self.log: list[Told] = []
        self.at_risk: set[str] = set()
        self.unseen: set[str] = set()
        self.poison: set[bytes] = set()
        self.poison_at_risk: set[bytes] = set()
        self.counts: Counter[str] = Counter()
        self.effects = Effects()
        self.rows_before, self.forgotten_before = chain.delivered, chain.forgotten
        self.rows_taken = 0
        self.streams, self.runs, self.works = True, True, True
        self.made = self.stood_at = self.killed = self.failed_before = 0
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
        before = self.items.get(order, {}).get(name, value)
        self.effects.did["retype"] += before.keys() != value.keys()
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
        self.made += 1
        if self.streams:
            self.log.append(told)
        else:
            self.unseen.add(told.key)

    # What happens to the chain: each returns how much it did.

    def move(self, seconds: float, *pausing: type[Part]) -> int:
        """Let time pass, and then every part work once but those that pause."""
        self.chain.cloud.clock.advance(seconds)
        return int(self.chain.step(*pausing))

    def settle(self) -> int:
        """Let the chain come to rest; by then all that is not at risk has arrived."""
        before = self.chain.delivered
        self.chain.settle()
        self._judge_rest()
        return self.chain.delivered - before

    def _judge_rest(self) -> None:
        """Hold that nothing is on its way but what the pipe has not been able to read."""
        lost = validators.unaccounted(self.found()) - self.at_risk
        if lost and not self.runs:
            lost &= in_kinesis(self.began_at)
        assert lost == set(), lost

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
        self.runs, self.stood_at = False, len(self.log)

    def start_pipe(self) -> None:
        """Let the pipe run."""
        self.chain.script("08_start_pipe")
        self._runs_again()

    def _runs_again(self) -> None:
        if not self.runs:
            self.effects.did["stop_pipe"] += len(self.log) - self.stood_at
        self.runs = True

    def break_function(self) -> None:
        """Let the function raise on each batch."""
        self.failed_before = self.chain.untransformed
        self.chain.break_function()
        self.works = False

    def mend_function(self) -> None:
        """Deploy the function as it should be."""
        if not self.works:
            failed = self.chain.untransformed - self.failed_before
            self.effects.did["break_function"] += max(0, failed)  # Another Firehose counts anew.
        self.chain.script("05_lambda")
        self.works = True

    def kill(self, part: str) -> int:
        """Kill a part at this moment; the crawler is at work then."""
        if part == "crawler":
            self.chain.crawl()
            self.move(0)
        self.killed += part == "firehose"
        return self.chain.kill(PARTS[part])

    def kill_amid(self, call: str, death: Death) -> None:
        """Let the part die that makes this call next."""
        self.killed += 1
        self.chain.reaper.awaited[call] = death

    def kill_athena(self, *options: str) -> int:
        """Let Athena die while it answers verify: what cannot be told is not told."""
        self.storm(ASK, ["query died"])
        with self.chain.storm.raging():
            status, document = self.chain.verified("--wait", "0", *options)
        assert (status, document) == (2, {})
        return 1

    def crawl(self) -> None:
        """Let the crawler begin to look for new columns."""
        self.chain.crawl()

    def recreate_pipe(self) -> int:
        """Let another pipe begin with the stream's first change: all comes again."""
        self.chain.recreate_pipe()
        self._runs_again()
        return sum(told.source == self.chain.stream() for told in self.found().written)

    def recreate_firehose(self) -> int:
        """Let another delivery stream take over: what Kinesis and the old one held is gone."""
        self.poison_at_risk |= self.poison - set(self.found().failed)
        risked = self._risk(validators.unaccounted(self.found()) & in_kinesis(self.began_at))
        self.chain.recreate_firehose()
        return risked

    def delete_object(self, number: int) -> int:
        """Delete an object of the lake."""
        found = list(lake_objects())
        if not found:
            return 0
        key, rows = found[number % len(found)]
        self.at_risk |= {row["cdc_event_id"] or "" for row in rows}
        self.rows_taken += len(rows)
        aws("s3").delete_object(Bucket=names.bucket(), Key=key)
        return len(rows)

    def look_away(self, meanwhile: Callable[[], None]) -> int:
        """Switch the table's stream off, and on again after something has happened."""
        risked, seen = self._risk_the_unread(), len(self.unseen)
        self.chain.enable_stream(False)
        self.streams = False
        meanwhile()
        self.chain.enable_stream(True)
        self.streams = True
        self.recreate_pipe()
        return risked + len(self.unseen) - seen

    def recreate_table(self) -> int:
        """Let an empty table take the place of the table; it gets the same accounts."""
        self._risk_the_unread()
        gone = len(self.items)
        self.unseen |= {text_of(order) for order in self.items}
        self.items.clear()
        self.chain.recreate_table()
        self.recreate_pipe()
        self._open_accounts()
        return gone

    def _risk_the_unread(self) -> int:
        """Note that what the pipe has not brought into Kinesis may be lost."""
        return self._risk(validators.unaccounted(self.found()) - in_kinesis(self.began_at))

    def _risk(self, changes: set[str]) -> int:
        """Note that changes may be lost, and return how many were not noted before."""
        new = changes - self.at_risk
        self.at_risk |= new
        return len(new)

    # What is done about it.

    def backfill(self) -> int:
        """Send every item again; one that is too large is left."""
        assert self.chain.backfilled() == int(bool(self.large))
        return len(self.items) - len(self.large)

    def repair(self) -> int:
        """Repair while changes are on their way."""
        _, document = self.chain.verified("--repair", at_rest=False)
        return document["repair"]["counts"]["items"] + document["repair"]["counts"]["tombstones"]

    def replay(self) -> int:
        """Send again what the transform accepts; while the function is broken, nothing."""
        _, document = self.chain.replayed()
        assert document.get("whole", False) == self.works
        return document.get("replayed", 0)

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
        self._judge_counts(found)
        self._judge_crawl(found)
        self._judge_gaps(found)
        self._judge_repair(found)
        self._judge_the_end()

    def _rest(self) -> None:
        """End what is wrong with the chain, and send again what failed."""
        self.mend_function()
        self.start_pipe()
        self.settle()
        self.chain.calm()
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
        self.effects.did["enlarge"] += len(found.buried)
        self.effects.did["spoil"] += len(found.failed)

    def _judge_counts(self, found: Evidence) -> None:
        """Hold the hops' counts against what lies there; who dies may do again what it has done."""
        assert [hop for hop in self.chain.hops() if not hop.balanced] == []
        again = len(found.rows) + self.rows_taken - (self.chain.delivered - self.rows_before)
        assert 0 <= again <= self.chain.forgotten - self.forgotten_before
        assert self.killed or len(found.failed) == len(set(found.failed))

    def _judge_crawl(self, found: Evidence) -> None:
        """Let the crawler add the columns of all rows, whatever became of crawls before."""
        before, columns = self.chain.columns(), self.chain.crawled()
        self.effects.did["crawl"] += len(columns) - len(before)
        assert {name for row in found.rows for name in row} <= {*columns, "dt"}

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
        )
        self._note_faults()

    def _note_faults(self) -> None:
        """Count what befell the calls of this campaign."""
        struck, deaths = self.chain.storm.struck, self.chain.reaper.counts
        for kind, rule in ((PUT, "disturb_the_pipe"), (INVOKE, "disturb_the_function")):
            self.effects.did[rule] += sum(struck[name] for name in struck if name.startswith(kind))
        self.effects.did["kill_amid"] += deaths.total()
        self.counts += struck + deaths
        struck.clear()
        deaths.clear()


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
