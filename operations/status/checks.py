"""Checks of the pipeline's parts, in the order in which a change passes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import ClientError

from operations.status.check_result import CheckResult, Status
from operations.status.metrics import (
    FRESHNESS,
    ITERATOR_AGE,
    PIPE_EVENTS,
    PIPE_FAILURES,
    RECENT,
    Metric,
    fetch_metrics,
)
from operations.status.stream_lag import measure_stream_lag
from setup.lib.text import count
from setup.names import (
    CHANGES,
    CRAWLER,
    DATABASE,
    DEAD_LETTERS,
    DELIVERY,
    DELIVERY_LOGS,
    ERRORS,
    FUNCTION,
    PIPE,
    PIPELINE,
    STREAM,
    TABLE,
    WORKGROUP,
    bucket,
)

if TYPE_CHECKING:
    from types_boto3_cloudwatch.type_defs import MetricAlarmTypeDef
    from types_boto3_kinesis.client import KinesisClient
    from types_boto3_sqs.literals import QueueAttributeNameType

NOT_FOUND_CODES = (
    "ResourceNotFoundException",
    "NotFoundException",
    "EntityNotFoundException",
    "NoSuchBucket",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
)
# The thresholds of the alarms in setup/09_alarms.py.
MAX_LAG = {ITERATOR_AGE: timedelta(minutes=5), FRESHNESS: timedelta(minutes=15)}
TRANSITIONAL_STATES = (
    "CREATING",
    "UPDATING",
    "STARTING",
    "STOPPING",
    "Pending",
    "InProgress",
)
MAX_ERROR_OBJECTS = 100_000  # more are not counted
CHECK_AGAIN = "check again in a minute"
REPLAY_COMMAND = "python -m operations.replay"
LOG_COMMAND = f"see its log for the cause: aws logs tail {DELIVERY_LOGS} --since 1h"
CRAWL_COMMAND = "python setup/10_glue.py --crawl"
QUEUE_COUNTS: tuple[QueueAttributeNameType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, slots=True)
class Check:
    """A part, the script that creates it, and the function that inspects it."""

    part: str
    script: str
    inspect: Callable[[], CheckResult]

    def run(self) -> CheckResult:
        """Return the result of the inspection; a missing part is a PROBLEM."""
        try:
            return self.inspect()
        except ClientError as error:
            code = error.response["Error"]["Code"]
            message = " ".join(error.response["Error"].get("Message", "").split())
            if _is_not_found(code, message):
                remedy = f"python setup/{self.script}.py"
                return CheckResult(self.part, "missing", Status.PROBLEM, remedy)
            text = f"check failed: {error.operation_name}: {code}: {message[:200]}"
            return CheckResult(self.part, text, Status.UNKNOWN)


def _is_not_found(code: str, message: str) -> bool:
    is_missing_workgroup = code == "InvalidRequestException" and "not found" in message
    return code in NOT_FOUND_CODES or is_missing_workgroup


def _with_reason(state: str, reason: str) -> str:
    return f"{state}: {reason}" if reason else state


def check_table() -> CheckResult:
    """Check that the table has a stream."""
    table = boto3.client("dynamodb").describe_table(TableName=TABLE)["Table"]
    if not table.get("StreamSpecification", {}).get("StreamEnabled"):
        message = f"{TABLE} has no stream"
        return CheckResult("table", message, Status.PROBLEM, "python setup/01_dynamodb.py")
    return CheckResult("table", f"{TABLE} has a stream")


def check_pipe() -> CheckResult:
    """Check that the pipe runs, reads the table's current stream, and delivers."""
    pipe = boto3.client("pipes").describe_pipe(Name=PIPE)
    state = pipe["CurrentState"]
    # AWS gives a healthy pipe a reason too: that a user started it.
    reason = pipe.get("StateReason", "").removeprefix("USER_INITIATED")
    message = _with_reason(state, reason)
    if state in TRANSITIONAL_STATES:
        return CheckResult("pipe", message, Status.UNKNOWN, CHECK_AGAIN)
    if state != "RUNNING":
        script = "07_pipe" if state.startswith(("CREATE", "UPDATE")) else "08_start_pipe"
        return CheckResult("pipe", message, Status.PROBLEM, f"python setup/{script}.py")
    if reason:
        return CheckResult("pipe", message, Status.PROBLEM, "python setup --check")
    if pipe["Source"] != _current_stream():
        message = f"reads {pipe['Source']}, which is no longer the table's stream"
        remedy = "python setup/07_pipe.py explains how to recreate it"
        return CheckResult("pipe", message, Status.PROBLEM, remedy)
    return _check_deliveries()


