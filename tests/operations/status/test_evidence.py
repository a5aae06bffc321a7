"""Evidence: without the comparison of configurations, the metrics and the lake show what is lost.

Each test breaks a part, writes orders, and lets the time pass in which they should have arrived.
"""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from zipfile import ZipFile

import pytest

from operations.status import command
from setup.lib.lambda_zip import build_zip
from tests.support.laptop_cloud import zip_code
from tests.support.recorded_requests import recorded_operations
from tests.support.status_fixture import StatusChain, status_chain
from tests.support.status_sabotage import (
    deploy,
    destination_changed,
    lose_permission,
    pipe_stopped,
    role_denied,
)

HOUR = 3600
# Functions that answer each record, but lose it.
DROPPING = """
def lambda_handler(event, context):
    keys = {"partitionKeys": {"dt": "2026-11-29"}}
    return {"records": [
        {"recordId": record["recordId"], "result": %r, "data": %r, "metadata": keys}
        for record in event["records"]
    ]}
"""


@pytest.fixture(scope="module")
def damaged_chain() -> Iterator[StatusChain]:
    with status_chain() as chain, pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "check_configuration", lambda *_: [])
        yield chain


@pytest.fixture
def chain(damaged_chain: StatusChain) -> Iterator[StatusChain]:
    """The chain as if everything before had happened long ago."""
    damaged_chain.forget_metrics()
    assert damaged_chain.find_faults() == []
    yield damaged_chain
    damaged_chain.write_orders()


def faults_after(chain: StatusChain, sabotage: AbstractContextManager[object]) -> list[str]:
    """Return the faults that status names a quarter of an hour after five orders were written."""
    with sabotage:
        chain.write_orders(5)
        chain.wait(900)
        return chain.find_faults()


def test_delivered_orders_are_no_fault(chain: StatusChain) -> None:
    chain.write_orders(5)
    assert chain.find_faults() == []
    chain.wait(900)
    assert chain.find_faults() == []


def test_records_not_read_by_firehose_are_missing(chain: StatusChain) -> None:
    sabotage = lose_permission("firehose", "kinesis:GetRecords")
    faults = faults_after(chain, sabotage(chain.cloud))
    assert any(
        "Kinesis -> Firehose: 0 of 5 records delivered, 5 missing" in text for text in faults
    )


def test_a_failing_pipe_is_named(chain: StatusChain) -> None:
    sabotage = lose_permission("pipe", "kinesis:PutRecords")
    faults = faults_after(chain, sabotage(chain.cloud))
    [fault] = [text for text in faults if text.startswith("pipe: RUNNING, but ")]
    assert "failed in the last 15 minutes; at " in fault
    assert "UTC: kinesis: User: arn:" in fault
    assert "is not authorized to perform: kinesis:PutRecords on resource: " in fault


@pytest.mark.slow
def test_rows_that_s3_does_not_accept_are_missing(chain: StatusChain) -> None:
    faults = faults_after(chain, role_denied(chain.cloud))
    assert any("Firehose -> S3: 0 of 5 records delivered, 5 missing" in text for text in faults)


@contextmanager
def replaced_function(result: str, data: str) -> Iterator[None]:
    deploy(zip_code(DROPPING % (result, data), "lambda_function.py"))
    yield
    deploy(build_zip())


def test_records_that_the_function_drops_are_missing(chain: StatusChain) -> None:
    faults = faults_after(chain, replaced_function("Dropped", ""))
    assert any("Firehose -> function: 0 of 5 records delivered, 5 m" in text for text in faults)


def test_empty_rows_leave_the_lake_behind_the_stream(chain: StatusChain) -> None:
    faults = faults_after(chain, replaced_function("Ok", "Cg=="))
    assert any("lake: " in text and "the pipe read a newer one" in text for text in faults)


# Answers all but the last record of a batch with an empty line.
PARTLY_EMPTY = """
import transform

def lambda_handler(event, context):
    records = transform.transform_batch(event).response["records"]
    return {"records": [record | {"data": "Cg=="} for record in records[:-1]] + records[-1:]}
"""


@pytest.mark.slow
def test_some_empty_rows_are_noticed(chain: StatusChain) -> None:
    chain.wait(4 * HOUR)  # Older rows do not count.
    deploy(partly_empty_function())
    chain.write_orders(5)
    chain.wait(900)
    deploy(build_zip())
    faults = chain.find_faults()
    assert any("but it has only 1 of 5 changes that the pipe" in text for text in faults)


def partly_empty_function() -> bytes:
    """Return the project's zip archive with another handler."""
    archive = io.BytesIO()
    with ZipFile(io.BytesIO(build_zip())) as old, ZipFile(archive, "w") as new:
        for entry in old.infolist():
            is_handler = entry.filename == "lambda_function.py"
            new.writestr(entry, PARTLY_EMPTY.encode() if is_handler else old.read(entry))
    return archive.getvalue()


@pytest.mark.slow
def test_rows_elsewhere_leave_the_lake_behind(chain: StatusChain) -> None:
    sabotage = destination_changed("x", "", Prefix="x/dt=!{partitionKeyFromLambda:dt}/")
    faults = faults_after(chain, sabotage(chain.cloud))
    assert any("lake: " in text and "the pipe read a newer one" in text for text in faults)


def test_a_pipe_that_is_not_seen_to_read_is_unknown(chain: StatusChain) -> None:
    with pipe_stopped(chain.cloud):
        chain.forget_metrics()
    faults = chain.find_faults()
    assert [text.partition(" in the")[0] for text in faults] == [
        "pipe: RUNNING, but no read of the table's stream was seen"
    ]


def test_an_unseen_firehose_is_unknown(chain: StatusChain) -> None:
    with lose_permission("firehose", "kinesis:GetRecords")(chain.cloud):
        chain.forget_metrics()
        faults = chain.find_faults()
    assert len(faults) == 1
    assert faults[0].startswith("Firehose: ACTIVE, but no read of Kinesis was seen")


def test_status_reads_no_stream(chain: StatusChain) -> None:
    """It would raise the iterator age, which an alarm watches."""
    with recorded_operations(chain.cloud) as operations:
        chain.run_status()
    assert "DescribeStreamSummary" in operations
    assert {"GetRecords", "GetShardIterator"} & set(operations) == set()
