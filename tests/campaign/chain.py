"""The laptop chain of the campaigns: built by the setup scripts, and reset before each campaign."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from analytics import athena
from local.core.hop_counts import HopCount
from local.core.service import Service
from local.services.aws_lambda import Lambda
from local.services.firehose import Firehose
from local.services.glue import Glue
from local.services.registry import SERVICES
from operations import in_flight
from operations.backfill import command as backfill_command
from operations.erase import command as erase_command
from operations.kinesis_writer import OutgoingRecord, Sender
from operations.lake_copy import parts
from operations.lake_objects import list_versions
from operations.replay import command as replay_command
from operations.replay import dead_letters
from operations.verify import command as verify_command
from setup import names
from setup.lib.copy_tables import put_copy_tables
from setup.lib.views import describe_table
from tests.campaign.evidence import dead_letter_messages, queue_url
from tests.campaign.fault_service import FaultService
from tests.campaign.interruptions import InterruptibleCloud
from tests.support.commands import Document, output_discarded, run_json_command
from tests.support.kills import killed_at_call
from tests.support.lake_fixture import query_rows
from tests.support.lake_operations import COMPACT_WRITES, copy_all_days
from tests.support.laptop_cloud import aws, laptop
from tests.support.replay_fixture import delete_bucket
from tests.support.setup_fixture import clear_location
from tests.support.whole_chain import create_pipeline, raising_function

ORIGINAL_TABLE = names.TABLE
DIFFERENCE_KINDS = ("missing", "extra", "different", "unsettled")
ORDERS_SQL = "SELECT order_id, status, removed, expired, changed_at, image FROM orders"


class KilledSender(Sender):
    """A sender that is killed once Kinesis has acknowledged a page of items."""

    def send(self, records: Iterable[OutgoingRecord]) -> list[str]:
        """Send the first records, and raise KeyboardInterrupt for later ones."""
        if self.sent_count:
            raise KeyboardInterrupt
        return super().send(records)


class CampaignChain:
    """A running chain, its faults, and the actions of its operator."""

    def __init__(self, cloud: InterruptibleCloud) -> None:
        self.cloud = cloud
        self.fault_service = cloud.service(FaultService)
        self.kill_on_call = cloud.kill_on_call
        self._deleted_streams = HopCount("deleted delivery streams", 0, 0, 0)
        self._restored_tables = 0

    # The cloud.

    def tick(self, *paused_types: type[Service]) -> bool:
        """Let every service work once except the paused ones; return whether any had work."""
        self.cloud.paused_types = paused_types
        with self.faults_active():
            return self.cloud.tick()

    def run_until_idle(self) -> None:
        """Run the chain until no work is left; the queued faults are injected."""
        self.cloud.paused_types = ()
        with self.faults_active():
            self.cloud.run_until_idle()

    @contextmanager
    def faults_active(self) -> Iterator[None]:
        """Inject the queued faults and kills within the block."""
        with self.fault_service.active(), self.kill_on_call.active():
            yield

    def clear_faults(self) -> None:
        """Discard the queued faults and kills, and resume paused services."""
        self.fault_service.clear()
        self.kill_on_call.kill_by_call.clear()
        self.cloud.paused_types = ()

    def hop_counts(self) -> list[HopCount]:
        """Return the record counts of all hops."""
        return [hop for service in self.cloud.services for hop in service.counts()]

    @property
    def delivered(self) -> int:
        """The number of rows that this and all deleted delivery streams delivered to S3."""
        return self._deleted_streams.delivered + self._row_count().delivered

    @property
    def lost_on_restart(self) -> int:
        """The number of rows that they lost from memory, each of which may be in S3 already."""
        return self._deleted_streams.lost_on_restart + self._row_count().lost_on_restart

    @property
    def failed_transforms(self) -> int:
        """The number of records of the delivery stream that failed in the function."""
        return self.cloud.service(Firehose).counts()[0].failed

    def _row_count(self) -> HopCount:
        return self.cloud.service(Firehose).counts()[1]

    def kill(self, service_type: type[Service]) -> int:
        """Kill a service between two ticks, and return how much it lost."""
        service = self.cloud.service(service_type)
        loss_before = _loss_count(service)
        service.restart()
        return _loss_count(service) - loss_before

    # The operator's actions.

    def run_setup_script(self, name: str) -> None:
        """Run a setup script in this process."""
        import_module(f"setup.{name}").create()

    def stop_pipe(self) -> None:
        """Stop the pipe."""
        aws("pipes").stop_pipe(Name=names.PIPE)

    def break_function(self) -> None:
        """Deploy a function that fails on every batch."""
        aws("lambda").update_function_code(FunctionName=names.FUNCTION, ZipFile=raising_function())

    def recreate_pipe(self) -> None:
        """Replace the pipe with one that reads the table's stream from the beginning."""
        aws("pipes").delete_pipe(Name=names.PIPE)
        self.run_setup_script("07_pipe")
        self.run_setup_script("08_start_pipe")

    def recreate_firehose(self) -> None:
        """Replace the delivery stream, which loses what it has in memory."""
        self._deleted_streams = HopCount(
            self._deleted_streams.hop,
            received=0,
            delivered=self.delivered,
            failed=0,
            lost_on_restart=self.lost_on_restart,
        )
        aws("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
        self.run_setup_script("06_firehose")

    def recreate_table(self) -> None:
        """Replace the table with an empty one, which has a stream of its own."""
        dynamodb = aws("dynamodb")
        dynamodb.update_table(TableName=names.TABLE, DeletionProtectionEnabled=False)
        dynamodb.delete_table(TableName=names.TABLE)
        self.run_setup_script("01_dynamodb")

    def restore_table(self, prefix: str) -> None:
        """Restore the table under another name, which setup takes for the pipeline's then."""
        self._restored_tables += 1
        name = f"{prefix}-restored-{self._restored_tables}"
        aws("dynamodb").restore_table_to_point_in_time(
            SourceTableName=names.TABLE, TargetTableName=name, UseLatestRestorableTime=True
        )
        rename_table(name)
        self.run_setup_script("01_dynamodb")
        self.run_setup_script("04_iam")

    def recreate_lake(self) -> None:
        """Replace the bucket with an empty one of the same name."""
        delete_bucket(self.cloud)
        self.run_setup_script("03_s3")

    def disable_stream(self) -> None:
        """Disable the table's stream."""
        specification = {"StreamEnabled": False}
        aws("dynamodb").update_table(TableName=names.TABLE, StreamSpecification=specification)

    def enable_stream(self) -> None:
        """Enable the table's stream, which gets another ARN."""
        self.run_setup_script("01_dynamodb")

    def start_crawler(self) -> None:
        """Start the crawler unless it is running."""
        glue = aws("glue")
        with suppress(glue.exceptions.CrawlerRunningException):
            glue.start_crawler(Name=names.CRAWLER)

    def crawl(self) -> None:
        """Run the crawler to its end."""
        self.start_crawler()
        self.run_until_idle()
        last_crawl = aws("glue").get_crawler(Name=names.CRAWLER)["Crawler"]["LastCrawl"]
        assert last_crawl["Status"] == "SUCCEEDED", last_crawl

    def catalog_columns(self) -> list[str]:
        """Return the columns that the catalog has for the lake."""
        table = aws("glue").get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
        return [column["Name"] for column in table["StorageDescriptor"]["Columns"]]

    def stream_arn(self) -> str:
        """Return the ARN of the table's stream."""
        table = aws("dynamodb").describe_table(TableName=names.TABLE)["Table"]
        arn: str = table["LatestStreamArn"]
        return arn

    # The commands of operations, run in this process.

    def verify(self, *options: str, until_idle: bool = True) -> tuple[int, Document]:
        """Return exit status and document of verify; instead of waiting, the chain works.

        With `until_idle` it works until it is idle, otherwise for a single tick.
        """

        def wait(*_: object) -> None:
            if until_idle:
                self.run_until_idle()
            else:
                self.tick()

        with patch.object(verify_command, "_wait", wait):
            return run_json_command(verify_command.main, *options)

    def replay(self, *options: str) -> tuple[int, Document]:
        """Return exit status and document of replay, without long polling or verification."""
        with patch.object(dead_letters, "WAIT_SECONDS", 0):
            return run_json_command(replay_command.main, "--no-verify", *options)

    def erase(self, key: str) -> tuple[int, Document]:
        """Return exit status and document of an erase; instead of waiting, the chain works."""
        with (
            patch.object(in_flight, "sleep", lambda _: self.run_until_idle()),
            patch.object(dead_letters, "WAIT_SECONDS", 0),
        ):
            return run_json_command(erase_command.main, "--key", key)

    def compact(self, killed_at: int | None) -> int:
        """Copy all days of the lake, and return the number of days copied.

        With `killed_at`, a run before is killed at the write with this number.
        """
        self.run_setup_script("10_glue")  # The copy's tables get the columns of crawls.
        if killed_at is not None:
            kill = killed_at_call(
                self.cloud, killed_at, is_after_call=False, is_counted=COMPACT_WRITES.__contains__
            )
            with kill, suppress(KeyboardInterrupt):
                copy_all_days(self.cloud)
        # Queries read the copy alone after the second run.
        outcomes = [copy_all_days(self.cloud) for _ in range(2)]
        assert [outcome.changed_days for outcome in outcomes] == [[], []]
        return sum(len(outcome.copied_days) for outcome in outcomes)

    def read_json_too(self) -> None:
        """Let queries read the JSON of all days beside the copy."""
        parts.move_first_recent_day(names.FIRST_DAY, describe_table(names.RECENT))

    def drop_copy(self) -> None:
        """Let queries read the JSON alone."""
        parts.drop_copy()

    def answers(self) -> dict[str, list[str]]:
        """Return the orders, and the keys that verify reports, with their gaps."""
        _, differences = self.verify("--wait", "0")
        _, gaps = self.verify("--gaps")
        return {
            "orders": sorted(map(repr, query_rows(ORDERS_SQL))),
            "differences": sorted(reported_keys(differences)),
            "gaps": sorted(map(repr, gaps["gaps"])),
        }

    def backfill(self) -> int:
        """Return the exit status of a backfill."""
        with TemporaryDirectory() as folder:
            return run_backfill(Path(folder, "checkpoint.json"))

    def backfill_into_a_new_lake(self, recreate_lake: Callable[[], None]) -> list[int]:
        """Kill a backfill, recreate the lake, and return the exit statuses of three backfills.

        The first is killed, the second has its checkpoint, and the third begins again.
        """
        with TemporaryDirectory() as folder:
            path = Path(folder, "checkpoint.json")
            with patch.object(backfill_command, "Sender", KilledSender):
                statuses = [run_backfill(path)]
            recreate_lake()
            statuses.append(run_backfill(path))
            path.unlink(missing_ok=True)
            return [*statuses, run_backfill(path)]

    # The next campaign.

    def reset(self) -> None:
        """Restore the initial state: an empty table with a new stream, and an empty lake."""
        self.clear_faults()
        self.drop_copy()
        self.run_setup_script("05_lambda")
        aws("pipes").delete_pipe(Name=names.PIPE)
        self.cloud.run_until_idle()
        rename_table(ORIGINAL_TABLE)
        self.recreate_table()
        self.run_setup_script("04_iam")
        self.run_setup_script("07_pipe")
        self.run_setup_script("08_start_pipe")
        # Without the columns that crawls have added.
        table_input = import_module("setup.10_glue").table_input({})
        aws("glue").update_table(DatabaseName=names.DATABASE, TableInput=table_input)
        put_copy_tables(aws("glue"), table_input)
        _delete_objects()
        _delete_dead_letters()


@contextmanager
def open_chain() -> Iterator[CampaignChain]:
    """Yield a chain on a cloud of its own."""
    with laptop(FaultService, *SERVICES, create_cloud=InterruptibleCloud) as cloud:
        clear_location()
        create_pipeline()
        try:
            with patch.object(athena, "FIRST_PAUSE", 0.01):
                yield CampaignChain(cloud)
        finally:
            rename_table(ORIGINAL_TABLE)  # A campaign may have restored it under another name.


def reported_keys(document: Document) -> set[str]:
    """Return the keys that verify reports, of whatever kind."""
    return {key for kind in DIFFERENCE_KINDS for key in document[kind]}


def run_backfill(checkpoint: Path) -> int:
    """Return the exit status of a backfill with a checkpoint file."""
    with output_discarded():
        return backfill_command.main(["--checkpoint", str(checkpoint)])


def rename_table(name: str) -> None:
    """Let every module take another table for the pipeline's, as TABLE_NAME does for a process."""
    old_name = names.TABLE
    for module in list(sys.modules.values()):
        if getattr(module, "TABLE", None) == old_name:
            module.__dict__["TABLE"] = name


def _loss_count(service: Service) -> int:
    """Return a number that grows by whatever a service loses when it is killed."""
    if isinstance(service, Glue):
        state = aws("glue").get_crawler(Name=names.CRAWLER)["Crawler"]["State"]
        return int(state != "RUNNING")
    if isinstance(service, Lambda):
        return -len(service._sandboxes)
    return sum(hop.lost_on_restart for hop in service.counts())


def _delete_objects() -> None:
    """Delete all versions, so that no object looks deleted in the next campaign."""
    s3 = aws("s3")
    bucket = names.bucket()
    for prefix in (names.LAKE, names.ERRORS, names.REPLAYED, names.QUERIES, names.TABLES):
        for version in list(list_versions(s3, bucket, prefix)):
            s3.delete_object(Bucket=bucket, Key=version.key, VersionId=version.version_id)


def _delete_dead_letters() -> None:
    """Delete the messages one by one, since AWS purges a queue at most once a minute."""
    url = queue_url()
    for message in dead_letter_messages():
        aws("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
