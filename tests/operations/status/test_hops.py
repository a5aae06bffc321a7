"""Hops and series: what was received in time is delivered, failed or missing; the rest is open."""

from datetime import UTC, date, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from operations.status.check_result import Status
from operations.status.checks import lake
from operations.status.checks.lake import NewestRow, check_empty_lake, compare_with_stream
from operations.status.checks.pipe import check_deliveries
from operations.status.configuration import drift_results
from operations.status.hops import HOPS, Hop, count_hops, hop_table
from operations.status.metrics import (
    DELIVERED_ROWS,
    FIREHOSE_READS,
    FUNCTION_ERRORS,
    KINESIS_RECORDS,
    PARTITION_OVERFLOW,
    PERIOD,
    PIPE_EVENTS,
    PIPE_FAILURES,
    PIPE_INVOCATIONS,
    PIPE_PARTIAL_FAILURES,
    TRANSFORM_FAILURES,
    TRANSFORMED_ROWS,
    Metric,
    Point,
)
from setup.lib.drift import ScriptDrift
from setup.names import FIRST_DAY
from tests.support.metric_history import JUST_NOW, LONG_AGO, NOW, STREAM, history

COUNTS = st.integers(0, 1000)
NO_READ = "but no read of the table's stream was seen in the last 15 minutes"
WELL = "and reads the table's stream"


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_old_records_are_delivered_failed_or_missing(
    old: int, recent: int, delivered: int, failed: int
) -> None:
    metrics = history(
        (FIREHOSE_READS, LONG_AGO, old),
        (FIREHOSE_READS, JUST_NOW, recent),
        (TRANSFORMED_ROWS, JUST_NOW, delivered),
        (TRANSFORM_FAILURES, LONG_AGO, failed),
    )
    hop = count_hops(metrics)[2]
    assert (hop.received, hop.delivered, hop.failed) == (old + recent, delivered, failed)
    assert hop.overdue == max(0, old - delivered - failed)
    assert hop.overdue <= hop.open
    assert (hop.check(3).status == Status.OK) == (hop.overdue == 0)


@pytest.mark.parametrize(("minutes", "overdue"), [(10, 5), (9, 0)])
def test_records_are_due_when_their_period_settles(minutes: int, overdue: int) -> None:
    metrics = history((FIREHOSE_READS, timedelta(minutes=minutes), 5))
    assert count_hops(metrics)[2].overdue == overdue


@pytest.mark.parametrize(
    ("received", "delivered", "failed", "open_count"), [(5, 3, 1, 1), (5, 5, 0, 0), (5, 7, 0, 0)]
)
def test_open_records_are_neither_delivered_nor_failed(
    received: int, delivered: int, failed: int, open_count: int
) -> None:
    assert Hop("hop", received, delivered, failed).open == open_count


@pytest.mark.parametrize(
    ("hop", "message"),
    [
        (Hop("hop", 0, 0, 0), "nothing received in the last 3 h"),
        (Hop("hop", 1, 1, 0), "1 of 1 record delivered"),
        (Hop("hop", 5, 3, 2), "3 of 5 records delivered, 2 failed"),
        (Hop("hop", 5, 3, 0), "3 of 5 records delivered, 2 in flight"),
        (Hop("hop", 9, 3, 1, overdue=5), "3 of 9 records delivered, 1 failed, 5 missing"),
        (
            Hop("hop", 9, 3, 1, overdue=2),
            "3 of 9 records delivered, 1 failed, 3 in flight, 2 missing",
        ),
    ],
)
def test_a_hop_says_what_became_of_its_records(hop: Hop, message: str) -> None:
    result = hop.check(3)
    assert (result.part, result.message) == ("hop", message)
    assert result.status == (Status.PROBLEM if hop.overdue else Status.OK)


def test_the_table_of_hops_has_all_counts() -> None:
    lines = hop_table([Hop("Firehose", 10, 6, 1, overdue=2)]).splitlines()
    assert lines[0].split() == ["hop", "received", "delivered", "failed", "open"]
    assert lines[1].split() == ["Firehose", "10", "6", "1", "3"]
    assert Hop("Firehose", 10, 6, 1, overdue=2).document() == {
        "hop": "Firehose",
        "received": 10,
        "delivered": 6,
        "failed": 1,
        "open": 3,
        "missing": 2,
    }


