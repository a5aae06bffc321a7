"""Sabotage of a lake on a laptop chain: each function damages it, and returns the wrong keys."""

import gzip
import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from local.core.server import Cloud
from operations.verify import command
from operations.verify.diff import KINDS
from setup import names
from tests.support.laptop_cloud import aws
from tests.support.whole_chain import run_setup
from transform import canonical

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import StreamSpecificationTypeDef

ORDER_NUMBERS = count()
LakeColumns = dict[str, Any]
Document = dict[str, Any]
KeysByKind = dict[str, list[str]]


def put_order(order_id: str, status: str, **attributes: Any) -> None:
    """Put an order into the table."""
    item = {"order_id": {"S": order_id}, "status": {"S": status}, "total": {"N": "19.9"}}
    aws("dynamodb").put_item(TableName=names.TABLE, Item=item | attributes)


def delete_order(order_id: str) -> None:
    """Delete an order from the table."""
    aws("dynamodb").delete_item(TableName=names.TABLE, Key={"order_id": {"S": order_id}})


def order_key(order_id: str) -> str:
    """Return the canonical key of an order."""
    return canonical({"order_id": {"S": order_id}})


def create_orders(cloud: Cloud) -> list[str]:
    """Write four new orders, each with three images, and return their ids."""
    order_ids = [f"SO-{next(ORDER_NUMBERS):03}" for _ in range(4)]
    for status in ("placed", "paid", "shipped"):
        for order_id in order_ids:
            put_order(order_id, status)
    cloud.run_until_idle()
    return order_ids


def run_verify(*options: str) -> tuple[int, Document]:
    """Run verify, and return its exit status and its JSON document."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "result.json")
        status = command.main([*options, "--json", str(path)])
        return status, json.loads(path.read_text())


def keys_by_kind(document: Document) -> KeysByKind:
    """Return the wrong keys of each kind that has any."""
    return {kind: document[kind] for kind in KINDS if document[kind]}


def gap_keys() -> set[str]:
    """Return the keys in whose history the lake has a gap."""
    return {gap["key"] for gap in run_verify("--gaps")[1]["gaps"]}


def read_lake() -> dict[str, list[LakeColumns]]:
    """Return the rows of every object of the lake, the oldest object first."""
    s3 = aws("s3")
    entries = s3.list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE)["Contents"]
    rows_by_object = {}
    for entry in sorted(entries, key=lambda entry: entry["LastModified"]):
        body = s3.get_object(Bucket=names.bucket(), Key=entry["Key"])["Body"].read()
        lines = gzip.decompress(body).splitlines()
        rows_by_object[entry["Key"]] = [json.loads(line) for line in lines]
    return rows_by_object


def write_object(object_key: str, rows: Sequence[LakeColumns]) -> None:
    """Write an object of the lake that consists of these rows."""
    body = gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode())
    aws("s3").put_object(Bucket=names.bucket(), Key=object_key, Body=body)


def edit_rows(edit: Callable[[LakeColumns], LakeColumns | None]) -> None:
    """Replace every row of the lake by the result of `edit`; None drops it."""
    for object_key, rows in read_lake().items():
        edited = [row for row in map(edit, rows) if row is not None]
        if edited != rows:
            write_object(object_key, edited)


def has_last_image(row: LakeColumns, order_id: str) -> bool:
    """Return whether a row has the last image of an order."""
    is_shipped = '"shipped"' in (row["cdc_new_image"] or "")
    return is_shipped and row["cdc_key"] == order_key(order_id)


def is_removal(row: LakeColumns, order_id: str) -> bool:
    """Return whether a row is the removal of an order."""
    return (row["cdc_key"], row["cdc_operation"]) == (order_key(order_id), "REMOVE")


def delete_object(cloud: Cloud, orders: list[str]) -> KeysByKind:
    put_order(orders[1], "delivered")
    delete_order(orders[2])
    before = read_lake()
    cloud.run_until_idle()
    (new_object,) = read_lake().keys() - before.keys()
    aws("s3").delete_object(Bucket=names.bucket(), Key=new_object)
    return {"extra": [order_key(orders[2])], "different": [order_key(orders[1])]}


def alter_digit(cloud: Cloud, orders: list[str]) -> KeysByKind:
    def edit(row: LakeColumns) -> LakeColumns:
        if not has_last_image(row, orders[1]):
            return row
        return {**row, "cdc_new_image": row["cdc_new_image"].replace("19.9", "19.8")}

    edit_rows(edit)
    return {"different": [order_key(orders[1])]}


def drop_change(cloud: Cloud, orders: list[str]) -> KeysByKind:
    edit_rows(lambda row: None if has_last_image(row, orders[2]) else row)
    return {"different": [order_key(orders[2])]}


def drop_removal(cloud: Cloud, orders: list[str]) -> KeysByKind:
    delete_order(orders[0])
    cloud.run_until_idle()
    edit_rows(lambda row: None if is_removal(row, orders[0]) else row)
    return {"extra": [order_key(orders[0])]}


def drop_history(cloud: Cloud, orders: list[str]) -> KeysByKind:
    edit_rows(lambda row: None if row["cdc_key"] == order_key(orders[3]) else row)
    return {"missing": [order_key(orders[3])]}


def overwrite_with_older_row(cloud: Cloud, orders: list[str]) -> KeysByKind:
    key = order_key(orders[0])
    rows = [row for rows in read_lake().values() for row in rows if row["cdc_key"] == key]
    oldest = min(rows, key=lambda row: row["cdc_sequence"])
    edit_rows(lambda row: oldest if has_last_image(row, orders[0]) else row)
    return {"different": [key]}


def drop_attributes(cloud: Cloud, orders: list[str]) -> KeysByKind:
    """Reduce a row to its `cdc_…` columns, as release 0.1.0 did with a row that was too large."""

    def edit(row: LakeColumns) -> LakeColumns:
        if not has_last_image(row, orders[2]):
            return row
        return {name: value for name, value in row.items() if name.startswith("cdc_")}

    edit_rows(edit)
    return {"columns": [order_key(orders[2])]}


def alter_column(cloud: Cloud, orders: list[str]) -> KeysByKind:
    edit_rows(lambda row: {**row, "total": "99"} if has_last_image(row, orders[1]) else row)
    return {"columns": [order_key(orders[1])]}


def recreate_stream(cloud: Cloud, orders: list[str]) -> KeysByKind:
    """Change orders while the table has no stream."""
    _set_stream({"StreamEnabled": False})
    put_order(orders[0], "returned")
    delete_order(orders[1])
    put_order(f"{orders[2]}-new", "placed")
    _set_stream({"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    aws("pipes").delete_pipe(Name=names.PIPE)
    run_setup("07_pipe", "08_start_pipe")
    put_order(orders[3], "delivered")
    return {
        "missing": [order_key(f"{orders[2]}-new")],
        "extra": [order_key(orders[1])],
        "different": [order_key(orders[0])],
    }


def _set_stream(specification: "StreamSpecificationTypeDef") -> None:
    aws("dynamodb").update_table(TableName=names.TABLE, StreamSpecification=specification)


SABOTAGES = (
    delete_object,
    alter_digit,
    drop_change,
    drop_removal,
    drop_history,
    overwrite_with_older_row,
    drop_attributes,
    alter_column,
)
