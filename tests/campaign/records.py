"""The chain without a cloud: pure functions alone carry records from a table into a lake.

What the cloud adds, order, repetition, loss and failure, is done to lists here.
"""

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any

import transform
from operations.lake import LakeRow
from operations.replay.validation import Accepted, validate_record
from operations.table import Table as DescribedTable
from operations.verify.repair import repair_record_for
from operations.verify.result import Finding
from tests.campaign import validators
from tests.campaign.evidence import Columns, Evidence, id_of
from tests.strategies import table_histories as histories
from tests.strategies.records import ARN, Item, firehose_record
from tests.strategies.table_histories import key_of
from transform.state import Row, find_gaps, latest_rows

ACCOUNTS, OPENING = ("A", "B"), 100
TABLE_ARN = ARN.partition("/stream/")[0]
TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


class Table(histories.Table):
    """A table whose items may change in single attributes."""

    def update(self, order: str, name: str, value: Item) -> Item | None:
        """Give an order an attribute and return its stream record, or None without a change."""
        return self._change(order, {**self.items.get(order, key_of(order)), name: value})

    def described(self) -> DescribedTable:
        """Return the table as operations know it."""
        return DescribedTable(None, "orders", {"order_id": "S"}, TABLE_ARN, self.arn, 0)

    def found(self, order: str, held: Row | None) -> Finding:
        """Return that an order is wrong in the lake, which holds this row of it."""
        key, item = text_of(order), self.items.get(order)
        text = None if item is None else transform.canonical(item)
        return Finding(key, "different", text, held and held_of(held), self._now())