def test_the_hops_form_a_chain() -> None:
    assert [hop.received for hop in HOPS[1:]] == [hop.delivered for hop in HOPS[:-1]]
    assert (HOPS[0].received, HOPS[-1].delivered) == (PIPE_EVENTS, DELIVERED_ROWS)


@pytest.mark.parametrize(
    ("number", "received", "failure"),
    [
        (0, PIPE_EVENTS, PIPE_FAILURES),
        (0, PIPE_EVENTS, PIPE_PARTIAL_FAILURES),
        (2, FIREHOSE_READS, FUNCTION_ERRORS),
        (3, TRANSFORMED_ROWS, PARTITION_OVERFLOW),
    ],
)
def test_a_loss_is_unknown_if_failures_explain_it(
    number: int, received: Metric, failure: Metric
) -> None:
    lost = (received, LONG_AGO, 5.0)
    hop = count_hops(history(lost, (failure, LONG_AGO, 4.0)))[number]
    assert (hop.overdue, hop.check(3).status) == (5, Status.UNKNOWN)
    assert count_hops(history(lost))[number].check(3).status == Status.PROBLEM


@pytest.mark.parametrize(
    ("points", "status", "message"),
    [
        ([], Status.UNKNOWN, NO_READ),
        ([(STREAM.calls, JUST_NOW, 9.0)], Status.OK, WELL),
        # Its period ended recently.
        ([(STREAM.calls, timedelta(minutes=19), 9.0)], Status.OK, WELL),
        ([(STREAM.calls, timedelta(minutes=20), 9.0)], Status.UNKNOWN, NO_READ),
        ([(PIPE_INVOCATIONS, JUST_NOW, 1.0)], Status.OK, WELL),
        (
            [(PIPE_INVOCATIONS, JUST_NOW, 3.0), (PIPE_FAILURES, JUST_NOW, 1.0)],
            Status.PROBLEM,
            "but 1 of 3 executions failed in the last 15 minutes",
        ),
        (
            [(PIPE_PARTIAL_FAILURES, JUST_NOW, 1.0)],
            Status.PROBLEM,
            "but 1 of 1 execution failed in the last 15 minutes",
        ),
        ([(PIPE_INVOCATIONS, JUST_NOW, 3.0), (PIPE_FAILURES, LONG_AGO, 1.0)], Status.OK, WELL),
        (
            [(STREAM.calls, JUST_NOW, 9.0), (STREAM.records, LONG_AGO, 5.0)],
            Status.PROBLEM,
            "but of 5 changes read it delivered none",
        ),
        ([(STREAM.calls, JUST_NOW, 9.0), (STREAM.records, JUST_NOW, 5.0)], Status.OK, WELL),
    ],
)
def test_a_running_pipe_must_be_seen_to_deliver(
    points: list[tuple[Metric, timedelta, float]], status: Status, message: str
) -> None:
    result = check_deliveries(history(*points))
    assert (result.part, result.status) == ("pipe", status)
    assert result.message == f"RUNNING, {message}"


@pytest.mark.parametrize(
    ("row_age", "read_age", "status"),
    [
        (LONG_AGO, LONG_AGO, Status.OK),
        (LONG_AGO + timedelta(minutes=1), LONG_AGO, Status.OK),  # within a period
        (2 * LONG_AGO, LONG_AGO, Status.UNKNOWN),
        (2 * LONG_AGO, JUST_NOW, Status.OK),  # may still be on the way
        (None, LONG_AGO, Status.UNKNOWN),
        (None, None, Status.OK),
    ],
)
def test_the_lake_must_have_the_newest_change(
    row_age: timedelta | None, read_age: timedelta | None, status: Status
) -> None:
    reads = [(STREAM.records, read_age, 1.0)] if read_age else []
    row = NewestRow("2026-11-29", 1, NOW - row_age if row_age else None)
    assert compare_with_stream(row, history(*reads)).status == status


