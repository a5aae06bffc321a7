"""verify on a busy table: changes in flight are never reported as wrong, however long they take."""

from collections.abc import Callable, Iterator
from itertools import count

import boto3
import pytest

from local.core.server import Cloud
from local.services.registry import SERVICES
from operations import in_flight
from setup import names
from tests.support.laptop_cloud import laptop
from tests.support.profile import IS_THOROUGH
from tests.support.sabotage import (
    drop_attributes,
    keys_by_kind,
    order_key,
    put_order,
    run_verify,
)
from tests.support.whole_chain import create_pipeline

STEP_SECONDS = 300
STATUSES = ("placed", "paid", "placed", "shipped")  # Some looks see the same item.
ORDERS = [f"SO-{number}" for number in range(4)]


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop chain whose buffers are as long as AWS allows."""
    with laptop(*SERVICES) as cloud:
        create_pipeline()
        _lengthen_buffers()
        yield cloud


def _lengthen_buffers() -> None:
    pipes = boto3.client("pipes")
    pipe = pipes.describe_pipe(Name=names.PIPE)
    pipes.update_pipe(
        Name=names.PIPE,
        RoleArn=pipe["RoleArn"],
        SourceParameters={"DynamoDBStreamParameters": {"MaximumBatchingWindowInSeconds": 300}},
    )
    firehose = boto3.client("firehose")
    stream = firehose.describe_delivery_stream(DeliveryStreamName=names.DELIVERY)
    description = stream["DeliveryStreamDescription"]
    [destination] = description["Destinations"]
    processing = destination["ExtendedS3DestinationDescription"]["ProcessingConfiguration"]
    for parameter in processing["Processors"][0]["Parameters"]:
        if parameter["ParameterName"] == "BufferIntervalInSeconds":
            parameter["ParameterValue"] = "900"
    firehose.update_destination(
        DeliveryStreamName=names.DELIVERY,
        CurrentDeliveryStreamVersionId=description["VersionId"],
        DestinationId=destination["DestinationId"],
        ExtendedS3DestinationUpdate={
            "BufferingHints": {"SizeInMBs": 128, "IntervalInSeconds": 900},
            "ProcessingConfiguration": processing,
        },
    )


def sleep_with_writes(cloud: Cloud, write: Callable[[], None]) -> Callable[[float], None]:
    """Return a sleep during which the chain works, and every step begins with a write."""

    def sleep(seconds: float) -> None:
        ends_at = cloud.clock.now() + seconds
        while cloud.clock.now() < ends_at:
            write()
            while cloud.tick():
                pass
            cloud.clock.advance(min(STEP_SECONDS, ends_at - cloud.clock.now()))
        while cloud.tick():
            pass

    return sleep


def test_default_wait_covers_the_longest_buffers(chain: Cloud) -> None:
    assert in_flight.max_delay_seconds() == 300 + 1.5 * (900 + 900)


@pytest.mark.slow
def test_a_busy_table_is_never_called_wrong(chain: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = count()

    def write() -> None:
        number = next(writes)
        for position, order_id in enumerate(ORDERS):
            put_order(order_id, STATUSES[(number + position) % len(STATUSES)])

    sleep = sleep_with_writes(chain, write)
    monkeypatch.setattr(in_flight, "sleep", sleep)
    sleep(2 * in_flight.max_delay_seconds())
    for _ in range(10 if IS_THOROUGH else 2):
        status, document = run_verify()
        assert keys_by_kind(document).keys() <= {"unsettled"}
        assert status == (2 if document["unsettled"] else 0)
        sleep(STEP_SECONDS)


@pytest.mark.slow
def test_a_wrong_key_is_found_amid_writes(chain: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    resting = ["SO-a", "SO-b", "SO-c"]
    for order_id in resting:
        put_order(order_id, "shipped")
    chain.run_until_idle()
    drop_attributes(chain, resting)
    writes = count()
    sleep = sleep_with_writes(chain, lambda: put_order(ORDERS[0], f"status {next(writes)}"))
    monkeypatch.setattr(in_flight, "sleep", sleep)
    sleep(STEP_SECONDS)
    status, document = run_verify()
    assert (status, document["columns"]) == (1, [order_key(resting[2])])
