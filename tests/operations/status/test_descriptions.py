"""Resources as AWS describes them: each state that is not sound is a problem, or not known."""

from datetime import UTC, datetime
from typing import Any

import pytest

from operations.status.check_result import Status
from operations.status.checks import backfill, firehose, function, kinesis, table
from operations.status.metrics import (
    FIREHOSE_LAG,
    FRESHNESS,
    FUNCTION_ERRORS,
    FUNCTION_THROTTLES,
    Metric,
)
from setup.names import FUNCTION_LOGS, TABLE
from tests.support.metric_history import JUST_NOW, LONG_AGO, history

# A resource as AWS describes it; the checks need some of its members.
Description = Any
STREAM = {"StreamEnabled": True}
KEY_LOST = {"InaccessibleEncryptionDateTime": "2026-11-29"}


@pytest.mark.parametrize(
    ("description", "status", "message"),
    [
        ({"TableStatus": "ACTIVE"}, Status.PROBLEM, "has no stream"),
        ({"TableStatus": "ACTIVE", "StreamSpecification": STREAM}, Status.OK, "has a stream"),
        ({"TableStatus": "UPDATING", "StreamSpecification": STREAM}, Status.UNKNOWN, "is UPDATING"),
        ({"TableStatus": "ARCHIVED", "StreamSpecification": STREAM}, Status.PROBLEM, "is ARCHIVED"),
        (
            {"TableStatus": "ACTIVE", "StreamSpecification": STREAM, "SSEDescription": KEY_LOST},
            Status.PROBLEM,
            "cannot be read: DynamoDB cannot use its key",
        ),
    ],
)
def test_a_table_is_usable_and_has_a_stream(
    description: Description, status: Status, message: str
) -> None:
    result = table.check_description(description)
    assert (result.status, result.message) == (status, f"{TABLE} {message}".strip())


CREATED_AT = datetime(2026, 11, 29, 10, tzinfo=UTC)
WITH_STREAM = {"CreationDateTime": CREATED_AT, "LatestStreamArn": "arn"}
SAME_TIME = {**WITH_STREAM, "LatestStreamLabel": "2026-11-29T10:01:00.000"}
LATER_STREAM = {**WITH_STREAM, "LatestStreamLabel": "2026-11-29T10:01:00.001"}


@pytest.mark.parametrize(
    ("description", "is_completed", "status", "message"),
    [
        ({"CreationDateTime": CREATED_AT}, False, Status.UNKNOWN, "the table has no stream"),
        ({**SAME_TIME, "ItemCount": 5}, False, Status.OK, "not needed: the stream is as old as "),
        ({**LATER_STREAM, "ItemCount": 0}, False, Status.OK, "not needed: the table was empty"),
        ({**LATER_STREAM, "ItemCount": 1}, True, Status.OK, "done: it sent every item"),
        (
            {**LATER_STREAM, "ItemCount": 1},
            False,
            Status.UNKNOWN,
            f"none was completed, but {TABLE} has items and is older than its stream",
        ),
        (LATER_STREAM, False, Status.UNKNOWN, f"none was completed, but {TABLE} may have items"),
    ],
)
def test_an_older_table_needs_a_backfill(
    monkeypatch: pytest.MonkeyPatch,
    description: Description,
    is_completed: bool,
    status: Status,
    message: str,
) -> None:
    monkeypatch.setattr(backfill, "is_completed", lambda stream: is_completed and stream == "arn")
    result = backfill.check_description(description)
    assert (result.part, result.status) == ("backfill", status)
    assert result.message.startswith(message)


@pytest.mark.parametrize(
    ("description", "status", "message"),
    [
        ({"StreamStatus": "ACTIVE"}, Status.OK, "ACTIVE"),
        ({"StreamStatus": "UPDATING", "KeyId": kinesis.AWS_KEY}, Status.OK, "UPDATING"),
        ({"StreamStatus": "DELETING"}, Status.UNKNOWN, "DELETING"),
    ],
)
def test_a_stream_is_active(description: Description, status: Status, message: str) -> None:
    result = kinesis.check_description(description)
    assert (result.status, result.message) == (status, message)


LAMBDA = {"ProcessingConfiguration": {"Processors": [{"Type": "Lambda"}]}}
OTHER = {"ProcessingConfiguration": {"Processors": [{"Type": "Lambda"}, {"Type": "Decompression"}]}}
CONVERSION = {"DataFormatConversionConfiguration": {"Enabled": True}}


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ({}, ""),
        (LAMBDA, ""),
        ({"FileExtension": ".json.gz"}, ""),
        ({"FileExtension": ".json"}, ", but the objects end with .json"),
        (CONVERSION, ", but it converts the rows into a format"),
        (OTHER, ", but it changes the rows by Decompression"),
    ],
)
def test_a_destination_keeps_the_rows(destination: Description, message: str) -> None:
    description: Description = {
        "DeliveryStreamStatus": "ACTIVE",
        "Destinations": [{"ExtendedS3DestinationDescription": destination}],
    }
    result = firehose.check_description(description, history((FIREHOSE_LAG, JUST_NOW, 0)))
    assert result.message.startswith(f"ACTIVE{message or ', 0 s behind Kinesis'}")
    assert result.status == (Status.PROBLEM if message else Status.OK)