def _check_deliveries() -> CheckResult:
    """Check that a running pipe delivers: AWS does not check its role's permissions beforehand."""
    metrics = (PIPE_EVENTS, PIPE_FAILURES)
    values = fetch_metrics(boto3.client("cloudwatch"), metrics, RECENT)
    failures = int(values[PIPE_FAILURES] or 0)
    if failures and not values[PIPE_EVENTS]:
        message = f"RUNNING, but the last executions failed: {failures} of {failures}"
        remedy = "python setup/04_iam.py and python setup/02_kinesis.py"
        return CheckResult("pipe", message, Status.PROBLEM, remedy)
    return CheckResult("pipe", "RUNNING")


def _current_stream() -> str | None:
    """Return the ARN of the table's stream, or None if either is missing."""
    dynamodb = boto3.client("dynamodb")
    try:
        return dynamodb.describe_table(TableName=TABLE)["Table"].get("LatestStreamArn")
    except dynamodb.exceptions.ResourceNotFoundException:
        return None


def check_kinesis() -> CheckResult:
    """Check that Kinesis is active, and measure its lag and Firehose's."""
    kinesis = boto3.client("kinesis")
    response = kinesis.describe_stream_summary(StreamName=STREAM)
    state = response["StreamDescriptionSummary"]["StreamStatus"]
    if state not in ("ACTIVE", "UPDATING"):
        return CheckResult("Kinesis", state, Status.UNKNOWN, CHECK_AGAIN)
    lag = timedelta(milliseconds=_recent_value(ITERATOR_AGE))
    message = f"{state}; {_newest_change(kinesis)}; Firehose lag {lag.total_seconds():.0f} s"
    return CheckResult("Kinesis", message, _lag_status(ITERATOR_AGE, lag), LOG_COMMAND)


def _newest_change(kinesis: KinesisClient) -> str:
    lag = measure_stream_lag(kinesis, STREAM)
    if lag is None:
        return "no change in the last hour"
    return f"newest change {lag.age:.0f} s old ({lag.seconds:.0f} s table→Kinesis)"


def check_firehose() -> CheckResult:
    """Check that Firehose is active, and measure how old the rows are that it delivers."""
    response = boto3.client("firehose").describe_delivery_stream(DeliveryStreamName=DELIVERY)
    stream = response["DeliveryStreamDescription"]
    state = stream["DeliveryStreamStatus"]
    if state != "ACTIVE":
        message = _with_reason(state, stream.get("FailureDescription", {}).get("Details", ""))
        status = Status.UNKNOWN if state in TRANSITIONAL_STATES else Status.PROBLEM
        return CheckResult("Firehose", message, status, "python setup/06_firehose.py")
    lag = timedelta(seconds=_recent_value(FRESHNESS))
    message = f"{state}; rows reach S3 after {lag.total_seconds():.0f} s"
    return CheckResult("Firehose", message, _lag_status(FRESHNESS, lag), LOG_COMMAND)


def _recent_value(metric: Metric) -> float:
    return fetch_metrics(boto3.client("cloudwatch"), [metric], RECENT)[metric] or 0.0


def _lag_status(metric: Metric, lag: timedelta) -> Status:
    return Status.PROBLEM if lag > MAX_LAG[metric] else Status.OK


def check_function() -> CheckResult:
    """Check that the function can be invoked."""
    function = boto3.client("lambda").get_function_configuration(FunctionName=FUNCTION)
    state = function.get("State", "Active")
    if "Failed" in (state, function.get("LastUpdateStatus")):
        reason = (
            function.get("StateReason")
            or function.get("LastUpdateStatusReason")
            or "no reason given"
        )
        remedy = "python setup/05_lambda.py"
        return CheckResult("function", f"failed: {reason}", Status.PROBLEM, remedy)
    return CheckResult("function", f"{state}, code {function['CodeSha256'][:8]}")


def check_dead_letters() -> CheckResult:
    """Count the batches that the pipe gave up on."""
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=DEAD_LETTERS)["QueueUrl"]
    response = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=QUEUE_COUNTS)
    batch_count = sum(map(int, response["Attributes"].values()))
    if not batch_count:
        return CheckResult("dead letters", "none")
    message = f"{count(batch_count, 'batch', 'batches')} that the pipe gave up on"
    remedy = f"{REPLAY_COMMAND} (within 24 h of the change)"
    return CheckResult("dead letters", message, Status.PROBLEM, remedy)


