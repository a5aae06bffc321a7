"""The chain without a cloud: the project's pure functions carry records from a table to a lake.

Plain lists stand for the services, so a test can reorder, repeat, lose and fail their records.
"""

import base64
import json
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, cast

import transform
from operations.lake import LakeRow
from operations.replay.validation import Accepted, validate_record
from operations.table import Table as DescribedTable
from operations.verify.repair import repair_record_for
from operations.verify.result import Finding
from tests.campaign import validators
from tests.campaign.evidence import Columns, Evidence, change_id
from tests.strategies import table_histories as histories
from tests.strategies.records import Item, firehose_record
from tests.strategies.table_histories import key_of
from transform.gaps import find_gaps
from transform.state import Row, latest_rows

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

ACCOUNTS = ("A", "B")
OPENING_BALANCE = 100
TTL_IDENTITY = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}


class Table(histories.Table):
    """A table whose items can also change in single attributes."""

    def update(self, order_id: str, name: str, value: Item) -> Item | None:
        """Set an attribute and return the stream record, or None if nothing has changed."""
        return self._change(order_id, {**self.items.get(order_id, key_of(order_id)), name: value})

    def description(self) -> DescribedTable:
        """Return the table as operations describe it."""
        client = cast("DynamoDBClient", None)  # Repair records are made without any call.
        table_arn = self.arn.partition("/stream/")[0]
        return DescribedTable(client, "orders", {"order_id": "S"}, table_arn, self.arn, 0)

    def finding(self, order_id: str, lake_row: Row | None) -> Finding:
        """Return verify's finding that an order differs from this row of the lake."""
        item = self.items.get(order_id)
        image = None if item is None else transform.canonical(item)
        operations_row = None if lake_row is None else _operations_row(lake_row)
        return Finding(canonical_key(order_id), "different", image, operations_row, self._now())


