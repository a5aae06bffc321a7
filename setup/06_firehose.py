"""Create the Firehose stream: changes from Kinesis, made rows by the function, filed by day."""

from typing import Any

import boto3
from delivery import destination, source
from finding import agrees, existing
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
from needs import needed, needed_role, needed_stream
from script import run
from waiting import Refusal, accepted, wait_until


def create() -> str:
    """Create the Firehose stream or change where it writes, and say so once it is active."""
    firehose = boto3.client("firehose")
    check_needs()
    keep_log(DELIVERY_LOGS, DELIVERY_LOG_STREAM)  # Firehose itself creates neither.
    if not existing(firehose.describe_delivery_stream, DeliveryStreamName=DELIVERY):
        new = {
            "DeliveryStreamName": DELIVERY,
            "DeliveryStreamType": "KinesisStreamAsSource",
            "KinesisStreamSourceConfiguration": source(place()),
            "ExtendedS3DestinationConfiguration": destination(place()),
            "Tags": TAG_LIST,
        }
        accepted(lambda: firehose.create_delivery_stream(**new))
    update(firehose, active(firehose))
    return f"Firehose stream {DELIVERY} delivers to s3://{bucket()}/{LAKE}"


def check_needs() -> None:
    """Refuse while something that Firehose needs is missing."""
    needed_stream()
    needed_role("firehose")
    needed(f"bucket {bucket()}", "03_s3", boto3.client("s3").head_bucket, Bucket=bucket())
    get_function = boto3.client("lambda").get_function
    needed(f"function {FUNCTION}", "05_lambda", get_function, FunctionName=FUNCTION)


def active(firehose: Any) -> dict[str, Any]:
    """Return the Firehose stream's description once it is active."""

    def found() -> dict[str, Any]:
        described = firehose.describe_delivery_stream(DeliveryStreamName=DELIVERY)
        return described["DeliveryStreamDescription"]

    def state() -> str:
        failed = found().get("FailureDescription", {}).get("Details", "")
        return f"{found()['DeliveryStreamStatus']}: {failed}"

    wait_until(f"Firehose stream {DELIVERY}", state, "ACTIVE")
    return found()


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
            f"delete-delivery-stream --delivery-stream-name {DELIVERY}, this script and 08"
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
