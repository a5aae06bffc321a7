"""A table, a stream, a queue and a pipe between them, on the laptop, and what tests ask of it."""

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
from tests.support.laptop_cloud import empty_account, metric_sum

ACCOUNT, REGION = "123456789012", "us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/mover"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"
TARGET = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/changes"
READING = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
ACTIONS = (*(f"dynamodb:{name}" for name in READING), "kinesis:PutRecords", "sqs:SendMessage")
STREAMED = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
CAREFUL = {
    "BatchSize": 10,
    "MaximumRetryAttempts": 3,
    "MaximumRecordAgeInSeconds": 6 * 3600,
    "OnPartialBatchItemFailure": "AUTOMATIC_BISECT",
    "DeadLetterConfig": {"Arn": QUEUE},
}
MINUTE, HOUR = 60, 3600


class Moody(Kinesis):
    """A Kinesis that fails by a script: of each put, whether a record fails, or the whole call."""

    moods: Iterator[str | list[bool]] = iter(())

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        mood = next(self.moods, []) if request.operation == "PutRecords" else []
        if isinstance(mood, str):
            raise AwsError(mood, "as the test wants it")
        if not any(mood):
            return super().handle(request)
        records = request.params["Records"]
        fails = [*mood, *[False] * len(records)][: len(records)]
        taken = [each for each, fail in zip(records, fails, strict=True) if not fail]
        if taken:
            body = json.dumps({**request.params, "Records": taken}).encode()
            assert self.cloud.forward_to_moto(request, body).status == 200
        failure = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "…"}
        put = {"SequenceNumber": "1", "ShardId": "s"}
        results = [failure if fail else put for fail in fails]
        return json_response({"FailedRecordCount": sum(fails), "Records": results})


class Plumbing:
    """A table, a stream, a queue and a role, and a pipe between them when it is made."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.pipes = cloud.client("pipes")
        self.table = cloud.client("dynamodb")
        self.streams = cloud.client("dynamodbstreams")
        self.kinesis = cloud.client("kinesis")
        self.sqs = cloud.client("sqs")
        self.table.create_table(
            TableName="orders",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            StreamSpecification=STREAMED,
        )
        self.kinesis.create_stream(StreamName="changes", ShardCount=1)
        self.sqs.create_queue(QueueName="dead")
        self.source = self.stream_arn()
        make_role("mover", "pipes", allow(" ".join(ACTIONS), "*"))

    def permit(self, *actions: str) -> None:
        grant("mover", allow(" ".join(actions), "*"))

    def stream_arn(self) -> str:
        return self.table.describe_table(TableName="orders")["Table"]["LatestStreamArn"]

    def parameters(self, key: str = "$.eventID", **given: Any) -> dict[str, Any]:
        source = {"StartingPosition": "TRIM_HORIZON", **CAREFUL, **given}
        kept = {name: value for name, value in source.items() if value is not None}
        return {
            "Name": "mover",
            "RoleArn": ROLE,
            "Source": self.source,
            "SourceParameters": {"DynamoDBStreamParameters": kept},
            "Target": TARGET,
            "TargetParameters": {"KinesisStreamParameters": {"PartitionKey": key}},
        }

    def make_pipe(self, key: str = "$.eventID", **given: Any) -> dict[str, Any]:
        self.pipes.create_pipe(**self.parameters(key, **given))
        return self.pipe()

    def pipe(self) -> dict[str, Any]:
        return self.pipes.describe_pipe(Name="mover")

    def moods(self, *moods: str | list[bool]) -> None:
        self.cloud.service(Moody).moods = iter(moods)

    def put(self, *keys: object, **attributes: Any) -> None:
        for key in keys:
            item = {"id": {"S": str(key)}, **attributes}
            self.table.put_item(TableName="orders", Item=item)

    def put_many(self, count: int) -> None:
        for start in range(0, count, 25):
            keys = range(start, min(start + 25, count))
            puts = [{"PutRequest": {"Item": {"id": {"S": str(key)}}}} for key in keys]
            self.table.batch_write_item(RequestItems={"orders": puts})

    def arrived(self) -> list[dict[str, Any]]:
        return [json.loads(each["Data"]) for each in self.arrivals()]

    def arrivals(self) -> list[dict[str, Any]]:
        (shard,) = self.kinesis.list_shards(StreamName="changes")["Shards"]
        start = self.kinesis.get_shard_iterator(
            StreamName="changes", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        return self.kinesis.get_records(ShardIterator=start["ShardIterator"])["Records"]

    def keys(self) -> list[str]:
        return [each["dynamodb"]["Keys"]["id"]["S"] for each in self.arrived()]

    def dead_letters(self) -> list[dict[str, Any]]:
        url = self.sqs.get_queue_url(QueueName="dead")["QueueUrl"]
        found: list[dict[str, Any]] = []
        while page := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [json.loads(each["Body"]) for each in page]
        return found

    def dead_keys(self) -> list[str]:
        """Return the keys of the changes to which the dead letters point, read from the stream."""
        keys = []
        for letter in self.dead_letters():
            place = letter["DDBStreamBatchInfo"]
            start = self.streams.get_shard_iterator(
                StreamArn=place["streamArn"],
                ShardId=place["shardId"],
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=place["startSequenceNumber"],
            )
            records = self.streams.get_records(ShardIterator=start["ShardIterator"])["Records"]
            for record in records:
                change = record["dynamodb"]
                if int(change["SequenceNumber"]) <= int(place["endSequenceNumber"]):
                    keys.append(change["Keys"]["id"]["S"])
        return keys

    def count(self) -> HopCount:
        return self.cloud.service(Pipes).counts()[0]

    def metric(self, name: str) -> float:
        return metric_sum(NAMESPACE, name, PipeName="mover")


def fresh(running: Cloud) -> Plumbing:
    """Return plumbing through which nothing has come yet."""
    empty_account()
    running.service(Iam).record_change()
    pipes = running.client("pipes")
    for pipe in pipes.list_pipes()["Pipes"]:
        pipes.delete_pipe(Name=pipe["Name"])
    running.service(Moody).moods = iter(())
    return Plumbing(running)
