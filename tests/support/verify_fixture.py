"""Verify environment: a table and a lake that a test fills, and the result of verify on them."""

import base64
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from hypothesis import Phase
from hypothesis import strategies as st

import transform
from local.core.server import Cloud
from local.services.athena import Athena
from local.services.dynamodb.service import DynamoDb
from operations.digest import digest
from operations.table import Table
from operations.verify import command
from operations.verify.compare import Comparison
from operations.verify.part import Part
from operations.verify.result import VerifyResult
from setup import names
from setup.lib.lake_identity import ensure_lake_id
from tests.support.laptop_cloud import create_table, laptop
from transform import state
from transform.state import BACKFILL_SEQUENCE

STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-23T10:00:00.000"
# The stream of a table that was restored under a name that sorts earlier.
LATER_STREAM = STREAM.replace("table/t/", "table/a/").replace("10:00", "12:00")
# Shrinking a failure takes minutes here.
PHASES_WITHOUT_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)
BATCH_SIZE = 25  # BatchWriteItem's limit
COLUMNS = [
    *(f"cdc_{name}" for name in state.Row.__dataclass_fields__),
    "cdc_expired",
    *("order_id", "status", "total", "coupon", "tags", "customer__name"),
]
Item = dict[str, Any]
LakeColumns = dict[str, Any]


def order_item(number: int, **attributes: Any) -> Item:
    """Return an order as typed attributes."""
    return {"order_id": {"S": f"SO-{number}"}, **attributes}


def order_key(number: int) -> str:
    """Return the canonical key of an order."""
    return f'{{"order_id":{{"S":"SO-{number}"}}}}'


