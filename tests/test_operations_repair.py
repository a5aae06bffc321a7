"""verify --repair: each sabotage of the lake is found, key by key, and mended; nothing else is."""

import gzip
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cloud import Cloud
from local.demo import run
from local.parts import PARTS
from operations import verify
from operations.lake import Held
from operations.table import Table
from operations.verifying.difference import KINDS
from operations.verifying.repair import Unmendable, mending_record
from operations.verifying.verdict import Finding
from setup import names
from tests.laptop import aws, laptop
from transform import canonical, change
from transform.state import rank

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
PAST, PRESENT = f"{ARN}/stream/2026-11-23T10:00:00.000", f"{ARN}/stream/2026-11-24T10:00:00.000"
TABLE = Table(None, "t", {"order_id": "S"}, ARN, PRESENT, 0)

NUMBERS = count()

Row = dict[str, Any]
Document = dict[str, Any]


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the real scripts have built the chain; time flies for verify."""
    with laptop(*PARTS) as cloud, patch.object(verify, "sleep", lambda _: cloud.settle()):
        run(cloud, "setup")
        yield cloud


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


@pytest.fixture
def orders(chain: Cloud) -> list[str]:
    """Four orders of this test's own that had three images each."""
    return new_orders(chain)


def new_orders(chain: Cloud) -> list[str]:
    """Write four orders that had three images each."""
    mine = [f"SO-{next(NUMBERS):03}" for _ in range(4)]
    for status in ("placed", "paid", "shipped"):
        for order in mine:
            put(order, status)
    chain.settle()
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
    cloud.settle()
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
    cloud.settle()
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
    run(cloud, "setup/07_pipe.py")
    run(cloud, "setup/08_start_pipe.py")
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


def test_each_sabotage_is_named_by_its_keys_and_mended(chain: Cloud) -> None:
    expected: dict[str, list[str]] = {}
    lives = [new_orders(chain) for _ in SABOTAGES]
    for sabotage, orders in zip(SABOTAGES, lives, strict=True):
        for kind, keys in sabotage(chain, orders).items():
            expected[kind] = sorted([*expected.get(kind, []), *keys])
    assert_found_and_mended(expected)
    for order in (order for orders in lives for order in orders):
        put(order, "after the repair")
    chain.settle()
    assert verified()[0] == 0


def test_what_happened_while_the_stream_was_off_is_named_and_mended(
    chain: Cloud, orders: list[str]
) -> None:
    before = gap_keys()
    assert_found_and_mended(switch_the_stream_off_and_on(chain, orders))
    put(orders[0], "delivered")
    chain.settle()
    assert gap_keys() - before == {key(orders[0])}


def assert_found_and_mended(expected: dict[str, list[str]]) -> None:
    """Verify, mend and verify again."""
    status, found = verified()
    assert (status, faults(found)) == (1, expected)
    status, mended = verified("--repair")
    assert (status, faults(mended), mended["equal"]) == (0, {}, True)
    repair = mended["repair"]
    assert repair["items"] == sorted([*expected["different"], *expected["missing"]])
    assert repair["tombstones"] == expected["extra"]
    assert verified()[0] == 0


def test_a_key_is_mended_again_and_again(chain: Cloud, orders: list[str]) -> None:
    for _ in range(2):
        edit(lambda row: spoiled(row) if row["cdc_key"] == key(orders[0]) else row)
        assert verified("--repair")[1]["repair"]["items"] == [key(orders[0])]


def spoiled(row: Row) -> Row:
    """Return a row with another status."""
    image = row["cdc_new_image"].replace("shipped", "spoiled")
    return {**row, "cdc_new_image": image}


