"""The laptop chain of the campaigns: built by the real scripts, and begun anew for each of them."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import boto3

from analytics import athena
from local.cloud import Cloud
from local.demo import run
from local.firehose import Firehose
from local.parts import PARTS
from operations import backfill, replay, verify
from operations.replaying import dead_letters
from setup import names
from tests.campaign.evidence import letters, object_keys, queue_url
from tests.campaign.storm import Storm
from tests.laptop import aws, laptop, zipped
from tests.setup_world import forget_where

RAISING = zipped(
    "def lambda_handler(event, context):\n    raise ValueError\n", "lambda_function.py"
)
Main = Callable[[Sequence[str]], int]
Document = dict[str, Any]


class Chain:
    """A chain that stands; `delivered` counts the rows that its delivery streams ever wrote."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.storm: Storm = cloud.part(Storm)
        self._delivered_before = 0

    # The cloud.

    def step(self) -> bool:
        """Let every part work once, in the storm, and return whether any found work."""
        with self.storm.raging():
            return self.cloud.step()

    def settle(self) -> None:
        """Let the chain come to rest, in the storm."""
        with self.storm.raging():
            self.cloud.settle()

    @property
    def delivered(self) -> int:
        """How many rows are in S3 or were."""
        return self._delivered_before + self._delivered_now()

    def _delivered_now(self) -> int:
        return sum(hop.went_out for hop in self.cloud.part(Firehose).counts()[1:])

    def unbalanced(self) -> list[Any]:
        """Return the hops that delivered or failed another number than they took in."""
        hops = [hop for part in self.cloud.parts for hop in part.counts()]
        return [hop for hop in hops if hop.came_in != hop.went_out + hop.failed]

    # What an operator does.

    def script(self, name: str) -> None:
        """Run one of the setup scripts in this process."""
        import_module(name).create()

    def stop_pipe(self) -> None:
        """Let the pipe stand."""
        aws("pipes").stop_pipe(Name=names.PIPE)

    def break_function(self) -> None:
        """Let the function raise on each batch."""
        code = zipped(RAISING, "lambda_function.py")
        aws("lambda").update_function_code(FunctionName=names.FUNCTION, ZipFile=code)

    def recreate_pipe(self) -> None:
        """Let another pipe read the table's stream from its beginning."""
        aws("pipes").delete_pipe(Name=names.PIPE)
        self.script("07_pipe")
        self.script("08_start_pipe")

    def recreate_firehose(self) -> None:
        """Let another delivery stream go on; what the old one held in memory is gone."""
        self._delivered_before += self._delivered_now()
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

    def stream(self) -> str:
        """Return the ARN of the table's stream."""
        return aws("dynamodb").describe_table(TableName=names.TABLE)["Table"]["LatestStreamArn"]

    # Operations, in this process.

    def verified(self, *options: str, at_rest: bool = True) -> tuple[int, Document]:
        """Return exit status and document of verify; where it would wait, the chain moves."""
        move = self.settle if at_rest else self.step
        with patch.object(verify, "_wait", lambda seconds, doubts: move()):
            return told(verify.main, *options)

    def replayed(self, *options: str) -> tuple[int, Document]:
        """Return exit status and document of replay; it waits for no letter."""
        with patch.object(dead_letters, "WAIT", 0):
            return told(replay.main, *options)

    def backfilled(self) -> int:
        """Return the exit status of a backfill."""
        with TemporaryDirectory() as folder, quiet():
            return backfill.main(["--checkpoint", str(Path(folder, "checkpoint.json"))])

    # Another campaign.

    def begin_anew(self) -> None:
        """Leave nothing of the campaign before: an empty table with a new stream, an empty lake."""
        self.storm.calm()
        self.script("05_lambda")
        aws("pipes").delete_pipe(Name=names.PIPE)
        self.cloud.settle()
        self.recreate_table()
        self.script("07_pipe")
        self.script("08_start_pipe")
        for prefix in (names.LAKE, names.ERRORS, names.REPLAYED, names.QUERIES):
            for key in object_keys(prefix):
                aws("s3").delete_object(Bucket=names.bucket(), Key=key)
        for letter in letters():  # AWS purges a queue only once a minute.
            aws("sqs").delete_message(QueueUrl=queue_url(), ReceiptHandle=letter["ReceiptHandle"])


@contextmanager
def a_chain() -> Iterator[Chain]:
    """Yield a chain on a cloud of its own."""
    with laptop(Storm, *PARTS) as cloud:
        forget_where()
        run(cloud, "setup")
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