class InMemoryChain:
    """A table, its stream, Kinesis, the lake and the error store, as lists of records.

    `lost_ids` are the ids of the changes that were lost on purpose, and `unrecorded_keys` the keys
    that changed while the stream was disabled. `altered_ids` are the changes whose rows have copies
    with other images, and `altered_keys` their keys.
    """

    def __init__(self) -> None:
        self.table = Table()
        self.stream_records: list[bytes] = []
        self.unread_records: list[bytes] = []
        self.kinesis_records: list[bytes] = []
        self.failed_records: list[bytes] = []
        self.poison_records: list[bytes] = []
        self.lake_rows: list[Columns] = []
        self.lost_ids: set[str | None] = set()
        self.unrecorded_keys: set[str] = set()
        self.altered_ids: set[str] = set()
        self.altered_keys: set[str] = set()
        self._open_accounts()

    # Writes to the table.

    def put(self, order_id: str, status: str) -> None:
        """Put an order."""
        self._add_stream_record(self.table.put(order_id, status))

    def update(self, order_id: str, name: str, value: Item) -> None:
        """Set an attribute of an order, perhaps to another type."""
        self._add_stream_record(self.table.update(order_id, name, value))

    def remove(self, order_id: str) -> None:
        """Delete an order, which need not exist."""
        self._add_stream_record(self.table.remove(order_id))

    def expire(self, order_id: str) -> None:
        """Let TTL delete an order."""
        record = self.table.remove(order_id)
        self._add_stream_record(record and {**record, "userIdentity": TTL_IDENTITY})

    def transfer(self, amount: int) -> None:
        """Move an amount from the first account to the second."""
        payer, payee = ACCOUNTS
        self._add_to_balance(payer, -amount)
        self._add_to_balance(payee, amount)

    def _add_to_balance(self, account: str, amount: int) -> None:
        balance = int(self.table.items[account]["balance"]["N"]) + amount
        self.update(account, "balance", {"N": str(balance)})

    def write_without_stream(self, order_id: str, status: str, is_read: bool) -> None:
        """Put an order while the stream is disabled; unless read before, its records are lost."""
        self._end_stream(is_read)
        if self.table.put(order_id, status):
            self.unrecorded_keys.add(canonical_key(order_id))
        self.table.recreate_stream()

    def recreate_table(self, is_read: bool) -> None:
        """Replace the table with one that has the same accounts and no orders."""
        self._end_stream(is_read)
        self.unrecorded_keys |= set(map(canonical_key, self.table.items))
        self.table.items.clear()
        self.table.recreate_stream()
        self._open_accounts()

    def restore_table(self, order_id: str, status: str, is_read: bool) -> None:
        """Replace the table with its backup, under another name, in which an order is older."""
        self._end_stream(is_read)
        self.table.put(order_id, status)
        self.unrecorded_keys |= set(map(canonical_key, self.table.items))
        self.table.recreate_stream()

    def _end_stream(self, is_read: bool) -> None:
        if is_read:
            self.kinesis_records += self.unread_records
        else:
            self.lost_ids |= set(map(change_id, self.unread_records))
        self.unread_records = []

    def _open_accounts(self) -> None:
        for account in ACCOUNTS:
            self.update(account, "balance", {"N": str(OPENING_BALANCE)})

    def _add_stream_record(self, record: Item | None) -> None:
        if record is not None:
            content = json.dumps(record, ensure_ascii=False).encode()
            self.stream_records.append(content)
            self.unread_records.append(content)

    # Deliveries and faults.

    def run_pipe(self, count: int, rng: Random) -> None:
        """Put unread records into Kinesis, in random order and with duplicates of earlier ones."""
        batch = self.unread_records[:count]
        self.unread_records = self.unread_records[count:]
        max_duplicates = min(len(self.stream_records), rng.randrange(3))
        candidates = rng.sample(self.stream_records, max_duplicates)
        unavailable_ids = {*self.lost_ids, *map(change_id, self.unread_records)}
        batch += [record for record in candidates if change_id(record) not in unavailable_ids]
        rng.shuffle(batch)
        self.kinesis_records += batch

    def reorder(self, rng: Random) -> None:
        """Shuffle the contents of Kinesis, the lake and the error store."""
        rng.shuffle(self.kinesis_records)
        rng.shuffle(self.lake_rows)
        rng.shuffle(self.failed_records)

    def put_poison(self, content: bytes) -> None:
        """Put a record into Kinesis that the transform rejects."""
        record = b"%s %d" % (content, len(self.poison_records))
        self.poison_records.append(record)
        self.kinesis_records.append(record)

    def deliver(self, count: int) -> None:
        """Transform a batch into rows of the lake; records that fail go to the error store."""
        self._transform(count, self._add_to_lake)

    def fail_partitioning(self, count: int) -> None:
        """Transform a batch whose rows go to the error store instead of the lake."""
        self._transform(count, self.failed_records.append)

    def fail_function(self, count: int) -> None:
        """Move a batch to the error store, as if the function had raised."""
        self.failed_records += self.kinesis_records[:count]
        del self.kinesis_records[:count]

    def lose_row(self, number: int) -> None:
        """Delete a row of the lake."""
        if self.lake_rows:
            row = self.lake_rows.pop(number % len(self.lake_rows))
            self.lost_ids.add(row["cdc_event_id"])

    def add_tie(self, number: int, image_number: int) -> None:
        """Add a copy of an order's row, with any image that the lake has of its key."""
        accounts = set(map(canonical_key, ACCOUNTS))
        rows = [
            row
            for row in self.lake_rows
            if row["cdc_operation"] != "SNAPSHOT" and row["cdc_key"] not in accounts
        ]
        if not rows:
            return
        row = rows[number % len(rows)]
        same_key = [other for other in rows if other["cdc_key"] == row["cdc_key"]]
        images = [None, *(other["cdc_new_image"] for other in same_key)]
        self.lake_rows.append({**row, "cdc_new_image": images[image_number % len(images)]})
        self.altered_ids.add(str(row["cdc_event_id"]))
        self.altered_keys.add(str(row["cdc_key"]))

    def lose_record(self, number: int) -> None:
        """Delete a record in Kinesis."""
        if not self.kinesis_records:
            return
        record = self.kinesis_records.pop(number % len(self.kinesis_records))
        if record in self.poison_records:
            self.poison_records.remove(record)
        self.lost_ids.add(change_id(record))

    def _transform(self, count: int, add_row: Callable[[bytes], object]) -> None:
        batch = self.kinesis_records[:count]
        self.kinesis_records = self.kinesis_records[count:]
        records = [firehose_record(record, str(index)) for index, record in enumerate(batch)]
        for result in transform.transform_batch({"records": records}).records:
            data = base64.b64decode(result["data"])
            if result["result"] == "Ok":
                add_row(data)
            else:
                self.failed_records.append(data)

    def _add_to_lake(self, row: bytes) -> None:
        self.lake_rows.append(json.loads(row))

    # Repairs.

    def replay(self) -> None:
        """Send the failed records again that the transform accepts now."""
        rejected = []
        for content in self.failed_records:
            result = validate_record(content)
            if isinstance(result, Accepted):
                self.kinesis_records.append(result.record)
            else:
                rejected.append(content)
        self.failed_records = rejected

    def backfill(self) -> None:
        """Send every item again."""
        self.kinesis_records += self.table.backfill()

    def repair(self, order_id: str) -> None:
        """Send the repair record of an order, whatever is in flight."""
        self.kinesis_records.append(self._repair_record(order_id, self._lake_row(order_id)))

    def repair_during_writes(self, order_id: str, first: str, second: str) -> None:
        """Repair an order that changes between the two reads of its repair, and once more after."""
        lake_row = self._lake_row(order_id)
        self.put(order_id, first)
        record = self._repair_record(order_id, lake_row)
        self.put(order_id, second)
        self.kinesis_records.append(record)

    def repair_all(self) -> None:
        """Repair every key that differs, and deliver the repairs."""
        for order_id in {*map(_order_id, validators.differing_keys(self.evidence()))}:
            self.repair(order_id)
        self.run_until_idle()

    def _lake_row(self, order_id: str) -> Row | None:
        rows = latest_rows(map(Row.from_columns, self.lake_rows))
        return rows.get(canonical_key(order_id))

    def _repair_record(self, order_id: str, lake_row: Row | None) -> bytes:
        finding = self.table.finding(order_id, lake_row)
        return repair_record_for(finding, self.table.description())

    # The end.

    def run_until_idle(self) -> None:
        """Deliver everything, and replay what failed."""
        self.kinesis_records += self.unread_records
        self.unread_records = []
        self.deliver(len(self.kinesis_records))
        self.replay()
        self.deliver(len(self.kinesis_records))

    def evidence(self) -> Evidence:
        """Return the evidence; this chain has no dead letters."""
        return Evidence(
            lake_rows=tuple(self.lake_rows),
            failed_records=tuple(self.failed_records),
            dead_letter_ids=frozenset(),
            changes=tuple(map(transform.parse_change, self.stream_records)),
            items=histories.canonical_items(self.table.items),
        )