def check_error_objects() -> CheckResult:
    """Count the error objects in the lake's bucket, and find the oldest."""
    object_count = 0
    oldest = datetime.now(timezone.utc)
    for modified_at in _error_object_times():
        object_count += 1
        oldest = min(oldest, modified_at)
        if object_count == MAX_ERROR_OBJECTS:
            break
    if not object_count:
        return CheckResult("error objects", "none")
    or_more = " or more" if object_count == MAX_ERROR_OBJECTS else ""
    message = f"{object_count}{or_more}; the oldest is from {oldest:%Y-%m-%d %H:%M} UTC"
    remedy = f"{REPLAY_COMMAND} --dry-run shows the causes; then {REPLAY_COMMAND}"
    return CheckResult("error objects", message, Status.PROBLEM, remedy)


def _error_object_times() -> Iterator[datetime]:
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket(), Prefix=ERRORS):
        for entry in page.get("Contents", ()):
            if entry["Size"]:
                yield entry["LastModified"]


def check_catalog() -> CheckResult:
    """Check that Athena's table exists."""
    table = boto3.client("glue").get_table(DatabaseName=DATABASE, Name=CHANGES)["Table"]
    column_count = len(table["StorageDescriptor"]["Columns"])
    return CheckResult("catalog", f"table {DATABASE}.{CHANGES} has {column_count} columns")


def check_crawler() -> CheckResult:
    """Check that the last crawl succeeded."""
    crawl = boto3.client("glue").get_crawler(Name=CRAWLER)["Crawler"].get("LastCrawl")
    if not crawl:
        return CheckResult("last crawl", f"none yet; {CRAWL_COMMAND} adds new columns")
    state = f"{crawl['Status']} at {crawl['StartTime']:%Y-%m-%d %H:%M}"
    status = Status.PROBLEM if crawl["Status"] == "FAILED" else Status.OK
    message = _with_reason(state, crawl.get("ErrorMessage", ""))
    return CheckResult("last crawl", message, status, CRAWL_COMMAND)


def check_athena() -> CheckResult:
    """Check that queries can be run."""
    workgroup = boto3.client("athena").get_work_group(WorkGroup=WORKGROUP)["WorkGroup"]
    state = workgroup["State"]
    status = Status.OK if state == "ENABLED" else Status.PROBLEM
    message = f"workgroup {WORKGROUP} is {state}"
    return CheckResult("Athena", message, status, "python setup/11_athena.py")


def check_alarms() -> CheckResult:
    """List the pipeline's alarms that are firing, with their reasons."""
    alarms = [alarm for alarm in _alarms() if _is_ours(alarm)]
    if not alarms:
        return CheckResult("alarms", "missing", Status.PROBLEM, "python setup/09_alarms.py")
    firing = [alarm for alarm in alarms if alarm["StateValue"] == "ALARM"]
    if not firing:
        return CheckResult("alarms", f"0 of {len(alarms)} alarms firing")
    message = "; ".join(f"{alarm['AlarmName']}: {alarm.get('StateReason', '')}" for alarm in firing)
    remedy = "fix the causes; alarms clear within five minutes"
    return CheckResult("alarms", message, Status.PROBLEM, remedy)


def _alarms() -> Iterator[MetricAlarmTypeDef]:
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms")
    for page in pages.paginate(AlarmNamePrefix=f"{PIPELINE}-"):
        yield from page["MetricAlarms"]


def _is_ours(alarm: MetricAlarmTypeDef) -> bool:
    """Return whether an alarm watches this pipeline: another's name may begin the same."""
    # Metric-math alarms have no Namespace or Dimensions.
    values = {dimension["Value"] for dimension in alarm.get("Dimensions", ())}
    resources = {PIPE, STREAM, DELIVERY, FUNCTION, DEAD_LETTERS}
    return alarm.get("Namespace") == PIPELINE or bool(values & resources)


CHECKS = (
    Check("table", "01_dynamodb", check_table),
    Check("pipe", "07_pipe", check_pipe),
    Check("Kinesis", "02_kinesis", check_kinesis),
    Check("Firehose", "06_firehose", check_firehose),
    Check("function", "05_lambda", check_function),
    Check("dead letters", "07_pipe", check_dead_letters),
    Check("error objects", "03_s3", check_error_objects),
    Check("catalog", "10_glue", check_catalog),
    Check("last crawl", "10_glue", check_crawler),
    Check("Athena", "11_athena", check_athena),
    Check("alarms", "09_alarms", check_alarms),
)
