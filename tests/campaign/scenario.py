"""One scenario: the history of a table, and what happens meanwhile to the chain and the lake."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from local.core.service import Service
from local.services.aws_lambda import Lambda
from local.services.firehose import Firehose
from local.services.glue import Glue
from local.services.pipes import Pipes
from setup import names
from tests.campaign import validators
from tests.campaign.chain import CampaignChain
from tests.campaign.evidence import (
    Columns,
    Evidence,
    change_id,
    change_ids_in_kinesis,
    collect_evidence,
    has_image,
    lake_objects,
    lake_versions,
)
from tests.campaign.fault_service import QUERY_CALL
from tests.campaign.interruptions import Kill
from tests.campaign.table_history import ACCOUNTS, TableHistory, canonical_key
from tests.support.lake_operations import items_as_of
from tests.support.laptop_cloud import aws
from tests.support.sabotage import write_object
from tests.support.verify_fixture import with_new_image
from transform.state import Row, state_as_of

SECONDS_LENGTH = len("YYYY-MM-DD HH:MM:SS")
SERVICE_TYPES: dict[str, type[Service]] = {
    "pipe": Pipes,
    "firehose": Firehose,
    "function": Lambda,
    "crawler": Glue,
}


class Scenario(TableHistory):
    """The history of one campaign; the rules of the state machine call its methods.

    A change may be missing in the end only if its id is in `at_risk_ids`: it was in flight when the
    operator deleted something. `altered_ids` are the changes, `altered_keys` their keys, whose rows
    somebody edited in the lake.
    """

    def __init__(self, chain: CampaignChain) -> None:
        chain.reset()
        super().__init__(chain)
        self.first_stream_arn = chain.stream_arn()
        self.started_at = datetime.now(UTC)
        self.at_risk_ids: set[str] = set()
        self.poison: set[bytes] = set()
        self.poison_at_risk: set[bytes] = set()
        self.counts: Counter[str] = Counter()
        self.delivered_before = chain.delivered
        self.lost_before = chain.lost_on_restart
        self.altered_ids: set[str] = set()
        self.altered_keys: set[str] = set()
        self.deleted_rows = 0
        self.added_rows = 0
        self.is_copy_exact = True
        self.firehose_kills = 0
        self.is_pipe_running = True
        self.is_function_working = True
        self._changes_at_stop = 0
        self._failed_before_break = 0
        self.open_accounts()

    # Events on the chain; those that return an int return the size of their effect.

    def advance(self, seconds: float, *paused_types: type[Service]) -> int:
        """Advance the clock, and let every service work once except the paused ones."""
        self.chain.cloud.clock.advance(seconds)
        return int(self.chain.tick(*paused_types))

    def run_until_idle(self) -> int:
        """Run the chain until it is idle, and check that only changes at risk are missing."""
        delivered_before = self.chain.delivered
        self.chain.run_until_idle()
        missing_ids = validators.unaccounted_ids(self.evidence()) - self.at_risk_ids
        if missing_ids and not self.is_pipe_running:
            missing_ids &= change_ids_in_kinesis(self.started_at)
        assert missing_ids == set(), missing_ids
        return self.chain.delivered - delivered_before

    def queue_faults(self, call: str, faults: Sequence[str]) -> None:
        """Inject these faults into the next calls of a kind."""
        self.chain.fault_service.queued[call].extend(faults)

    def put_poison(self, content: bytes) -> None:
        """Put a record into Kinesis that the transform rejects."""
        record = b"%s %d" % (content, len(self.poison))
        aws("kinesis").put_record(StreamName=names.STREAM, Data=record, PartitionKey="poison")
        self.poison.add(record)

    def stop_pipe(self) -> None:
        """Stop the pipe."""
        self.chain.stop_pipe()
        self.is_pipe_running = False
        self._changes_at_stop = len(self.expected_changes)

    def start_pipe(self) -> None:
        """Start the pipe."""
        self.chain.run_setup_script("08_start_pipe")
        self._note_running_pipe()

    def _note_running_pipe(self) -> None:
        if not self.is_pipe_running:
            changes = len(self.expected_changes) - self._changes_at_stop
            self.effects.sizes["stop_pipe"] += changes
        self.is_pipe_running = True

    def break_function(self) -> None:
        """Deploy a function that fails on every batch."""
        self._failed_before_break = self.chain.failed_transforms
        self.chain.break_function()
        self.is_function_working = False

    def redeploy_function(self) -> None:
        """Deploy the project's function."""
        if not self.is_function_working:
            failed = self.chain.failed_transforms - self._failed_before_break
            # Negative if the delivery stream was recreated, since that resets its count.
            self.effects.sizes["break_function"] += max(0, failed)
        self.chain.run_setup_script("05_lambda")
        self.is_function_working = True

    def kill(self, service: str) -> int:
        """Kill a service after a tick, in which the crawler has only started."""
        if service == "crawler":
            self.chain.start_crawler()
        self.advance(0)
        if service == "firehose":
            self.firehose_kills += 1
        return self.chain.kill(SERVICE_TYPES[service])

    def kill_on_call(self, call: str, kill: Kill) -> None:
        """Kill the service that makes this call next."""
        self.firehose_kills += 1  # Perhaps: several services make some of the calls.
        self.chain.kill_on_call.kill_by_call[call] = kill

    def kill_athena(self, *options: str) -> int:
        """Kill Athena during verify, which then must write no document."""
        self.queue_faults(QUERY_CALL, ["query killed"])
        with self.chain.fault_service.active():
            status, document = self.chain.verify("--wait", "0", *options)
        assert (status, document) == (2, {})
        return 1

    def start_crawler(self) -> None:
        """Start the crawler."""
        self.chain.start_crawler()

    def recreate_pipe(self) -> int:
        """Replace the pipe with one that reads the whole stream again."""
        self.chain.recreate_pipe()
        self._note_running_pipe()
        stream_arn = self.chain.stream_arn()
        return sum(change.source == stream_arn for change in self.evidence().changes)

    def recreate_firehose(self) -> int:
        """Replace the delivery stream: the new one does not read what Kinesis already holds."""
        evidence = self.evidence()
        self.poison_at_risk |= self.poison - set(evidence.failed_records)
        missing_ids = validators.unaccounted_ids(evidence)
        new_risks = self._add_risks(missing_ids & change_ids_in_kinesis(self.started_at))
        self.chain.recreate_firehose()
        return new_risks

    def delete_object(self, number: int) -> int:
        """Delete an object of the lake."""
        objects = list(lake_objects())
        if not objects:
            return 0
        key, rows = objects[number % len(objects)]
        self.at_risk_ids |= {row["cdc_event_id"] or "" for row in rows}
        self.deleted_rows += len(rows)
        self.is_copy_exact = False
        aws("s3").delete_object(Bucket=names.bucket(), Key=key)
        return len(rows)

    def add_tie(self, number: int, image_number: int) -> int:
        """Add a copy of a row to the lake, with any image that the lake has of its key."""
        rows = list(self._order_rows())
        if not rows:
            return 0
        object_key, row = rows[number % len(rows)]
        images = [None, *(other["cdc_new_image"] for _, other in rows if _is_same_key(other, row))]
        copy = with_new_image(row, images[image_number % len(images)])
        self.added_rows += 1
        write_object(f"{object_key}-{self.added_rows}.gz", [copy])
        self._note_altered_row(row)
        return 1

    def alter_columns(self, number: int, are_dropped: bool) -> int:
        """Alter a column of a row in the lake, or drop all that it has besides cdc_ columns."""
        rows = list(self._order_rows())
        if not rows:
            return 0
        object_key, altered_row = rows[number % len(rows)]
        columns = {name: text for name, text in altered_row.items() if name.startswith("cdc_")}
        if not are_dropped:
            columns = {**altered_row, "status": "altered"}
        all_rows = dict(lake_objects())[object_key]
        self.is_copy_exact = False
        write_object(object_key, [columns if other == altered_row else other for other in all_rows])
        self._note_altered_row(altered_row)
        return 1

    def _order_rows(self) -> Iterator[tuple[str, Columns]]:
        """Yield the rows of all changes of orders, each with the key of its object."""
        accounts = set(map(canonical_key, ACCOUNTS))
        for object_key, rows in lake_objects():
            for row in rows:
                if row["cdc_operation"] != "SNAPSHOT" and row["cdc_key"] not in accounts:
                    yield object_key, row

    def _note_altered_row(self, row: Columns) -> None:
        self.altered_ids.add(row["cdc_event_id"] or "")
        self.altered_keys.add(row["cdc_key"] or "")

    def recreate_lake(self) -> int:
        """Kill a backfill, replace the lake, and check that only a new backfill is accepted."""
        rows_before = self.deleted_rows
        backfilled = int(bool(self.large_orders))
        statuses = self.chain.backfill_into_a_new_lake(self._replace_lake)
        # A backfill that has only one page of items ends before it is killed.
        assert statuses in ([130, 1, backfilled], [backfilled] * 3), statuses
        return self.deleted_rows - rows_before

    def _replace_lake(self) -> None:
        evidence = self.evidence()
        self.poison_at_risk |= self.poison
        self.at_risk_ids |= validators.delivered_ids(evidence)
        self.at_risk_ids |= {change_id(record) or "" for record in evidence.failed_records}
        self.deleted_rows += len(evidence.lake_rows)
        self.is_copy_exact = False
        self.chain.recreate_lake()

    def write_without_stream(self, write: Callable[[], None]) -> int:
        """Disable the table's stream while `write` runs."""
        new_risks = self._add_unread_risks()
        unrecorded_before = len(self.unrecorded_keys)
        self.chain.disable_stream()
        self.is_stream_enabled = False
        write()
        self.chain.enable_stream()
        self.is_stream_enabled = True
        self.recreate_pipe()
        return new_risks + len(self.unrecorded_keys) - unrecorded_before

    def recreate_table(self) -> int:
        """Replace the table with a new one, which gets the same accounts."""
        self._add_unread_risks()
        deleted_items = len(self.items)
        self.unrecorded_keys |= {canonical_key(order_id) for order_id in self.items}
        self.items.clear()
        self.chain.recreate_table()
        self.recreate_pipe()
        self.open_accounts()
        return deleted_items

    def restore_table(self, prefix: str) -> int:
        """Let the pipeline read the table's backup, restored under a name with a prefix."""
        self._add_unread_risks()
        self.unrecorded_keys |= {canonical_key(order_id) for order_id in self.items}
        self.chain.restore_table(prefix)
        self.recreate_pipe()
        return len(self.items)

    def _add_unread_risks(self) -> int:
        """Add the changes that the pipe has not put into Kinesis to those at risk."""
        missing_ids = validators.unaccounted_ids(self.evidence())
        return self._add_risks(missing_ids - change_ids_in_kinesis(self.started_at))

    def _add_risks(self, change_ids: set[str]) -> int:
        """Add changes to those at risk, and return how many are new."""
        new_ids = change_ids - self.at_risk_ids
        self.at_risk_ids |= new_ids
        return len(new_ids)

    # Repairs.

    def backfill(self) -> int:
        """Send every item again except those that are too large."""
        large_count = len(self.large_orders)
        assert self.chain.backfill() == int(large_count > 0)
        return len(self.items) - large_count

    def repair(self) -> int:
        """Repair the lake while changes are in flight."""
        _, document = self.chain.verify("--repair", until_idle=False)
        repaired: dict[str, int] = document["repair"]["counts"]
        return repaired["items"] + repaired["tombstones"]

    def replay(self) -> int:
        """Replay the failed records, which must fail while the function is broken."""
        _, document = self.chain.replay()
        assert document.get("whole", False) == self.is_function_working
        return int(document.get("replayed", 0))

    def replay_after_repair(self) -> int:
        """Repair the lake, then replay: no older change may outrank a repair.

        Repair leaves the keys that have a failed change, and replay then sends these. A key that
        needed no repair may differ after it, if a later change of it is lost.
        """
        self.start_pipe()
        self.redeploy_function()
        self.chain.clear_faults()
        self.run_until_idle()
        _, document = self.chain.verify("--repair")
        repaired_keys = {*document["repair"]["items"], *document["repair"]["tombstones"]}
        replayed = self.replay()
        self.run_until_idle()
        assert validators.differing_keys(self.evidence()).isdisjoint(repaired_keys)
        return replayed

    def restore_as_of(self, number: int) -> int:
        """Restore the lake as of the time of a row, and compare the new table with the law."""
        rows = [Row.from_columns(row) for _, rows in lake_objects() for row in rows]
        if not rows:
            return 0
        timestamp = sorted(row.changed_at for row in rows)[number % len(rows)][:SECONDS_LENGTH]
        expected = state_as_of(rows, f"{timestamp}.000")
        restored = items_as_of(datetime.fromisoformat(f"{timestamp}+00:00"))
        assert restored == {key: row.new_image for key, row in expected.items()}
        return len(restored)

    def erase(self, number: int) -> int:
        """Erase an order that was removed, and check that no version has an image of it."""
        self.start_pipe()
        self.redeploy_function()
        self.chain.clear_faults()
        self.run_until_idle()
        keys = {row["cdc_key"] or "" for _, row in self._order_rows()}
        removed_keys = sorted(keys - set(map(canonical_key, self.items)))
        if not removed_keys:
            return 0
        key = removed_keys[number % len(removed_keys)]
        _, document = self.chain.erase(key)
        for _, rows in lake_objects():
            for row in rows:
                if row["cdc_key"] == key:
                    self._note_altered_row(row)
        # A failed change of it has lost its images too, and is replayed later.
        changes = self.evidence().changes
        self.altered_ids |= {change.event_id for change in changes if change.key == key}
        if not document:
            return 0  # A change of it failed, or the lake has lost its removal.
        assert [row for row in lake_versions() if row["cdc_key"] == key and has_image(row)] == []
        rewritten: int = document["rewritten"]
        return rewritten

    def compact(self, killed_at: int | None) -> int:
        """Copy the lake, perhaps after a run that is killed, and check that no answer changes."""
        if not self.is_copy_exact:
            self.chain.drop_copy()
            self.is_copy_exact = True
        before = self.chain.answers()
        day_count = self.chain.compact(killed_at)
        assert self.chain.answers() == before
        self.chain.read_json_too()  # Changes may follow on the same days.
        return day_count

    def check_copy(self) -> None:
        """Check that the copy changes no answer, unless the lake has lost rows; then drop it."""
        before = self.chain.answers()
        self.chain.drop_copy()
        assert self.chain.answers() == before or not self.is_copy_exact
        self.is_copy_exact = True

    def evidence(self) -> Evidence:
        """Return the evidence since this scenario began."""
        return collect_evidence(self.first_stream_arn)


def _is_same_key(row: Columns, other: Columns) -> bool:
    return row["cdc_key"] == other["cdc_key"]
