"""A table, a Kinesis stream, a queue and a pipe between them on the laptop cloud."""

import json
from collections.abc import Iterator
from typing import Any

from local.core.hop_counts import HopCount
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import Cloud
from local.services.iam.service import Iam
from local.services.kinesis.service import Kinesis
from local.services.pipes.service import NAMESPACE, Pipes
from tests.support.iam_roles import allow, grant, make_role
from tests.support.laptop_cloud import create_table, empty_account, metric_sum

ACCOUNT = "123456789012"
REGION = "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/mover"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
TARGET = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/changes"
PERMISSIONS = (
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
    "kinesis:PutRecords",
    "sqs:SendMessage",
)
STREAM_ENABLED = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
PIPE_DEFAULTS = {
    "BatchSize": 10,
    "MaximumRetryAttempts": 3,
    "MaximumRecordAgeInSeconds": 6 * 3600,
    "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
    "DeadLetterConfig": {"Arn": QUEUE},
}
MINUTE = 60
HOUR = 60 * MINUTE

PutFailure = str | list[bool]
"""How a PutRecords call fails: its error code, or for each record whether it is rejected."""


class FlakyKinesis(Kinesis):
    """A Kinesis whose next PutRecords calls fail as `failures` say, one for each call."""

    failures: Iterator[PutFailure] = iter(())

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        failure = next(self.failures, []) if request.operation == "PutRecords" else []
        if isinstance(failure, str):
            raise AwsError(failure, "injected by the test")
        if not any(failure):
            return super().handle(request)
        return self._reject_some(request, failure)

    def _reject_some(self, request: ApiRequest, failure: list[bool]) -> ApiResponse:
        records = request.params["Records"]
        padding = [False] * max(0, len(records) - len(failure))
        is_rejected = [*failure, *padding][: len(records)]
        accepted_records = [
            record for record, rejected in zip(records, is_rejected, strict=True) if not rejected
        ]
        if accepted_records:
            body = json.dumps({**request.params, "Records": accepted_records}).encode()
            assert self.cloud.forward_to_moto(request, body).status == 200
        error = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "…"}
        success = {"SequenceNumber": "1", "ShardId": "s"}
        results = [error if rejected else success for rejected in is_rejected]
        return json_response({"FailedRecordCount": sum(is_rejected), "Records": results})


class PipeEnvironment:
    """A table, a stream, a queue and a role; `create_pipe` puts a pipe between them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.pipes = cloud.client("pipes")
        self.table = cloud.client("dynamodb")
        self.streams = cloud.client("dynamodbstreams")
        self.kinesis = cloud.client("kinesis")
        self.sqs = cloud.client("sqs")
        create_table(self.table, "orders", {"id": "S"}, StreamSpecification=STREAM_ENABLED)
        self.kinesis.create_stream(StreamName="changes", ShardCount=1)
        self.sqs.create_queue(QueueName="dead")
        table = self.table.describe_table(TableName="orders")["Table"]
        self.stream_arn: str = table["LatestStreamArn"]
        make_role("mover", "pipes", allow(" ".join(PERMISSIONS), "*"))

    def allow_only(self, *actions: str) -> None:
        grant("mover", allow(" ".join(actions), "*"))

    def pipe_params(self, key: str = "$.eventID", **stream_params: Any) -> dict[str, Any]:
        """Return the parameters of CreatePipe; a stream parameter that is None is omitted."""
        stream = {"StartingPosition": "TRIM_HORIZON", **PIPE_DEFAULTS, **stream_params}
        stream = {name: value for name, value in stream.items() if value is not None}
        return {
            "Name": "mover",
            "RoleArn": ROLE,
            "Source": self.stream_arn,
            "SourceParameters": {"DynamoDBStreamParameters": stream},
            "Target": TARGET,
            "TargetParameters": {"KinesisStreamParameters": {"PartitionKey": key}},
        }

    def create_pipe(self, key: str = "$.eventID", **stream_params: Any) -> dict[str, Any]:
        self.pipes.create_pipe(**self.pipe_params(key, **stream_params))
        return self.describe_pipe()

    def describe_pipe(self) -> dict[str, Any]:
        description: dict[str, Any] = self.pipes.describe_pipe(Name="mover")
        return description

    def fail_puts(self, *failures: PutFailure) -> None:
        self.cloud.service(FlakyKinesis).failures = iter(failures)

    def put_items(self, *keys: object, **attributes: Any) -> None:
        for key in keys:
            item = {"id": {"S": str(key)}, **attributes}
            self.table.put_item(TableName="orders", Item=item)

    def put_numbered_items(self, count: int) -> None:
        for start in range(0, count, 25):
            keys = range(start, min(start + 25, count))
            requests = [{"PutRequest": {"Item": {"id": {"S": str(key)}}}} for key in keys]
            self.table.batch_write_item(RequestItems={"orders": requests})

    def delivered_changes(self) -> list[dict[str, Any]]:
        return [json.loads(record["Data"]) for record in self.delivered_records()]

    def delivered_records(self) -> list[dict[str, Any]]:
        (shard,) = self.kinesis.list_shards(StreamName="changes")["Shards"]
        iterator = self.kinesis.get_shard_iterator(
            StreamName="changes", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        page = self.kinesis.get_records(ShardIterator=iterator["ShardIterator"])
        records: list[dict[str, Any]] = page["Records"]
        return records

    def delivered_keys(self) -> list[str]:
        return [change["dynamodb"]["Keys"]["id"]["S"] for change in self.delivered_changes()]

    def dead_letters(self) -> list[dict[str, Any]]:
        url = self.sqs.get_queue_url(QueueName="dead")["QueueUrl"]
        receive = {"QueueUrl": url, "MaxNumberOfMessages": 10}
        letters: list[dict[str, Any]] = []
        while messages := self.sqs.receive_message(**receive).get("Messages"):
            letters += [json.loads(message["Body"]) for message in messages]
        return letters

    def dead_letter_keys(self) -> list[str]:
        """Return the keys of the changes that the dead letters refer to, from the stream."""
        keys: list[str] = []
        for letter in self.dead_letters():
            batch = letter["DDBStreamBatchInfo"]
            iterator = self.streams.get_shard_iterator(
                StreamArn=batch["streamArn"],
                ShardId=batch["shardId"],
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=batch["startSequenceNumber"],
            )
            page = self.streams.get_records(ShardIterator=iterator["ShardIterator"])
            changes = [record["dynamodb"] for record in page["Records"]]
            keys += [
                change["Keys"]["id"]["S"]
                for change in changes
                if int(change["SequenceNumber"]) <= int(batch["endSequenceNumber"])
            ]
        return keys

    def hop_count(self) -> HopCount:
        count: HopCount = self.cloud.service(Pipes).counts()[0]
        return count

    def metric(self, name: str) -> float:
        return metric_sum(NAMESPACE, name, PipeName="mover")


def new_environment(cloud: Cloud) -> PipeEnvironment:
    """Empty the cloud, and return an environment in which nothing has happened."""
    empty_account()
    cloud.service(Iam).record_change()
    pipes = cloud.client("pipes")
    for pipe in pipes.list_pipes()["Pipes"]:
        pipes.delete_pipe(Name=pipe["Name"])
    cloud.service(FlakyKinesis).failures = iter(())
    return PipeEnvironment(cloud)
