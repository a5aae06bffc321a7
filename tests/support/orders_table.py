"""A table of orders with a stream on the laptop, and what tests ask of it."""

from typing import Any

from hypothesis import strategies as st

from local.core.server import Cloud

HOUR = 3600
STREAMED = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
scalars = st.one_of(
    st.text(max_size=5).map(lambda text: {"S": text}),
    st.integers(-99, 99).map(lambda number: {"N": str(number)}),
    st.binary(max_size=5).map(lambda content: {"B": content}),
    st.sets(st.text(max_size=3), min_size=1, max_size=3).map(lambda texts: {"SS": list(texts)}),
    st.sets(st.binary(max_size=3), min_size=1, max_size=3).map(lambda each: {"BS": list(each)}),
    st.sampled_from([{"BOOL": True}, {"BOOL": False}, {"NULL": True}]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: {"L": each})
        | st.dictionaries(st.sampled_from("aNS"), inner, max_size=3).map(lambda each: {"M": each})
    ),
    max_leaves=5,
)
items = st.dictionaries(st.sampled_from(["a", "N", "NS", "total"]), values, max_size=3)


class Orders:
    """A table with a stream, and what a test asks of them."""

    def __init__(self, cloud: Cloud, name: str, **given: Any) -> None:
        self.table = cloud.client("dynamodb")
        self.streams = cloud.client("dynamodbstreams")
        self.name = name
        self.table.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            StreamSpecification=given.get("stream", STREAMED),
        )
        self.arn = self.stream_arn()

    def stream_arn(self) -> str:
        return self.table.describe_table(TableName=self.name)["Table"]["LatestStreamArn"]

    def put(self, key: str = "one", **attributes: Any) -> None:
        self.table.put_item(TableName=self.name, Item={"id": {"S": key}, **attributes})

    def get(self, key: str = "one") -> dict[str, Any]:
        answer = self.table.get_item(TableName=self.name, Key={"id": {"S": key}})
        return answer.get("Item", {})

    def delete(self, key: str = "one") -> None:
        self.table.delete_item(TableName=self.name, Key={"id": {"S": key}})

    def batch(self, *writes: tuple[str, dict[str, Any] | None]) -> None:
        """Put items by their keys in one call, and delete those that are None."""
        requests = [
            {"DeleteRequest": {"Key": {"id": {"S": key}}}}
            if attributes is None
            else {"PutRequest": {"Item": {"id": {"S": key}, **attributes}}}
            for key, attributes in writes
        ]
        self.table.batch_write_item(RequestItems={self.name: requests})

    def update(self, expression: str, key: str = "one", **values: Any) -> None:
        self.table.update_item(
            TableName=self.name,
            Key={"id": {"S": key}},
            UpdateExpression=expression,
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )

    def enable(self, on: bool) -> None:
        wanted = STREAMED if on else {"StreamEnabled": False}
        self.table.update_table(TableName=self.name, StreamSpecification=wanted)

    def stream(self, arn: str = "") -> dict[str, Any]:
        return self.streams.describe_stream(StreamArn=arn or self.arn)["StreamDescription"]

    def iterator(self, kind: str = "TRIM_HORIZON", shard: int = 0, **given: str) -> str:
        shard_id = self.stream()["Shards"][shard]["ShardId"]
        answer = self.streams.get_shard_iterator(
            StreamArn=self.arn, ShardId=shard_id, ShardIteratorType=kind, **given
        )
        return answer["ShardIterator"]

    def page(self, iterator: str, **given: Any) -> dict[str, Any]:
        return self.streams.get_records(ShardIterator=iterator, **given)

    def records(self) -> list[dict[str, Any]]:
        shards = range(len(self.stream()["Shards"]))
        return [
            each for shard in shards for each in self.page(self.iterator(shard=shard))["Records"]
        ]

    def names(self) -> list[str]:
        return [record["eventName"] for record in self.records()]


def same(left: Any, right: Any) -> bool:
    """Compare items; the elements of a set have no order."""
    return bool(_ordered(left) == _ordered(right))


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _of(name, each) for name, each in value.items()}
    return [_ordered(each) for each in value] if isinstance(value, list) else value


def _of(name: str, value: Any) -> Any:
    is_set = name in ("SS", "BS") and isinstance(value, list)
    return sorted(value) if is_set else _ordered(value)
