"""A table of orders with a stream on the laptop cloud, and strategies for its items."""

from typing import Any

from hypothesis import strategies as st

from local.core.server import Cloud
from tests.support.laptop_cloud import create_table

HOUR = 3600
STREAM = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
scalars = st.one_of(
    st.text(max_size=5).map(lambda text: {"S": text}),
    st.integers(-99, 99).map(lambda number: {"N": str(number)}),
    st.binary(max_size=5).map(lambda content: {"B": content}),
    st.sets(st.text(max_size=3), min_size=1, max_size=3).map(lambda texts: {"SS": list(texts)}),
    st.sets(st.binary(max_size=3), min_size=1, max_size=3).map(lambda blobs: {"BS": list(blobs)}),
    st.sampled_from([{"BOOL": True}, {"BOOL": False}, {"NULL": True}]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda elements: {"L": elements})
        | st.dictionaries(st.sampled_from("aNS"), inner, max_size=3).map(
            lambda members: {"M": members}
        )
    ),
    max_leaves=5,
)
items = st.dictionaries(st.sampled_from(["a", "N", "NS", "total"]), values, max_size=3)


class Orders:
    """A table with a stream, and short forms of the calls that tests make on them."""

    def __init__(self, cloud: Cloud, name: str, stream: dict[str, Any] = STREAM) -> None:
        # Untyped: the tests send what the stubs do not allow.
        self.table: Any = cloud.client("dynamodb")
        self.streams: Any = cloud.client("dynamodbstreams")
        self.name = name
        create_table(self.table, name, {"id": "S"}, StreamSpecification=stream)
        self.arn = self.stream_arn()

    def stream_arn(self) -> str:
        arn: str = self.table.describe_table(TableName=self.name)["Table"]["LatestStreamArn"]
        return arn

    def put(self, key: str = "one", **attributes: Any) -> None:
        self.table.put_item(TableName=self.name, Item={"id": {"S": key}, **attributes})

    def get(self, key: str = "one") -> dict[str, Any]:
        response = self.table.get_item(TableName=self.name, Key={"id": {"S": key}})
        item: dict[str, Any] = response.get("Item", {})
        return item

    def delete(self, key: str = "one") -> None:
        self.table.delete_item(TableName=self.name, Key={"id": {"S": key}})

    def write_batch(self, *writes: tuple[str, dict[str, Any] | None]) -> None:
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

    def enable_ttl(self, attribute: str = "expires_at") -> None:
        specification = {"Enabled": True, "AttributeName": attribute}
        self.table.update_time_to_live(TableName=self.name, TimeToLiveSpecification=specification)

    def enable_stream(self) -> None:
        self.table.update_table(TableName=self.name, StreamSpecification=STREAM)

    def disable_stream(self) -> None:
        self.table.update_table(TableName=self.name, StreamSpecification={"StreamEnabled": False})

    def describe_stream(self, arn: str = "") -> dict[str, Any]:
        response = self.streams.describe_stream(StreamArn=arn or self.arn)
        description: dict[str, Any] = response["StreamDescription"]
        return description

    def iterator(self, iterator_type: str = "TRIM_HORIZON", shard: int = 0, **params: str) -> str:
        shard_id = self.describe_stream()["Shards"][shard]["ShardId"]
        response = self.streams.get_shard_iterator(
            StreamArn=self.arn, ShardId=shard_id, ShardIteratorType=iterator_type, **params
        )
        iterator: str = response["ShardIterator"]
        return iterator

    def page(self, iterator: str, **params: Any) -> dict[str, Any]:
        page: dict[str, Any] = self.streams.get_records(ShardIterator=iterator, **params)
        return page

    def records(self) -> list[dict[str, Any]]:
        shard_count = len(self.describe_stream()["Shards"])
        return [
            record
            for shard in range(shard_count)
            for record in self.page(self.iterator(shard=shard))["Records"]
        ]

    def event_names(self) -> list[str]:
        return [record["eventName"] for record in self.records()]


def are_equal_items(first: Any, second: Any) -> bool:
    """Compare items, ignoring the order of the elements of sets."""
    return bool(_sort_sets(first) == _sort_sets(second))


def _sort_sets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sort_member(name, member) for name, member in value.items()}
    return [_sort_sets(element) for element in value] if isinstance(value, list) else value


def _sort_member(name: str, member: Any) -> Any:
    is_set = name in ("SS", "BS") and isinstance(member, list)
    return sorted(member) if is_set else _sort_sets(member)
