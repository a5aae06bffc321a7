"""A table's life on the chain, and what must come of it: a plain dict is the oracle."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from local.core.service import Service
from local.services.aws_lambda import Lambda
from local.services.firehose import Firehose
from local.services.glue import Glue
from local.services.pipes import Pipes
from setup import names
from tests.campaign import validators
from tests.campaign.chain import Chain
from tests.campaign.effects import Effects
from tests.campaign.evidence import Evidence, evidence, in_kinesis, lake_objects
from tests.campaign.interruptions import Death
from tests.campaign.storm import ASK
from tests.support.laptop_cloud import aws
from transform import canonical

Item = dict[str, Any]
ACCOUNTS, OPENING = ("A", "B", "C"), 100
LARGE = {"S": "\x01" * 200_000}  # In JSON six times as long: more than Kinesis takes.
SWEEP = 11  # seconds after which the cloud looks for expired items again
SERVICES: dict[str, type[Service]] = {
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
    """One campaign: its methods are what happens.

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
        self.rows_before, self.forgotten_before = chain.delivered, chain.lost_on_restart
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
        self.chain.tick()
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

    def move(self, seconds: float, *pausing: type[Service]) -> int:
        """Let time pass, and then every part work once but those that pause."""
        self.chain.cloud.clock.advance(seconds)
        return int(self.chain.tick(*pausing))

    def settle(self) -> int:
        """Let the chain come to rest; by then all that is not at risk has arrived."""
        before = self.chain.delivered
        self.chain.run_until_idle()
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

    def kill(self, service: str) -> int:
        """Kill a part that has just worked; the crawler is not done then."""
        if service == "crawler":
            self.chain.crawl()
        self.move(0)
        self.killed += service == "firehose"
        return self.chain.kill(SERVICES[service])

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

    @property
    def large(self) -> list[str]:
        """The orders that are larger than Kinesis takes."""
        return [order for order, item in self.items.items() if "note" in item]

    def found(self) -> Evidence:
        """Return what lies in the cloud since this life began."""
        return evidence(self.began)


def _added(order: str, amount: int) -> dict[str, Any]:
    """Return the update that adds to an account."""
    return {
        "TableName": names.TABLE,
        "Key": key_of(order),
        "UpdateExpression": "SET balance = balance + :amount",
        "ExpressionAttributeValues": {":amount": {"N": str(amount)}},
    }