@pytest.mark.parametrize(
    ("state", "status"), [("CREATING", Status.UNKNOWN), ("CREATING_FAILED", Status.PROBLEM)]
)
def test_a_firehose_that_is_not_active_says_why(state: str, status: Status) -> None:
    reason = {"Details": "no role"}
    description: Description = {"DeliveryStreamStatus": state, "FailureDescription": reason}
    result = firehose.check_description(description, None)
    assert (result.status, result.message) == (status, f"{state}: no role")


@pytest.mark.parametrize(
    ("lag", "delivery_time", "status"),
    [
        (300_000, 900, Status.OK),
        (300_001, 0, Status.PROBLEM),
        (0, 901, Status.PROBLEM),
    ],
)
def test_firehose_is_late_beyond_its_alarms(lag: int, delivery_time: int, status: Status) -> None:
    freshness = (FRESHNESS, JUST_NOW, delivery_time)
    older = (FIREHOSE_LAG, LONG_AGO, 9_000_000)
    result = firehose.check_lag(history((FIREHOSE_LAG, JUST_NOW, lag), freshness, older))
    message = f"ACTIVE, {lag / 1000:.0f} s behind Kinesis"
    delivery = f"; rows reach S3 after {delivery_time} s" if delivery_time else ""
    assert (result.status, result.message) == (status, message + delivery)


def test_without_a_delivery_no_time_is_named() -> None:
    result = firehose.check_lag(history((FIREHOSE_LAG, JUST_NOW, 0)))
    assert (result.status, result.message) == (Status.OK, "ACTIVE, 0 s behind Kinesis")


def test_a_firehose_not_seen_to_read_is_unknown() -> None:
    assert firehose.check_lag(None).status == Status.UNKNOWN
    assert firehose.check_lag(history((FIREHOSE_LAG, LONG_AGO, 0))).status == Status.UNKNOWN


OWN_VARIABLES = {"JSON_PATHS": "", "MASKED": "{}", "MASKING_KEY": "k"}
FUNCTION = {"CodeSha256": "0123456789", "State": "Inactive"}


@pytest.mark.parametrize(
    ("changes", "reserved_concurrency", "status", "message"),
    [
        ({}, None, Status.OK, "Inactive, code 01234567"),
        ({}, 1, Status.OK, "Inactive, code 01234567"),
        ({}, 0, Status.PROBLEM, "its reserved concurrency is 0"),
        ({"State": "Failed", "StateReason": "x"}, None, Status.PROBLEM, "failed: x"),
        (
            {"LastUpdateStatus": "Failed", "LastUpdateStatusReason": "y"},
            None,
            Status.PROBLEM,
            "failed: y",
        ),
        ({"LastUpdateStatus": "Failed"}, None, Status.PROBLEM, "failed: no reason given"),
        ({"LoggingConfig": {"LogGroup": FUNCTION_LOGS}}, None, Status.OK, "Inactive"),
        ({"LoggingConfig": {"LogGroup": "/mine"}}, None, Status.PROBLEM, "it logs to /mine"),
        ({"Environment": {"Variables": OWN_VARIABLES}}, None, Status.OK, "Inactive"),
        (
            {
                "Environment": {"Variables": {"B": "", **OWN_VARIABLES, "A": ""}},
                "Layers": [{"Arn": "arn:l"}],
            },
            None,
            Status.UNKNOWN,
            "it has layer arn:l, variable A, variable B, which setup does not make",
        ),
    ],
)
def test_a_function_runs_as_setup_made_it(
    changes: Description, reserved_concurrency: int | None, status: Status, message: str
) -> None:
    description: Description = {**FUNCTION, **changes}
    result = function.check_description(description, reserved_concurrency, history())
    assert (result.status, result.message[: len(message)]) == (status, message)


@pytest.mark.parametrize(
    ("points", "status", "message"),
    [
        ([(FUNCTION_ERRORS, JUST_NOW, 2)], Status.PROBLEM, "2 errors in the last 15 minutes"),
        ([(FUNCTION_THROTTLES, JUST_NOW, 1)], Status.PROBLEM, "1 throttle in the last 15 minutes"),
        ([(FUNCTION_ERRORS, LONG_AGO, 2)], Status.OK, ""),
    ],
)
def test_recent_failures_of_a_function_are_counted(
    points: list[tuple[Metric, Any, float]], status: Status, message: str
) -> None:
    description: Description = FUNCTION
    result = function.check_description(description, None, history(*points))
    expected = "Inactive, code 01234567" + (f"; {message}" if message else "")
    assert (result.status, result.message) == (status, expected)
    assert function.check_description(description, None, None).status == Status.UNKNOWN