@pytest.mark.parametrize(
    ("day", "is_read"),
    [
        (date.fromisoformat(FIRST_DAY) - timedelta(days=1), False),
        (date.fromisoformat(FIRST_DAY), True),
        (datetime.now(UTC).date() + timedelta(days=1), True),
        (datetime.now(UTC).date() + timedelta(days=3), False),
    ],
)
def test_athena_reads_the_days_of_the_projection(day: date, is_read: bool) -> None:
    assert lake._is_projected(f"dt={day}/") == is_read
    assert not lake._is_projected(f"{day}/")
    assert not lake._is_projected(f"dt={day}x/")


@pytest.mark.parametrize(
    ("row_count", "failures", "status"),
    [
        (5, [], Status.OK),
        (4, [], Status.UNKNOWN),
        (4, [TRANSFORM_FAILURES], Status.OK),  # which has no row
        (3, [TRANSFORM_FAILURES], Status.UNKNOWN),
        (0, [PIPE_FAILURES], Status.OK),  # AWS counts what the pipe retries again
        (0, [PIPE_PARTIAL_FAILURES], Status.OK),
    ],
)
def test_each_delivered_change_must_have_a_row(
    row_count: int, failures: list[Metric], status: Status
) -> None:
    points = [(metric, LONG_AGO, 1.0) for metric in failures]
    metrics = history((PIPE_EVENTS, LONG_AGO, 5.0), (PIPE_EVENTS, JUST_NOW, 9.0), *points)
    row = NewestRow("2026-11-29", row_count, NOW, row_count)
    assert compare_with_stream(row, metrics).status == status


@pytest.mark.parametrize(
    ("points", "status"),
    [([], Status.UNKNOWN), ([(STREAM.records, LONG_AGO, 1.0)], Status.PROBLEM)],
)
def test_an_empty_lake_is_never_well(
    points: list[tuple[Metric, timedelta, float]], status: Status
) -> None:
    assert check_empty_lake(history(*points)).status == status
    assert check_empty_lake(None).status == Status.UNKNOWN


def test_the_newest_change_is_named() -> None:
    row = NewestRow("2026-11-29", 1, NOW)
    assert compare_with_stream(row, history()).message == "newest change 2026-11-29 12:02 UTC"
    old_row = NewestRow("2026-11-29", 1, None)
    assert compare_with_stream(old_row, history()).message == "newest change older than 2026-11-29"


def test_older_reads_are_compared_by_the_hour() -> None:
    read_at = NOW - timedelta(days=2)
    metrics = history(old_reads=(Point(read_at, 1.0), Point(NOW - timedelta(days=1), 0.0)))
    assert metrics.newest_read() == read_at
    since_then = history(old_reads=(Point(NOW - timedelta(hours=3), 1.0),))
    assert since_then.newest_read() is None  # The finer metrics tell.
    row = NewestRow("2026-11-27", 1, read_at - 2 * PERIOD)
    assert compare_with_stream(row, metrics).status == Status.UNKNOWN


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["alarm x differs"], Status.PROBLEM),
        (["access denied to bucket x: allow these credentials s3:ListBucket"], Status.UNKNOWN),
        (["stream x: timed out after 0 s; still UPDATING: run this again"], Status.UNKNOWN),
        (["stream x: timed out after 0 s; still UPDATING", "tag of x differs"], Status.PROBLEM),
    ],
)
def test_what_setup_could_not_compare_is_unknown(lines: list[str], status: Status) -> None:
    [result] = drift_results(ScriptDrift("02_kinesis", lines))
    assert (result.part, result.status) == ("02_kinesis", status)


def test_a_call_that_setup_may_not_make_is_unknown() -> None:
    assert list(drift_results(ScriptDrift("02_kinesis", []))) == []
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "x"}}, "DescribeStream")
    problem, unknown = drift_results(ScriptDrift("02_kinesis", ["tag of x differs"], error))
    assert (problem.status, unknown.status) == (Status.PROBLEM, Status.UNKNOWN)
    assert "DescribeStream: AccessDenied" in unknown.message


def test_without_metrics_nothing_is_known() -> None:
    row = NewestRow("2026-11-29", 1, NOW)
    assert compare_with_stream(row, None).status == Status.UNKNOWN
    assert check_deliveries(None).status == Status.UNKNOWN
    assert count_hops(None) == [Hop(definition.name, 0, 0, 0) for definition in HOPS]
    assert count_hops(history((KINESIS_RECORDS, LONG_AGO, 2.0)))[1].overdue == 2
