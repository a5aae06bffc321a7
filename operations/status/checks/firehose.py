"""Firehose: whether it is active, keeps up with Kinesis, and delivers in time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import boto3

from operations.status.check import TRANSITIONAL_STATES, with_reason
from operations.status.check_result import CheckResult, Status
from operations.status.metrics import FIREHOSE_LAG, FRESHNESS, MetricHistory
from setup.names import DELIVERY, DELIVERY_LOGS

if TYPE_CHECKING:
    from types_boto3_firehose.type_defs import DeliveryStreamDescriptionTypeDef

# The thresholds of the alarms in setup/09_alarms.py.
MAX_LAG = timedelta(minutes=5)
MAX_DELIVERY_TIME = timedelta(minutes=15)
LOG_COMMAND = (
    f"see its log for the cause: aws logs filter-log-events --log-group-name {DELIVERY_LOGS}"
)


def check(history: MetricHistory | None) -> CheckResult:
    """Check that Firehose is active, reads Kinesis without a lag, and delivers in time."""
    response = boto3.client("firehose").describe_delivery_stream(DeliveryStreamName=DELIVERY)
    return check_description(response["DeliveryStreamDescription"], history)


def check_description(
    stream: DeliveryStreamDescriptionTypeDef, history: MetricHistory | None
) -> CheckResult:
    """Return the result for a stream as Firehose describes it."""
    state = stream["DeliveryStreamStatus"]
    if state != "ACTIVE":
        message = with_reason(state, stream.get("FailureDescription", {}).get("Details", ""))
        status = Status.UNKNOWN if state in TRANSITIONAL_STATES else Status.PROBLEM
        return CheckResult("Firehose", message, status, "python setup/06_firehose.py")
    fault = _destination_fault(stream)
    if fault:
        remedy = f"aws firehose update-destination for {DELIVERY}; setup makes it without that"
        return CheckResult("Firehose", f"{state}, but {fault}", Status.PROBLEM, remedy)
    return check_lag(history)


def _destination_fault(stream: DeliveryStreamDescriptionTypeDef) -> str:
    """Return what in the destination, in addition to what setup makes, spoils the lake."""
    destination = stream["Destinations"][0].get("ExtendedS3DestinationDescription", {})
    extension = destination.get("FileExtension") or ".gz"
    if not extension.endswith(".gz"):
        return f"the objects end with {extension}: Athena expects .gz of gzip"
    if destination.get("DataFormatConversionConfiguration", {}).get("Enabled"):
        return "it converts the rows into a format that the table does not have"
    processors = destination.get("ProcessingConfiguration", {}).get("Processors", ())
    other = [processor["Type"] for processor in processors if processor["Type"] != "Lambda"]
    return f"it changes the rows by {', '.join(other)}" if other else ""


def check_lag(history: MetricHistory | None) -> CheckResult:
    """Check how far Firehose is behind; it publishes that also while there is nothing to read."""
    lags = history.recent(FIREHOSE_LAG) if history else []
    if history is None or not lags:
        message = "ACTIVE, but no read of Kinesis was seen in the last 15 minutes"
        return CheckResult("Firehose", message, Status.UNKNOWN, LOG_COMMAND)
    lag = timedelta(milliseconds=max(lags))
    delivery_time = timedelta(seconds=max(history.recent(FRESHNESS), default=0))
    message = f"ACTIVE, {lag.total_seconds():.0f} s behind Kinesis"
    if delivery_time:
        message += f"; rows reach S3 after {delivery_time.total_seconds():.0f} s"
    is_late = lag > MAX_LAG or delivery_time > MAX_DELIVERY_TIME
    return CheckResult("Firehose", message, Status.PROBLEM if is_late else Status.OK, LOG_COMMAND)
