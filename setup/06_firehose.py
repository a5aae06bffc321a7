"""Create the Firehose stream: changes from Kinesis, made rows by the function, filed by day."""

from typing import Any

import boto3
from delivery import destination, source
from finding import agrees, delivery_state, needed, needed_role, needed_stream
from logs import keep_log
from names import (
    DELIVERY,
    DELIVERY_LOG_STREAM,
    DELIVERY_LOGS,
    FUNCTION,
    LAKE,
    TAG_LIST,
    bucket,
    place,
)
from script import run
from waiting import Refusal, accepted, wait_until


def create() -> str:
    """Create the Firehose stream or change where it writes, and say so once it is active."""
    firehose = boto3.client("firehose")
    check_needs()
    keep_log(DELIVERY_LOGS, DELIVERY_LOG_STREAM)  # Firehose itself creates neither.
    if delivery_state(firehose).startswith(("missing", "CREATING_FAILED")):
        accepted(lambda: create_delivery(firehose))
    update(firehose, active(firehose))
    return f"Firehose stream {DELIVERY} delivers to s3://{bucket()}/{LAKE}"


def create_delivery(firehose: Any) -> None:
    """Create the stream; one that AWS could not make holds nothing, but its name, until deleted."""
    if delivery_state(firehose) != "missing":
        firehose.delete_delivery_stream(DeliveryStreamName=DELIVERY)
        removal = f"removal of the failed Firehose stream {DELIVERY}"
        wait_until(removal, lambda: delivery_state(firehose), "missing")
    firehose.create_delivery_stream(
        DeliveryStreamName=DELIVERY,
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration=source(place()),
        ExtendedS3DestinationConfiguration=destination(place()),
        Tags=TAG_LIST,
    )


def check_needs() -> None:
    """Refuse while something that Firehose needs is missing."""
    needed_stream()
    needed_role("firehose")
    needed(f"bucket {bucket()}", "03_s3", boto3.client("s3").head_bucket, Bucket=bucket())
    get_function = boto3.client("lambda").get_function
    needed(f"function {FUNCTION}", "05_lambda", get_function, FunctionName=FUNCTION)


def active(firehose: Any) -> dict[str, Any]:
    """Return the Firehose stream's description once it is active."""
    wait_until(f"Firehose stream {DELIVERY}", lambda: delivery_state(firehose), "ACTIVE")
    found = firehose.describe_delivery_stream(DeliveryStreamName=DELIVERY)
    return found["DeliveryStreamDescription"]


def update(firehose: Any, found: dict[str, Any]) -> None:
    """Change what may be changed; refuse where only a new Firehose stream would do."""
    wanted, now = destination(place()), found["Destinations"][0]
    written = now["ExtendedS3DestinationDescription"]
    fixed = {"DynamicPartitioningConfiguration": {"Enabled": True}}
    read = {"Source": {"KinesisStreamSourceDescription": source(place())}}
    if not (agrees(fixed, written) and agrees(read, found)):
        raise Refusal(
            f"Firehose stream {DELIVERY} reads another stream or files rows differently, which "
            f"cannot be changed: stop the pipe, wait two minutes, then run aws firehose "
            f"delete-delivery-stream --delivery-stream-name {DELIVERY}, python "
            f"setup/06_firehose.py and python setup/08_start_pipe.py"
        )
    if not agrees(wanted, written):
        firehose.update_destination(
            DeliveryStreamName=DELIVERY,
            CurrentDeliveryStreamVersionId=found["VersionId"],
            DestinationId=now["DestinationId"],
            ExtendedS3DestinationUpdate=wanted,
        )


if __name__ == "__main__":
    run(create, __doc__)
