"""The parts of the pipeline, each asked how it is: a question, and what the answer means."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
from botocore.exceptions import ClientError

from operations.status import stream_lag as delay
from operations.status.check_result import Sign
from operations.status.metrics import AGE, FRESHNESS, PIPE_FAILED, PIPE_TAKEN, RECENT, measured
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

MISSING = (
    "ResourceNotFoundException",
    "NotFoundException",
    "EntityNotFoundException",
    "NoSuchBucket",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
)
LATE = {AGE: timedelta(minutes=5), FRESHNESS: timedelta(minutes=15)}  # as the alarms have it
REPLAY = "python -m operations.replay"
LOG = f"its log says why: aws logs tail {DELIVERY_LOGS} --since 1h"
CRAWL, ATHENA = "python setup/10_glue.py --crawl", "python setup/11_athena.py"
BUSY = ("CREATING", "UPDATING", "STARTING", "STOPPING", "Pending", "InProgress")
MANY = 100_000  # error objects; more are not counted


@dataclass(frozen=True, slots=True)
class Check:
    """A part, the script that makes it, and the question that is put to it."""

    part: str
    script: str
    ask: Callable[[], Sign]

    def sign(self) -> Sign:
        """Return what the part says, or that it is missing, or that it could not be asked."""
        try:
            return self.ask()
        except ClientError as error:
            told = error.response["Error"]
            if _is_missing(told["Code"], told.get("Message", "")):
                return Sign(self.part, "missing", True, f"python setup/{self.script}.py")
            why = " ".join(told.get("Message", "").split())[:200]
            text = f"could not be asked: {error.operation_name}: {told['Code']}: {why}"
            return Sign(self.part, text, None)


def _is_missing(code: str, message: str) -> bool:
    return code in MISSING or (code == "InvalidRequestException" and "not found" in message)


def table() -> Sign:
    """Return whether the table tells its changes."""
    found = boto3.client("dynamodb").describe_table(TableName=TABLE)["Table"]
    if not found.get("StreamSpecification", {}).get("StreamEnabled"):
        return Sign("table", f"{TABLE} has no stream", True, "python setup/01_dynamodb.py")
    return Sign("table", f"{TABLE} tells its changes")


def pipe() -> Sign:
    """Return whether the pipe runs, from the table's own stream."""
    found = boto3.client("pipes").describe_pipe(Name=PIPE)
    # A pipe that is well has a reason too: somebody started it.
    state, why = found["CurrentState"], found.get("StateReason", "").removeprefix("USER_INITIATED")
    says = f"{state}: {why}" if why else state
    if state in BUSY:
        return Sign("pipe", says, None, "ask again in a minute")
    if state != "RUNNING":
        script = "07_pipe" if state.startswith(("CREATE", "UPDATE")) else "08_start_pipe"
        return Sign("pipe", says, True, f"python setup/{script}.py")
    if why:
        return Sign("pipe", says, True, "python setup --check")
    if found["Source"] != _source():
        says = f"reads {found['Source']}, which is not the table's stream any more"
        return Sign("pipe", says, True, "python setup/07_pipe.py says how to make it anew")
    return _moving()


def _moving() -> Sign:
    """Return whether a pipe that runs delivers: AWS does not check that its role may."""
    counts = measured(boto3.client("cloudwatch"), (PIPE_TAKEN, PIPE_FAILED), RECENT)
    taken, failed = (int(counts[metric] or 0) for metric in (PIPE_TAKEN, PIPE_FAILED))
    if failed and not taken:
        says = f"RUNNING, but all its {failed} last executions failed"
        return Sign("pipe", says, True, "python setup/04_iam.py and python setup/02_kinesis.py")
    return Sign("pipe", "RUNNING")


def _source() -> str | None:
    """Return the table's own stream; None without a stream, or without a table."""
    dynamodb = boto3.client("dynamodb")
    try:
        return dynamodb.describe_table(TableName=TABLE)["Table"].get("LatestStreamArn")
    except dynamodb.exceptions.ResourceNotFoundException:
        return None


def kinesis() -> Sign:
    """Return whether Kinesis works, how changes come to it, and how far behind Firehose is."""
    client = boto3.client("kinesis")
    described = client.describe_stream_summary(StreamName=STREAM)
    status = described["StreamDescriptionSummary"]["StreamStatus"]
    if status not in ("ACTIVE", "UPDATING"):
        return Sign("Kinesis", status, None, "ask again in a minute")
    age = timedelta(milliseconds=_recent(AGE))
    says = f"{status}; {_latest(client)}; Firehose is {age.total_seconds():.0f} s behind"
    return Sign("Kinesis", says, age > LATE[AGE], LOG)


def _latest(kinesis: Any) -> str:
    if (found := delay.latest(kinesis, STREAM)) is None:
        return "no change came in the last hour"
    seconds, age = found
    return f"a change of {age:.0f} s ago came {seconds:.0f} s after it was made"


def firehose() -> Sign:
    """Return whether Firehose works, and how old the rows are that it still holds."""
    described = boto3.client("firehose").describe_delivery_stream(DeliveryStreamName=DELIVERY)
    stream = described["DeliveryStreamDescription"]
    status = stream["DeliveryStreamStatus"]
    if status != "ACTIVE":
        why = stream.get("FailureDescription", {}).get("Details", "")
        says = f"{status}: {why}" if why else status
        is_wrong = None if status in BUSY else True
        return Sign("Firehose", says, is_wrong, "python setup/06_firehose.py")
    age = timedelta(seconds=_recent(FRESHNESS))
    says = f"{status}; rows reach S3 after {age.total_seconds():.0f} s"
    return Sign("Firehose", says, age > LATE[FRESHNESS], LOG)


