"""A table and a lake that a test fills at will, and what verify says of them."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import boto3
from hypothesis import Phase
from hypothesis import strategies as st

import transform
from local.core.server import Cloud
from local.services.athena import Athena
from local.services.dynamodb.service import DynamoDb
from operations.table import Table
from operations.verify import __main__ as verify
from operations.verify.compare import verdict
from operations.verify.diff import digest
from operations.verify.result import Verdict
from setup import names
from tests.campaign.chain import remembered
from tests.support.laptop_cloud import laptop
from transform import state

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-23T10:00:00.000"
LATER = STREAM.replace("10:00", "12:00")
QUICKLY = (Phase.explicit, Phase.reuse, Phase.generate)  # To shrink a failure takes minutes here.
BATCH = 25  # items, of which DynamoDB takes no more at once
COLUMNS = [f"cdc_{name}" for name in state.Row.__dataclass_fields__]
Item = dict[str, Any]


def order(number: int, **attributes: Any) -> Item:
    """Return an order as DynamoDB types it."""
    return {"order_id": {"S": f"SO-{number}"}, **attributes}


def key(number: int) -> str:
    """Return the key of that order as the lake writes it."""
    return f'{{"order_id":{{"S":"SO-{number}"}}}}'


def stream_row(
    old: Item | None, new: Item | None, sequence: int, source: str = STREAM
) -> dict[str, Any]:
    """Return the row that the transform makes of a change."""
    keys = {"order_id": (new or old or {})["order_id"]}
    images = {"OldImage": old, "NewImage": new}
    operation = "MODIFY" if old and new else "INSERT" if new else "REMOVE"
    return row_of(
        {
            "eventID": digest(f"{keys} {source} {sequence}")[:32],
            "eventName": operation,
            "eventSourceARN": source,
            "dynamodb": {
                "Keys": keys,
                **{name: image for name, image in images.items() if image is not None},
                "SequenceNumber": f"{sequence:021}",
                "StreamViewType": "NEW_AND_OLD_IMAGES",
                "ApproximateCreationDateTime": 1795428930,
            },
        }
    )


def snapshot_row(item: Item, sequence: int = 0, source: str = STREAM) -> dict[str, Any]:
    """Return the row of a snapshot at a place in the order of a stream."""
    return row_of(
        {
            "eventName": "SNAPSHOT",
            "eventSourceARN": source,
            "snapshotAt": "2026-11-23 10:20:00.000001",
            "dynamodb": {
                "Keys": {"order_id": item["order_id"]},
                "NewImage": item,
                "SequenceNumber": f"{sequence:040}",
            },
        }
    )


def row_of(record: dict[str, Any]) -> dict[str, Any]:
    """Return the transform's row for a record."""
    text = base64.b64encode(json.dumps(record).encode()).decode()
    [result] = transform.transform_batch({"records": [{"recordId": "1", "data": text}]}).records
    assert result["result"] == "Ok", record
    return json.loads(base64.b64decode(result["data"]))


def history(*images: Item | None, start: int = 1, source: str = STREAM) -> list[dict[str, Any]]:
    """Return the rows of one item's life, from image to image."""
    steps = enumerate(zip((None, *images), images, strict=False), start)
    return [stream_row(old, new, sequence, source) for sequence, (old, new) in steps if old != new]