def stream_row(
    old: Item | None, new: Item | None, sequence: int, source: str = STREAM
) -> LakeColumns:
    """Return the transform's row for a change."""
    keys = {"order_id": (new or old or {})["order_id"]}
    images = {"OldImage": old, "NewImage": new}
    if old is None:
        operation = "INSERT"
    elif new is None:
        operation = "REMOVE"
    else:
        operation = "MODIFY"
    return row_from_record(
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


def snapshot_row(item: Item, sequence: int = 0, source: str = STREAM) -> LakeColumns:
    """Return the row of a snapshot with the rank of a sequence number."""
    return row_from_record(
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


def row_from_record(record: dict[str, Any]) -> LakeColumns:
    """Return the transform's row for a record."""
    text = base64.b64encode(json.dumps(record).encode()).decode()
    event = {"records": [{"recordId": "1", "data": text}]}
    [result] = transform.transform_batch(event, names.JSON_PATHS).records
    assert result["result"] == "Ok", record
    row: LakeColumns = json.loads(base64.b64decode(result["data"]))
    return row


def history_rows(*images: Item | None, start: int = 1, source: str = STREAM) -> list[LakeColumns]:
    """Return the rows of one item's changes, from image to image."""
    changes = enumerate(zip((None, *images), images, strict=False), start)
    return [
        stream_row(old, new, sequence, source) for sequence, (old, new) in changes if old != new
    ]


class VerifyEnvironment:
    """A table and a lake on the laptop cloud, filled independently of each other."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.dynamodb = cloud.client("dynamodb")
        self.s3 = cloud.client("s3")
        self.s3.create_bucket(Bucket=names.bucket())
        ensure_lake_id()
        create_table(self.dynamodb, names.TABLE, {"order_id": "S"})
        self.create_lake(cloud.client("glue"))
        configuration = {"OutputLocation": f"s3://{names.bucket()}/{names.QUERIES}"}
        cloud.client("athena").create_work_group(
            Name=names.WORKGROUP, Configuration={"ResultConfiguration": configuration}
        )
        self.table = Table.describe(self.dynamodb, names.TABLE)

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

    def set_table_items(self, *items: Item) -> None:
        """Replace the table's items."""
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
        for start in range(0, len(writes), BATCH_SIZE):
            batch = {names.TABLE: writes[start : start + BATCH_SIZE]}
            self.dynamodb.batch_write_item(RequestItems=batch)

    def put_item(self, item: Item) -> None:
        """Put an item into the table."""
        self.dynamodb.put_item(TableName=names.TABLE, Item=item)

    def delete_item(self, item: Item) -> None:
        """Delete an item from the table."""
        self.dynamodb.delete_item(TableName=names.TABLE, Key={"order_id": item["order_id"]})

    def set_lake_objects(self, *objects: list[LakeColumns]) -> None:
        """Replace the lake's objects by these lists of rows."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=names.bucket(), Prefix=names.LAKE
        ):
            if old_keys := [{"Key": entry["Key"]} for entry in page.get("Contents", ())]:
                self.s3.delete_objects(Bucket=names.bucket(), Delete={"Objects": old_keys})
        for number, rows in enumerate(objects):
            self.add_lake_object(f"object-{number}.json", rows)

    def add_lake_object(self, name: str, rows: list[LakeColumns]) -> None:
        """Add an object of rows to the lake."""
        body = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        path = f"{names.LAKE}dt=2026-11-23/{name}"
        self.s3.put_object(Bucket=names.bucket(), Key=path, Body=body)

    def compare(
        self,
        during_wait: Callable[[], None] | None = None,
        scope: Collection[str] | Part = (),
        limit: int | None = None,
    ) -> VerifyResult:
        """Compare table and lake; `during_wait` is called before each further look."""

        def wait(key_count: int) -> None:
            if during_wait:
                during_wait()

        return Comparison(self.table, wait, limit).run(scope)


def declare_columns(attributes: dict[str, str]) -> None:
    """Replace the attribute columns that the catalog declares, given with their types."""
    glue = boto3.client("glue")
    table = glue.get_table(DatabaseName=names.DATABASE, Name=names.CHANGES)["Table"]
    descriptor = table["StorageDescriptor"]
    columns = [column for column in descriptor["Columns"] if column["Name"].startswith("cdc_")]
    columns += [{"Name": name, "Type": data_type} for name, data_type in attributes.items()]
    glue.update_table(
        DatabaseName=names.DATABASE,
        TableInput={
            "Name": names.CHANGES,
            "TableType": table["TableType"],
            "PartitionKeys": table["PartitionKeys"],
            "Parameters": table["Parameters"],
            "StorageDescriptor": {**descriptor, "Columns": columns},
        },
    )


@contextmanager
def verify_env() -> Iterator[VerifyEnvironment]:
    """Yield an environment on its own cloud, with one client per service."""
    with laptop(DynamoDb, Athena) as cloud:
        yield VerifyEnvironment(cloud)


def create_delivery_stream(interval: int = 300) -> None:
    """Create a Firehose stream, which delivers nothing; it buffers for an interval in seconds."""
    boto3.client("firehose").create_delivery_stream(
        DeliveryStreamName=names.DELIVERY,
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/r",
            "BucketARN": f"arn:aws:s3:::{names.bucket()}",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": interval},
        },
    )


def keys_by_kind(result: VerifyResult) -> dict[str, list[str]]:
    """Return the wrong keys of each kind that has any."""
    return {kind: keys for kind, keys in result.keys.items() if keys}


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
HISTORIES = st.lists(st.lists(st.none() | IMAGES, max_size=4), max_size=9)


def rows_of_histories(
    histories: list[list[Item | None]], source: str = STREAM
) -> list[list[LakeColumns]]:
    """Return the rows of each history, of one order each."""
    rows = []
    for number, images in enumerate(histories):
        items = [None if image is None else order_item(number, **image) for image in images]
        rows.append(history_rows(*items, source=source))
    return rows


def draw_snapshots(rows: list[LakeColumns], data: st.DataObject) -> list[LakeColumns]:
    """Return snapshots with the ranks of some of the rows, and any image of the same key."""
    snapshots = []
    for number, row in enumerate([*rows, *rows]):
        if data.draw(st.booleans()):
            images = [
                other["cdc_new_image"] for other in rows if other["cdc_key"] == row["cdc_key"]
            ]
            second = data.draw(st.integers(0, 9))
            snapshot = {
                "cdc_operation": "SNAPSHOT",
                "cdc_snapshot_at": f"2026-11-23 10:20:0{second}.000000",
                "cdc_event_id": digest(f"snapshot {number}")[:32],
            }
            if data.draw(st.integers(0, 3)) == 0:
                snapshot["cdc_sequence"] = BACKFILL_SEQUENCE
            image = data.draw(st.sampled_from(images))
            snapshots.append(with_new_image(row | snapshot, image))
    return snapshots


def draw_altered_copies(rows: list[LakeColumns], data: st.DataObject) -> list[LakeColumns]:
    """Return copies of some of the rows that differ from them in their images."""
    images = [None, *(row["cdc_new_image"] for row in rows)]
    return [
        with_new_image(row, data.draw(st.sampled_from(images)))
        for row in rows
        if data.draw(st.integers(0, 5)) == 0
    ]


def with_new_image(row: LakeColumns, image: str | None) -> LakeColumns:
    """Return a row with another new image, and the columns of that image."""
    cdc_columns = {name: value for name, value in row.items() if name.startswith("cdc_")}
    attributes = transform.flattened(json.loads(image)) if image else {}
    return {**cdc_columns, "cdc_new_image": image, **attributes}


def run_verify(*arguments: str) -> int:
    """Run verify in this process, by default without a wait, and return its exit status."""
    wait = () if "--wait" in arguments else ("--wait", "0")
    return command.main([*wait, *arguments])