def test_a_lost_change_in_the_middle_is_a_gap_that_stays(
    chain: Cloud, orders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = gap_keys()
    edit(lambda row: None if row["cdc_key"] == key(orders[0]) and paid(row) else row)
    assert verified()[0] == 0
    assert gap_keys() - before == {key(orders[0])}
    assert "verify --repair mends the state" in capsys.readouterr().out
    assert verified("--repair")[1]["repair"]["counts"] == {"items": 0, "tombstones": 0, "left": 0}
    assert gap_keys() - before == {key(orders[0])}


def paid(row: Row) -> bool:
    """Return whether a row tells that an order was paid."""
    return '"status":{"S":"paid"}' in row["cdc_new_image"]


@pytest.mark.parametrize("first", ["the write", "the read"])
def test_a_write_between_the_reads_of_a_repair_wins(
    chain: Cloud, orders: list[str], monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    read = Table.items_of

    def read_amid_writes(table: Table, keys: list[str]) -> dict[str, str]:
        if first == "the write":
            put(orders[2], "delivered")
        found = read(table, keys)
        put(orders[3], "returned")
        return found

    drop_a_change(chain, orders)
    edit(lambda row: None if is_last_of(row, orders[3]) else row)
    with monkeypatch.context() as during:
        during.setattr(Table, "items_of", read_amid_writes)
        found = verified("--repair")[1]
    assert key(orders[3]) in found["repair"]["items"]
    chain.settle()
    assert verified("--repair")[0] == 0
    last = {
        row["cdc_key"]: row["cdc_new_image"]
        for rows in objects().values()
        for row in sorted(rows, key=lambda row: row["cdc_sequence"])
    }
    assert '"returned"' in last[key(orders[3])]


def test_rows_that_are_not_of_the_table_are_explained_and_left(
    chain: Cloud, orders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    name, rows = list(objects().items())[-1]
    own = rows[-1]
    foreign = {
        "null": {**own, "cdc_key": None},
        "{}": {**own, "cdc_key": "{}"},
        key("o'ther"): {
            **own,
            "cdc_key": key("o'ther"),
            "cdc_source": PAST,
        },
    }
    object_name = name.replace(".gz", "-foreign.gz")
    write(object_name, list(foreign.values()))
    put(orders[0], "delivered")
    alter_a_digit(chain, orders)
    status, found = verified("--repair")
    assert (status, sorted(found["extra"])) == (1, sorted(foreign))
    assert found["repair"]["left"].keys() == foreign.keys()
    assert found["repair"]["items"] == [key(orders[1])]
    assert "it is no key of table sales-cdc-orders" in found["repair"]["left"]["{}"]
    assert "cdc_key IS NULL" in found["repair"]["left"]["null"]
    assert "o''ther" in found["repair"]["left"][key("o'ther")]
    assert "repair: 1 items, 0 tombstones, 3 left" in capsys.readouterr().out
    aws("s3").delete_object(Bucket=names.bucket(), Key=object_name)
    assert verified()[0] == 0


def test_an_item_too_large_for_kinesis_is_listed(chain: Cloud, orders: list[str]) -> None:
    put("large", "placed", note={"S": "\x01" * 200_000})
    chain.settle()
    alter_a_digit(chain, orders)
    status, found = verified("--repair")
    assert (status, faults(found)) == (1, {"missing": [key("large")]})
    assert "make the item smaller" in found["repair"]["left"][key("large")]
    put("large", "placed")
    assert verified("--repair")[0] == 0


def test_one_key_is_mended_alone(chain: Cloud, orders: list[str]) -> None:
    edit(lambda row: None if any(is_last_of(row, order) for order in orders) else row)
    status, found = verified("--repair", "--key", key(orders[2]))
    assert (status, found["repair"]["items"]) == (0, [key(orders[2])])
    assert verified()[1]["counts"]["different"] == 3
    assert verified("--repair")[0] == 0


def test_an_equal_lake_is_left_alone(chain: Cloud, orders: list[str]) -> None:
    before = objects()
    assert verified("--repair")[0] == 0
    chain.settle()
    assert objects() == before


def test_a_repair_says_what_it_sends_and_waits_for(
    chain: Cloud, orders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    drop_a_change(chain, orders)
    assert verify.main(["--repair"]) == 0
    said, noted = (text.splitlines() for text in capsys.readouterr())
    assert said[0].startswith(f"different  {key(orders[2])}  status: table has")
    assert said[1].startswith("lake differs from table: 1 different")
    assert said[2:4] == [
        f"sent       {key(orders[2])}  as the table holds it",
        "repair: 1 items, 0 tombstones, 0 left",
    ]
    assert said[4].startswith("lake equals table: ")
    assert noted == ["1 keys differ so far: waiting 90 s for what is on its way"] * 2


@pytest.mark.parametrize("arguments", [["--repair", "--gaps"], ["--json", "no/such/folder"]])
def test_wrong_arguments_end_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        verify.main(arguments)


def test_a_table_without_a_stream_is_not_mended(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws("dynamodb").create_table(
        TableName="still",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "order_id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "order_id", "AttributeType": "S"}],
    )
    monkeypatch.setattr(verify, "TABLE", "still")
    assert verify.main(["--repair"]) == 2
    assert capsys.readouterr().err == (
        "table still has no stream: run python setup/01_dynamodb.py\n"
    )


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(
    lambda at: at.isoformat(" ", "microseconds")
)
HELD = st.builds(
    Held,
    key=st.just(key("SO-1")),
    image=st.none() | st.just('{"order_id":{"S":"SO-1"}}'),
    source=st.sampled_from([None, "", PAST, PRESENT]),
    sequence=st.integers(0, 10**40 - 2).map(lambda number: f"{number:040}"),
    snapshot_at=st.none() | MOMENTS,
)
ITEM = canonical({"order_id": {"S": "SO-1"}, "raw": {"B": "AAE="}, "total": {"N": "19.9"}})


@given(st.none() | HELD, st.none() | st.just(ITEM), st.timedeltas(-timedelta(1), timedelta(1)))
def test_a_mending_record_outranks_the_lake_and_tells_the_item(
    held: Held | None, item: str | None, ahead: timedelta
) -> None:
    finding = Finding(key("SO-1"), "different", item, held, NOW + ahead)
    told = change(mending_record(finding, TABLE))
    assert told.key == key("SO-1")
    assert (told.new_image and told.new_image.text) == item
    assert told.source in (PAST, PRESENT)
    if held:
        assert rank(told) > rank(held.row)
        next_sequence = f"{int(held.row.sequence) + 1:040}"
        assert not held.source or rank(told) < (held.source, next_sequence, "", "")
    else:
        assert (told.source, told.sequence) == (PRESENT, "0" * 40)


GOOD = Held(key("SO-1"), ITEM, PRESENT, "1".zfill(40), None)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (replace(GOOD, sequence="5"), "a rank that no change can have"),
        (replace(GOOD, sequence=None), "a rank that no change can have"),
        (replace(GOOD, sequence="x"), "a rank that no change can have"),
        (replace(GOOD, snapshot_at="soon"), "a rank that no change can have"),
        (replace(GOOD, snapshot_at="9999-12-31 23:59:59.999999"), "a rank that no change"),
        (replace(GOOD, source=f"{ARN}/stream/2096"), f"its row is of {ARN}/stream/2096"),
        (replace(GOOD, source=f"{ARN}2/stream/2026"), f"its row is of {ARN}2/stream/2026"),
    ],
)
def test_a_row_that_cannot_be_outranked_is_explained(held: Held, why: str) -> None:
    finding = Finding(key("SO-1"), "different", ITEM, held, NOW)
    with pytest.raises(Unmendable, match="take its row out of the lake") as caught:
        mending_record(finding, TABLE)
    assert why in str(caught.value)