class World:
    """A table and a lake on the laptop cloud, each of which can be filled at will."""

    def __init__(self, cloud: Cloud) -> None:
        self.dynamodb, self.s3 = cloud.client("dynamodb"), cloud.client("s3")
        self.s3.create_bucket(Bucket=names.bucket())
        self.create_table(names.TABLE, {"order_id": "S"})
        self.create_lake(cloud.client("glue"))
        configuration = {"OutputLocation": f"s3://{names.bucket()}/{names.QUERIES}"}
        cloud.client("athena").create_work_group(
            Name=names.WORKGROUP, Configuration={"ResultConfiguration": configuration}
        )
        self.table = Table.described(self.dynamodb, names.TABLE)

    def create_table(self, name: str, key_types: dict[str, str]) -> None:
        """Create an empty table with those key attributes."""
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": attribute, "KeyType": role}
                for attribute, role in zip(key_types, ("HASH", "RANGE"), strict=False)
            ],
            AttributeDefinitions=[
                {"AttributeName": attribute, "AttributeType": tag}
                for attribute, tag in key_types.items()
            ],
        )

    def create_lake(self, glue: Any) -> None:
        """Create the lake's table in the catalog."""
        lake = f"s3://{names.bucket()}/{names.LAKE}"
        for database in (names.DATABASE, "empty"):
            glue.create_database(DatabaseInput={"Name": database})
        glue.create_table(
            DatabaseName=names.DATABASE,
            TableInput={
                "Name": names.CHANGES,
                "TableType": "EXTERNAL_TABLE",
                "PartitionKeys": [{"Name": "dt", "Type": "string"}],
                "Parameters": {
                    "projection.enabled": "true",
                    "projection.dt.type": "date",
                    "projection.dt.format": "yyyy-MM-dd",
                    "projection.dt.range": "2026-11-01,NOW+1DAY",
                    "storage.location.template": f"{lake}dt=${{dt}}/",
                },
                "StorageDescriptor": {
                    "Columns": [{"Name": name, "Type": "string"} for name in COLUMNS],
                    "Location": lake,
                    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
                    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
                    "SerdeInfo": {
                        "SerializationLibrary": "org.apache.hive.hcatalog.data.JsonSerDe"
                    },
                },
            },
        )

    def hold(self, *items: Item) -> None:
        """Let the table hold exactly these items."""
        keys = [{"order_id": item["order_id"]} for item in items]
        pages = self.dynamodb.get_paginator("scan").paginate(
            TableName=names.TABLE, ProjectionExpression="order_id"
        )
        writes: list[Item] = [
            {"DeleteRequest": {"Key": key}}
            for page in pages
            for key in page["Items"]
            if key not in keys
        ]
        writes += [{"PutRequest": {"Item": item}} for item in items]
        for first in range(0, len(writes), BATCH):
            batch = {names.TABLE: writes[first : first + BATCH]}
            self.dynamodb.batch_write_item(RequestItems=batch)

    def put(self, item: Item) -> None:
        """Put an item into the table."""
        self.dynamodb.put_item(TableName=names.TABLE, Item=item)

    def remove(self, item: Item) -> None:
        """Delete an item from the table."""
        self.dynamodb.delete_item(TableName=names.TABLE, Key={"order_id": item["order_id"]})

    def tell(self, *objects: list[dict[str, Any]]) -> None:
        """Let the lake consist of exactly these objects of rows."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=names.bucket()):
            if old := [{"Key": entry["Key"]} for entry in page.get("Contents", ())]:
                self.s3.delete_objects(Bucket=names.bucket(), Delete={"Objects": old})
        for number, rows in enumerate(objects):
            self.tell_also(f"object-{number}.json", rows)

    def tell_also(self, name: str, rows: list[dict[str, Any]]) -> None:
        """Put one more object of rows into the lake."""
        body = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        path = f"{names.LAKE}dt=2026-11-23/{name}"
        self.s3.put_object(Bucket=names.bucket(), Key=path, Body=body)

    def verdict(self, meanwhile: Callable[[], None] = lambda: None) -> Verdict:
        """Return what verify finds when that happens between its two looks."""
        return verdict(self.table, (), None, lambda doubts: meanwhile())


@contextmanager
def a_world() -> Iterator[World]:
    """Yield a world on a cloud of its own, for which each client is made once."""
    with laptop(DynamoDb, Athena) as cloud, patch.object(boto3, "client", remembered(boto3.client)):
        yield World(cloud)


def found(verdict: Verdict) -> dict[str, list[str]]:
    """Return the keys of each kind of fault that was found."""
    return {kind: keys for kind, keys in verdict.keys.items() if keys}


PAID = {"status": {"S": "paid"}, "total": {"N": "19.9"}}
SHIPPED = {**PAID, "status": {"S": "shipped"}}
IMAGES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(["placed", "paid", "shipped"]).map(lambda text: {"S": text}),
        "total": st.decimals(0, 99, places=2).map(lambda number: {"N": str(number)}),
        "coupon": st.text(max_size=3).map(lambda text: {"S": text}),
        "tags": st.sets(st.text(max_size=2), min_size=1, max_size=3).map(
            lambda texts: {"SS": sorted(texts)}
        ),
        "customer": st.text(max_size=2).map(lambda text: {"M": {"name": {"S": text}}}),
    },
)
LIVES = st.lists(st.lists(st.none() | IMAGES, max_size=4), max_size=9)


def lived(lives: list[list[Item | None]], source: str = STREAM) -> list[list[dict[str, Any]]]:
    """Return the rows of each life, of one order each."""
    return [
        history(
            *(None if image is None else order(number, **image) for image in life), source=source
        )
        for number, life in enumerate(lives)
    ]


def snapshots(rows: list[dict[str, Any]], data: st.DataObject) -> list[dict[str, Any]]:
    """Return snapshots, true ones and others, that take the places of some of the rows."""
    return [
        {
            **row,
            "cdc_operation": "SNAPSHOT",
            "cdc_snapshot_at": f"2026-11-23 10:20:0{data.draw(st.integers(0, 9))}.000000",
            "cdc_event_id": digest(f"snapshot {at}")[:32],
            "cdc_new_image": data.draw(
                st.sampled_from(
                    [each["cdc_new_image"] for each in rows if each["cdc_key"] == row["cdc_key"]]
                )
            ),
        }
        for at, row in enumerate([*rows, *rows])
        if data.draw(st.booleans())
    ]


def run(*arguments: str) -> int:
    """Return the exit status of verify, run in this process."""
    return verify.main(["--wait", "0", *arguments] if "--wait" not in arguments else arguments)
