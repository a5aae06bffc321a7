"""Problems of an idle chain, read from the API that an operator would use."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from local.services.iam import Iam
from terminal.text import count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_sqs.client import SQSClient

    from local.core.server import Cloud


def find_problems(cloud: Cloud) -> list[str]:
    """Return a sentence for each denied call, stopped pipe, dead-letter queue and error code."""
    return [
        *cloud.service(Iam).denials(),
        *_pipe_problems(cloud),
        *_delivery_problems(cloud),
    ]


def _pipe_problems(cloud: Cloud) -> Iterator[str]:
    pipes, sqs = cloud.client("pipes"), cloud.client("sqs")
    for summary in pipes.list_pipes()["Pipes"]:
        pipe = pipes.describe_pipe(Name=summary["Name"])
        if pipe["CurrentState"] != "RUNNING":
            reason = pipe.get("StateReason", "it was never started")
            yield f"pipe {pipe['Name']} is {pipe['CurrentState']}: {reason}"
        stream = pipe["SourceParameters"]["DynamoDBStreamParameters"]
        if queue_arn := stream.get("DeadLetterConfig", {}).get("Arn"):
            letters = _message_count(sqs, queue_arn.rpartition(":")[2])
            if letters:
                batches = count(letters, "batch", "batches")
                yield f"pipe {pipe['Name']} gave up on {batches}: see its dead letters"


def _message_count(sqs: SQSClient, queue: str) -> int:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    response = sqs.get_queue_attributes(
        QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return int(response["Attributes"]["ApproximateNumberOfMessages"])


def _delivery_problems(cloud: Cloud) -> Iterator[str]:
    for bucket, prefix in error_stores(cloud):
        documents = error_documents(cloud, bucket, prefix)
        reasons = Counter(
            (document["errorCode"], document["errorMessage"]) for document in documents
        )
        for (code, message), occurrences in reasons.items():
            records = count(occurrences, "failed record")
            yield f"{records} in s3://{bucket}/{prefix}: {code}: {message}"


def error_stores(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """Yield the bucket and prefix where each delivery stream stores failed records."""
    firehose = cloud.client("firehose")
    for name in firehose.list_delivery_streams()["DeliveryStreamNames"]:
        stream = firehose.describe_delivery_stream(DeliveryStreamName=name)
        destination = stream["DeliveryStreamDescription"]["Destinations"][0]
        s3_destination = destination["ExtendedS3DestinationDescription"]
        prefix = s3_destination.get("ErrorOutputPrefix", "").partition("!{")[0]
        yield s3_destination["BucketARN"].rpartition(":")[2], prefix


def error_documents(cloud: Cloud, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield Firehose's document about each record in an error store."""
    s3 = cloud.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            text = gzip.decompress(body) if entry["Key"].endswith(".gz") else body
            yield from map(json.loads, text.splitlines())