class Road:
    """Records between a table and a lake: those that the pipe has not read, and Kinesis's.

    `written` are the records of all changes, `lost` the ids of what was taken away, and `unseen`
    the keys that changed while no stream looked.
    """

    def __init__(self) -> None:
        self.table = Table()
        self.written: list[bytes] = []
        self.unread: list[bytes] = []
        self.kinesis: list[bytes] = []
        self.failed: list[bytes] = []
        self.poison: list[bytes] = []
        self.rows: list[Columns] = []
        self.lost: set[str | None] = set()
        self.unseen: set[str] = set()
        self._open_accounts()

    # What happens to the table.

    def put(self, order: str, status: str) -> None:
        """Put an order as a whole."""
        self._write(self.table.put(order, status))

    def update(self, order: str, name: str, value: Item) -> None:
        """Add an attribute to an order, or give it another value or type."""
        self._write(self.table.update(order, name, value))

    def remove(self, order: str) -> None:
        """Delete an order that may not be there."""
        self._write(self.table.remove(order))

    def expire(self, order: str) -> None:
        """Let an order outlive its time."""
        record = self.table.remove(order)
        self._write(record and {**record, "userIdentity": TTL})

    def transfer(self, amount: int) -> None:
        """Move an amount from account to account."""
        for account, more in zip(ACCOUNTS, (-amount, amount), strict=True):
            balance = int(self.table.items[account]["balance"]["N"]) + more
            self.update(account, "balance", {"N": str(balance)})

    def look_away(self, order: str, status: str, is_read: bool) -> None:
        """Switch the stream off, and on again after a change; what nobody has read may be lost."""
        self._end_stream(is_read)
        if self.table.put(order, status):
            self.unseen.add(text_of(order))
        self.table.recreate_stream()

    def recreate_table(self, is_read: bool) -> None:
        """Let a table with the same accounts and nothing else take the place of the table."""
        self._end_stream(is_read)
        self.unseen |= set(map(text_of, self.table.items))
        self.table.items.clear()
        self.table.recreate_stream()
        self._open_accounts()

    def _end_stream(self, is_read: bool) -> None:
        if is_read:
            self.kinesis += self.unread
        else:
            self.lost |= set(map(id_of, self.unread))
        self.unread = []

    def _open_accounts(self) -> None:
        for account in ACCOUNTS:
            self.update(account, "balance", {"N": str(OPENING)})

    def _write(self, record: Item | None) -> None:
        if record is not None:
            raw = json.dumps(record, ensure_ascii=False).encode()
            self.written.append(raw)
            self.unread.append(raw)

    # What happens on the way.

    def pipe(self, count: int, chance: Random) -> None:
        """Put some records into Kinesis, in any order, some of them again."""
        batch, self.unread = self.unread[:count], self.unread[count:]
        again = chance.sample(self.written, min(len(self.written), chance.randrange(3)))
        gone = {*self.lost, *map(id_of, self.unread)}
        batch += [record for record in again if id_of(record) not in gone]
        chance.shuffle(batch)
        self.kinesis += batch

    def reorder(self, chance: Random) -> None:
        """Let what is in Kinesis, in the lake and in the error store lie there in another order."""
        for held in (self.kinesis, self.rows, self.failed):
            chance.shuffle(held)

    def spoil(self, record: bytes) -> None:
        """Put into Kinesis what no transform accepts."""
        record = b"%s %d" % (record, len(self.poison))
        self.poison.append(record)
        self.kinesis.append(record)

    def deliver(self, count: int) -> None:
        """Transform a batch, and file its rows; what fails is kept."""
        self._transform(count, self._file)

    def overflow(self, count: int) -> None:
        """Transform a batch whose rows find no place: they are kept instead of their changes."""
        self._transform(count, self.failed.append)

    def fail(self, count: int) -> None:
        """Let the function raise on a batch: it is kept as it came."""
        self.failed += self.kinesis[:count]
        del self.kinesis[:count]

    def lose_row(self, number: int) -> None:
        """Delete a row of the lake."""
        if self.rows:
            self.lost.add(self.rows.pop(number % len(self.rows))["cdc_event_id"])

    def lose_record(self, number: int) -> None:
        """Drop a record on its way out of Kinesis."""
        if self.kinesis:
            record = self.kinesis.pop(number % len(self.kinesis))
            if record in self.poison:
                self.poison.remove(record)
            self.lost.add(id_of(record))

    def _transform(self, count: int, take: Callable[[bytes], object]) -> None:
        batch, self.kinesis = self.kinesis[:count], self.kinesis[count:]
        records = [firehose_record(raw, str(number)) for number, raw in enumerate(batch)]
        for result in transform.transform_batch({"records": records}).records:
            keep = take if result["result"] == "Ok" else self.failed.append
            keep(base64.b64decode(result["data"]))

    def _file(self, row: bytes) -> None:
        self.rows.append(json.loads(row))

    # What is done about it.

    def replay(self) -> None:
        """Send again what the transform accepts."""
        verdicts = [(raw, validate_record(raw)) for raw in self.failed]
        self.failed = [raw for raw, verdict in verdicts if not isinstance(verdict, Accepted)]
        self.kinesis += [told.record for _, told in verdicts if isinstance(told, Accepted)]

    def backfill(self) -> None:
        """Send every item again."""
        self.kinesis += self.table.backfill()

    def repair(self, order: str) -> None:
        """Send what mends an order, whatever is on its way."""
        self.kinesis.append(self._mending(order, self._held(order)))

    def repair_amid_writes(self, order: str, first: str, second: str) -> None:
        """Let an order change between the two reads of its repair, and again before it is sent."""
        held = self._held(order)
        self.put(order, first)
        record = self._mending(order, held)
        self.put(order, second)
        self.kinesis.append(record)

    def _held(self, order: str) -> Row | None:
        return latest_rows(map(Row.from_columns, self.rows)).get(text_of(order))

    def _mending(self, order: str, held: Row | None) -> bytes:
        return repair_record_for(self.table.found(order, held), self.table.described())

    # What must be true in the end.

    def rest(self) -> None:
        """Let everything arrive that can."""
        self.kinesis += self.unread
        self.unread = []
        self.deliver(len(self.kinesis))
        self.replay()
        self.deliver(len(self.kinesis))

    def found(self) -> Evidence:
        """Return what lies at both ends of the road and beside it."""
        return Evidence(
            rows=tuple(self.rows),
            failed=tuple(self.failed),
            buried=frozenset(),
            written=tuple(map(transform.parse_change, self.written)),
            items=histories.canonical_items(self.table.items),
        )

    def mend(self) -> None:
        """Repair what is wrong, and let it arrive."""
        for order in {*map(order_of, validators.equality(self.found()))}:
            self.repair(order)
        self.rest()


def judge(road: Road) -> None:
    """Bring a road to rest, and hold against it all that must be true of it."""
    road.rest()
    found = road.found()
    lost = validators.unaccounted(found)
    suspects = validators.absent_keys(found) | road.unseen
    assert lost <= road.lost
    assert validators.faults(found, lost) == []
    assert sorted(found.failed) == sorted(road.poison)
    assert validators.equality(found) <= suspects
    assert {gap.after.key for gap in find_gaps(map(Row.from_columns, found.rows))} <= suspects
    judge_mended(road)


def judge_mended(road: Road) -> None:
    """Mend a road, and hold the lake against the table."""
    road.mend()
    for again in (lambda: None, road.backfill):
        again()
        road.rest()
        found = road.found()
        assert validators.equality(found) == set()
        accounts = [text_of(account) for account in ACCOUNTS]
        assert list(validators.bank(found, accounts, OPENING * len(ACCOUNTS))) == []


def text_of(order: str) -> str:
    """Return the key of an order as the lake writes it."""
    return transform.canonical(key_of(order))


def order_of(key: str) -> str:
    """Return the order of a key."""
    told: dict[str, Any] = json.loads(key)
    return told["order_id"]["S"]


def held_of(row: Row) -> LakeRow:
    """Return a row as operations hold it."""
    return LakeRow(row.key, row.new_image, row.source, row.sequence, row.snapshot_at)
