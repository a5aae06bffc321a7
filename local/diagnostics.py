"""What is wrong with a chain at rest, read from the same API that an operator would ask."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

from local.core.server import Cloud
from local.services.iam import Iam


def find_problems(cloud: Cloud) -> list[str]:
    """Return a sentence for each right that a role lacks, each pipe that stands, each dead letter
    queue and each error code.
    """
    return [
        *cloud.service(Iam).denials(),
        *_pipe_troubles(cloud),
        *_delivery_troubles(cloud),
    ]


def _pipe_troubles(cloud: Cloud) -> Iterator[str]:
    pipes, sqs = cloud.client("pipes"), cloud.client("sqs")
    for summary in pipes.list_pipes()["Pipes"]:
        pipe = pipes.describe_pipe(Name=summary["Name"])
        if pipe["CurrentState"] != "RUNNING":
            reason = pipe.get("StateReason", "nobody started it")
            yield f"pipe {pipe['Name']} is {pipe['CurrentState']}: {reason}"
        stream = pipe["SourceParameters"]["DynamoDBStreamParameters"]
        if queue_arn := stream.get("DeadLetterConfig", {}).get("Arn"):
            waiting = _waiting(sqs, queue_arn.rpartition(":")[2])
            if waiting:
                yield f"pipe {pipe['Name']} gave up on {waiting} batches: see their dead letters"


def _waiting(sqs: Any, queue: str) -> int:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(answer["Attributes"]["ApproximateNumberOfMessages"])


def _delivery_troubles(cloud: Cloud) -> Iterator[str]:
    for bucket, prefix in error_stores(cloud):
        found: dict[tuple[str, str], int] = {}
        for document in error_documents(cloud, bucket, prefix):
            reason = (document["errorCode"], document["errorMessage"])
            found[reason] = found.get(reason, 0) + 1
        for (code, message), count in found.items():
            yield f"{count} records lie in s3://{bucket}/{prefix}: {code}: {message}"


def error_stores(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """Yield bucket and prefix of where each delivery stream keeps what it could not deliver."""
    firehose = cloud.client("firehose")
    for name in firehose.list_delivery_streams()["DeliveryStreamNames"]:
        stream = firehose.describe_delivery_stream(DeliveryStreamName=name)
        destination = stream["DeliveryStreamDescription"]["Destinations"][0]
        target = destination["ExtendedS3DestinationDescription"]
        prefix = target.get("ErrorOutputPrefix", "").partition("!{")[0]
        yield target["BucketARN"].rpartition(":")[2], prefix


def error_documents(cloud: Cloud, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Yield what Firehose wrote of each record in an error store."""
    s3 = cloud.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for entry in page.get("Contents", ()):
            body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
            text = gzip.decompress(body) if entry["Key"].endswith(".gz") else body
            yield from map(json.loads, text.splitlines())
