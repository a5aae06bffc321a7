"""Sabotages of a lake that stands on a laptop chain, and what verify says of each."""

import gzip
import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from local.core.server import Cloud
from local.demo import run_script
from operations.verify import __main__ as verify
from operations.verify.diff import KINDS
from setup import names
from tests.support.laptop_cloud import aws
from transform import canonical

NUMBERS = count()
Row = dict[str, Any]
Document = dict[str, Any]


def put(order: str, status: str, **more: Any) -> None:
    """Put an order into the table."""
    item = {"order_id": {"S": order}, "status": {"S": status}, "total": {"N": "19.9"}, **more}
    aws("dynamodb").put_item(TableName=names.TABLE, Item=item)


def remove(order: str) -> None:
    """Delete an order from the table."""
    aws("dynamodb").delete_item(TableName=names.TABLE, Key={"order_id": {"S": order}})


def key(order: str) -> str:
    """Return the key of an order as the lake writes it."""
    return canonical({"order_id": {"S": order}})


def new_orders(chain: Cloud) -> list[str]:
    """Write four orders that had three images each."""
    mine = [f"SO-{next(NUMBERS):03}" for _ in range(4)]
    for status in ("placed", "paid", "shipped"):
        for order in mine:
            put(order, status)
    chain.run_until_idle()
    return mine


def verified(*options: str) -> tuple[int, Document]:
    """Return the exit status of verify, and its document."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "verdict.json")
        status = verify.main([*options, "--json", str(file)])
        return status, json.loads(file.read_text())


def faults(document: Document) -> dict[str, list[str]]:
    """Return the keys of each kind of fault."""
    return {kind: document[kind] for kind in KINDS if document[kind]}


def gap_keys() -> set[str]:
    """Return the keys in whose history the lake has a gap."""
    return {gap["key"] for gap in verified("--gaps")[1]["gaps"]}


def objects() -> dict[str, list[Row]]:
    """Return the rows of every object of the lake, in the order of their arrival."""
    bucket, s3 = names.bucket(), aws("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=names.LAKE)["Contents"]
    listed.sort(key=lambda entry: entry["LastModified"])
    bodies = {
        entry["Key"]: s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"] for entry in listed
    }
    return {
        name: [json.loads(line) for line in gzip.decompress(body.read()).splitlines()]
        for name, body in bodies.items()
    }


def write(name: str, rows: Sequence[Row]) -> None:
    """Let an object of the lake consist of these rows."""
    body = gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode())
    aws("s3").put_object(Bucket=names.bucket(), Key=name, Body=body)


def edit(edited: Callable[[Row], Row | None]) -> None:
    """Let every row of the lake be what this makes of it; None drops it."""
    for name, rows in objects().items():
        new = [row for row in map(edited, rows) if row is not None]
        if new != rows:
            write(name, new)


def is_last_of(row: Row, order: str) -> bool:
    """Return whether a row tells an order's last image."""
    return row["cdc_key"] == key(order) and '"shipped"' in (row["cdc_new_image"] or "")


def is_removal_of(row: Row, order: str) -> bool:
    """Return whether a row tells that an order was removed."""
    return row["cdc_key"] == key(order) and row["cdc_operation"] == "REMOVE"


def delete_an_object(cloud: Cloud, orders: list[str]) -> dict[str, list[str]]:
    put(orders[1], "delivered")
    remove(orders[2])
    before = objects()
    cloud.run_until_idle()
    (name,) = objects().keys() - before.keys()
    aws("s3").delete_object(Bucket=names.bucket(), Key=name)
    return {"extra": [key(orders[2])], "different": [key(orders[1])]}


def alter_a_digit(cloud: Cloud, orders: list[str]) -> dict[str, list[str]]:
    def altered(row: Row) -> Row:
        image = row["cdc_new_image"]
        is_meant = is_last_of(row, orders[1])
        return {**row, "cdc_new_image": image.replace("19.9", "19.8")} if is_meant else row

    edit(altered)
    return {"different": [key(orders[1])]}


def drop_a_change(cloud: Cloud, orders: list[str]) -> dict[str, list[str]]:
    edit(lambda row: None if is_last_of(row, orders[2]) else row)
    return {"different": [key(orders[2])]}


def drop_a_removal(cloud: Cloud, orders: list[str]) -> dict[str, list[str]]:
    remove(orders[0])
    cloud.run_until_idle()
    edit(lambda row: None if is_removal_of(row, orders[0]) else row)
    return {"extra": [key(orders[0])]}


def drop_a_whole_life(cloud: Cloud, orders: list[str]) -> dict[str, list[str]]:
    edit(lambda row: None if row["cdc_key"] == key(orders[3]) else row)
    return {"missing": [key(orders[3])]}


def overwrite_with_an_older_change(cloud: Cloud, orders: list[str]) -> dict[str, list[str]]:
    rows = [row for rows in objects().values() for row in rows if row["cdc_key"] == key(orders[0])]
    older = min(rows, key=lambda row: row["cdc_sequence"])
    edit(lambda row: older if is_last_of(row, orders[0]) else row)
    return {"different": [key(orders[0])]}


def switch_the_stream_off_and_on(cloud: Cloud, orders: list[str]) -> dict[str, list[str]]:
    switch({"StreamEnabled": False})
    put(orders[0], "returned")
    remove(orders[1])
    put(f"{orders[2]}-new", "placed")
    switch({"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"})
    aws("pipes").delete_pipe(Name=names.PIPE)
    run_script(cloud, "setup/07_pipe.py")
    run_script(cloud, "setup/08_start_pipe.py")
    put(orders[3], "delivered")
    return {
        "missing": [key(f"{orders[2]}-new")],
        "extra": [key(orders[1])],
        "different": [key(orders[0])],
    }


def switch(specification: dict[str, Any]) -> None:
    """Switch the table's stream on or off."""
    aws("dynamodb").update_table(TableName=names.TABLE, StreamSpecification=specification)


SABOTAGES = (
    delete_an_object,
    alter_a_digit,
    drop_a_change,
    drop_a_removal,
    drop_a_whole_life,
    overwrite_with_an_older_change,
)