def _recent(metric: Any) -> float:
    return measured(boto3.client("cloudwatch"), [metric], RECENT)[metric] or 0.0


def function() -> Sign:
    """Return whether the function can be called."""
    found = boto3.client("lambda").get_function_configuration(FunctionName=FUNCTION)
    state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
    if "Failed" in (state, update):
        why = found.get("StateReason") or found.get("LastUpdateStatusReason") or "no reason given"
        return Sign("function", f"failed: {why}", True, "python setup/05_lambda.py")
    return Sign("function", f"{state}, code {found['CodeSha256'][:8]}")


def dead_letters() -> Sign:
    """Return how many batches the pipe gave up on."""
    sqs = boto3.client("sqs")
    url = sqs.get_queue_url(QueueName=DEAD_LETTERS)["QueueUrl"]
    names = [f"ApproximateNumberOfMessages{which}" for which in ("", "NotVisible", "Delayed")]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    count = sum(map(int, found.values()))
    says = f"{count} batches that the pipe gave up on" if count else "none"
    return Sign("dead letters", says, count > 0, f"{REPLAY} (within 24 h of the change)")


def error_objects() -> Sign:
    """Return how many objects of failed records lie in the lake's bucket, and the oldest."""
    count, oldest = 0, datetime.now(timezone.utc)
    for at in _error_times():
        count, oldest = count + 1, min(oldest, at)
        if count == MANY:
            break
    if not count:
        return Sign("error objects", "none")
    says = (
        f"{count}{' or more' if count == MANY else ''}, the oldest of {oldest:%Y-%m-%d %H:%M} UTC"
    )
    return Sign("error objects", says, True, f"{REPLAY} --dry-run says why; then {REPLAY}")


def _error_times() -> Iterator[datetime]:
    pages = boto3.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket(), Prefix=ERRORS):
        yield from (each["LastModified"] for each in page.get("Contents", ()) if each["Size"])


def catalog() -> Sign:
    """Return whether Athena's table is there."""
    found = boto3.client("glue").get_table(DatabaseName=DATABASE, Name=CHANGES)["Table"]
    columns = len(found["StorageDescriptor"]["Columns"])
    return Sign("catalog", f"table {DATABASE}.{CHANGES} has {columns} columns")


def crawler() -> Sign:
    """Return how the last crawl went."""
    last = boto3.client("glue").get_crawler(Name=CRAWLER)["Crawler"].get("LastCrawl")
    if not last:
        return Sign("last crawl", "none yet: python setup/10_glue.py --crawl adds new columns")
    says = f"{last['Status']} at {last['StartTime']:%Y-%m-%d %H:%M}"
    why = last.get("ErrorMessage", "")
    is_wrong = last["Status"] == "FAILED"
    return Sign("last crawl", f"{says}: {why}" if why else says, is_wrong, CRAWL)


def athena() -> Sign:
    """Return whether questions can be asked."""
    found = boto3.client("athena").get_work_group(WorkGroup=WORKGROUP)["WorkGroup"]
    is_wrong = found["State"] != "ENABLED"
    return Sign("Athena", f"workgroup {WORKGROUP} is {found['State']}", is_wrong, ATHENA)


def alarms() -> Sign:
    """Return which of the pipeline's alarms ring."""
    found = [alarm for alarm in _alarms() if _is_ours(alarm)]
    if not found:
        return Sign("alarms", "missing", True, "python setup/09_alarms.py")
    ringing = [alarm for alarm in found if alarm["StateValue"] == "ALARM"]
    if not ringing:
        return Sign("alarms", f"none of {len(found)} rings")
    says = "; ".join(f"{each['AlarmName']}: {each.get('StateReason', '')}" for each in ringing)
    return Sign("alarms", says, True, "mend what stands here; each ends five minutes after that")


def _alarms() -> Iterator[dict[str, Any]]:
    pages = boto3.client("cloudwatch").get_paginator("describe_alarms")
    for page in pages.paginate(AlarmNamePrefix=f"{PIPELINE}-"):
        yield from page["MetricAlarms"]


def _is_ours(alarm: dict[str, Any]) -> bool:
    """Return whether an alarm is this pipeline's, and not of one whose name begins the same."""
    # One of a metric that is computed from others has neither.
    of = {dimension["Value"] for dimension in alarm.get("Dimensions", ())}
    return alarm.get("Namespace") == PIPELINE or bool(
        of & {PIPE, STREAM, DELIVERY, FUNCTION, DEAD_LETTERS}
    )


# In the order in which a change meets them.
CHECKS = (
    Check("table", "01_dynamodb", table),
    Check("pipe", "07_pipe", pipe),
    Check("Kinesis", "02_kinesis", kinesis),
    Check("Firehose", "06_firehose", firehose),
    Check("function", "05_lambda", function),
    Check("dead letters", "07_pipe", dead_letters),
    Check("error objects", "03_s3", error_objects),
    Check("catalog", "10_glue", catalog),
    Check("last crawl", "10_glue", crawler),
    Check("Athena", "11_athena", athena),
    Check("alarms", "09_alarms", alarms),
)