def check_chain(chain: InMemoryChain) -> None:
    """Deliver everything, and check the lake before and after a repair."""
    chain.run_until_idle()
    evidence = chain.evidence()
    lost_ids = validators.unaccounted_ids(evidence)
    wrong_keys = validators.undelivered_keys(evidence) | chain.unrecorded_keys
    possibly_wrong_keys = wrong_keys | chain.altered_keys
    gaps = find_gaps(map(Row.from_columns, evidence.lake_rows))
    assert lost_ids <= chain.lost_ids
    unaltered = evidence.without_rows(chain.altered_ids)
    assert validators.find_violations(unaltered, {*lost_ids, *chain.altered_ids}) == []
    assert sorted(evidence.failed_records) == sorted(chain.poison_records)
    assert validators.differing_keys(evidence) <= possibly_wrong_keys
    assert {gap.after.key for gap in gaps} <= possibly_wrong_keys
    chain.repair_all()
    check_repaired_lake(chain)
    chain.backfill()
    check_repaired_lake(chain)


def check_repaired_lake(chain: InMemoryChain) -> None:
    """Deliver everything, and check that the lake equals the table."""
    chain.run_until_idle()
    evidence = chain.evidence()
    accounts = [canonical_key(account) for account in ACCOUNTS]
    total_balance = OPENING_BALANCE * len(ACCOUNTS)
    assert validators.differing_keys(evidence) == set()
    assert list(validators.check_balances(evidence, accounts, total_balance)) == []


def canonical_key(order_id: str) -> str:
    """Return the key of an order as it is written in the lake."""
    return transform.canonical(key_of(order_id))


def _order_id(key: str) -> str:
    order_id: str = json.loads(key)["order_id"]["S"]
    return order_id


def _operations_row(row: Row) -> LakeRow:
    return LakeRow(row.key, row.new_image, None, row.source, row.sequence, row.snapshot_at)
