"""The laptop chain of the campaigns: built by the real scripts, and begun anew for each of them."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import boto3

from analytics import athena
from local.core.hop_counts import HopCount
from local.core.service import Service
from local.demo import run_script
from local.services.aws_lambda import Lambda
from local.services.firehose import Firehose
from local.services.glue import Glue
from local.services.registry import SERVICES
from operations.backfill import command as backfill
from operations.replay import command as replay
from operations.replay import dead_letters
from operations.verify import command as verify
from setup import names
from tests.campaign.evidence import letters, object_keys, queue_url
from tests.campaign.interruptions import Reaper, UnsteadyCloud
from tests.campaign.storm import Storm
from tests.support.laptop_cloud import aws, laptop, zip_code
from tests.support.setup_fixture import clear_location

RAISING = zip_code(
    "def lambda_handler(event, context):\n    raise ValueError\n", "lambda_function.py"
)
Main = Callable[[Sequence[str]], int]
Document = dict[str, Any]


class Chain:
    """A chain that stands."""

    def __init__(self, cloud: UnsteadyCloud) -> None:
        self.cloud = cloud
        self.storm: Storm = cloud.service(Storm)
        self.reaper: Reaper = cloud.nemesis
        self._written_before = HopCount("of delivery streams that are gone", 0, 0, 0)

    # The cloud.

    def tick(self, *pausing: type[Service]) -> bool:
        """Let every part work once but those that pause, and return whether any found work."""
        self.cloud.pausing = pausing
        with self.raging():
            return self.cloud.tick()

    def run_until_idle(self) -> None:
        """Let the chain come to rest, in the storm."""
        self.cloud.pausing = ()
        with self.raging():
            self.cloud.run_until_idle()

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Let happen what was told to happen to the parts' calls as long as this lasts."""
        with self.storm.raging(), self.reaper.active():
            yield

    def calm(self) -> None:
        """Let nothing more come, and no part stand."""
        self.storm.calm()
        self.reaper.awaited.clear()
        self.cloud.pausing = ()

    def hops(self) -> list[HopCount]:
        """Return what each hop took in, and what became of it."""
        return [hop for service in self.cloud.services for hop in service.counts()]

    @property
    def delivered(self) -> int:
        """How many rows the delivery streams know to be in S3, those that are gone with them."""
        return self._written_before.delivered + self._written().delivered

    @property
    def lost_on_restart(self) -> int:
        """How many rows they lost from memory: each may lie in S3 already."""
        return self._written_before.lost_on_restart + self._written().lost_on_restart

    @property
    def untransformed(self) -> int:
        """How many records failed in the function, as the delivery stream counts."""
        return self.cloud.service(Firehose).counts()[0].failed

    def _written(self) -> HopCount:
        return self.cloud.service(Firehose).counts()[1]

    def kill(self, service_type: type[Service]) -> int:
        """Kill a part at this moment, and return how much that took from it."""
        service = self.cloud.service(service_type)
        before = self._forgotten(service)
        service.restart()
        return self._forgotten(service) - before

    def _forgotten(self, service: Service) -> int:
        """Return how many records a part has forgotten, or what else it has lost."""
        if isinstance(service, Glue):
            return int(aws("glue").get_crawler(Name=names.CRAWLER)["Crawler"]["State"] != "RUNNING")
        if isinstance(service, Lambda):
            return -len(service._sandboxes)
        return sum(hop.lost_on_restart for hop in service.counts())

    # What an operator does.

    def script(self, name: str) -> None:
        """Run one of the setup scripts in this process."""
        import_module(f"setup.{name}").create()

    def stop_pipe(self) -> None:
        """Let the pipe stand."""
        aws("pipes").stop_pipe(Name=names.PIPE)

    def break_function(self) -> None:
        """Let the function raise on each batch."""
        code = zip_code(RAISING, "lambda_function.py")
        aws("lambda").update_function_code(FunctionName=names.FUNCTION, ZipFile=code)

    def recreate_pipe(self) -> None:
        """Let another pipe read the table's stream from its beginning."""
        aws("pipes").delete_pipe(Name=names.PIPE)
        self.script("07_pipe")
        self.script("08_start_pipe")

    def recreate_firehose(self) -> None:
        """Let another delivery stream go on; what the old one held in memory is gone."""
        before, now = self._written_before, self._written()
        totals = (before.delivered + now.delivered, 0, before.lost_on_restart + now.lost_on_restart)
        self._written_before = HopCount(before.hop, 0, *totals)
        aws("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
        self.script("06_firehose")

    def recreate_table(self) -> None:
        """Let an empty table take the place of the table, with a stream of its own."""
        which = {"TableName": names.TABLE}
        aws("dynamodb").update_table(**which, DeletionProtectionEnabled=False)
        aws("dynamodb").delete_table(**which)
        self.script("01_dynamodb")

    def enable_stream(self, enabled: bool) -> None:
        """Switch the table's stream off, or on with another ARN."""
        if enabled:
            self.script("01_dynamodb")
        else:
            off = {"StreamEnabled": False}
            aws("dynamodb").update_table(TableName=names.TABLE, StreamSpecification=off)

    def crawl(self) -> None:
        """Start the crawler, unless it is at work."""
        glue = aws("glue")
        with suppress(glue.exceptions.CrawlerRunningException):
            glue.start_crawler(Name=names.CRAWLER)

    def crawled(self) -> list[str]:
        """Return the columns of the table after a crawl that nothing disturbs."""
        self.crawl()
        self.run_until_idle()
        last = aws("glue").get_crawler(Name=names.CRAWLER)["Crawler"]["LastCrawl"]
        assert last["Status"] == "SUCCEEDED", last
        return self.columns()

    def columns(self) -> list[str]:
        """Return the columns that the catalog knows."""
        found = aws("glue").get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
        return [column["Name"] for column in found["StorageDescriptor"]["Columns"]]

    def stream(self) -> str:
        """Return the ARN of the table's stream."""
        return aws("dynamodb").describe_table(TableName=names.TABLE)["Table"]["LatestStreamArn"]

    # Operations, in this process.

    def verified(self, *options: str, at_rest: bool = True) -> tuple[int, Document]:
        """Return exit status and document of verify; where it would wait, the chain moves."""
        move = self.run_until_idle if at_rest else self.tick
        with patch.object(verify, "_wait", lambda seconds, doubts: move()):
            return told(verify.main, *options)

    def replayed(self, *options: str) -> tuple[int, Document]:
        """Return exit status and document of replay; it waits for no letter."""
        with patch.object(dead_letters, "WAIT_SECONDS", 0):
            return told(replay.main, *options)

    def backfilled(self) -> int:
        """Return the exit status of a backfill."""
        with TemporaryDirectory() as folder, quiet():
            return backfill.main(["--checkpoint", str(Path(folder, "checkpoint.json"))])

    # Another campaign.

    def begin_anew(self) -> None:
        """Leave nothing of the campaign before: an empty table with a new stream, an empty lake."""
        self.calm()
        self.script("05_lambda")
        aws("pipes").delete_pipe(Name=names.PIPE)
        self.cloud.run_until_idle()
        self.recreate_table()
        self.script("07_pipe")
        self.script("08_start_pipe")
        table = import_module("setup.10_glue").table_input([])  # Without what crawls have added.
        aws("glue").update_table(DatabaseName=names.DATABASE, TableInput=table)
        for prefix in (names.LAKE, names.ERRORS, names.REPLAYED, names.QUERIES):
            for key in object_keys(prefix):
                aws("s3").delete_object(Bucket=names.bucket(), Key=key)
        for letter in letters():  # AWS purges a queue only once a minute.
            aws("sqs").delete_message(QueueUrl=queue_url(), ReceiptHandle=letter["ReceiptHandle"])


@contextmanager
def a_chain() -> Iterator[Chain]:
    """Yield a chain on a cloud of its own."""
    with laptop(Storm, *SERVICES, create_cloud=UnsteadyCloud) as cloud:
        clear_location()
        run_script(cloud, "setup")
        impatient = patch.object(athena, "FIRST_PAUSE", 0.01)
        with impatient, patch.object(boto3, "client", remembered(boto3.client)):
            yield Chain(cloud)


def remembered(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return what makes a client of each service once: that takes longer than most calls."""
    plain = cache(make)

    def client(service: str, **options: Any) -> Any:
        return make(service, **options) if options else plain(service)

    return client


def told(main: Main, *options: str) -> tuple[int, Document]:
    """Return the exit status of a verb, and what it tells programs."""
    with TemporaryDirectory() as folder, quiet():
        file = Path(folder, "told.json")
        status = main([*options, "--json", str(file)])
        return status, json.loads(file.read_text()) if file.exists() else {}


@contextmanager
def quiet() -> Iterator[None]:
    """Let a verb say nothing."""
    nowhere = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield
