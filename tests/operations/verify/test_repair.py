"""verify --repair: each sabotage of the lake is found, key by key, and mended; nothing else is."""

from collections.abc import Iterator
from unittest.mock import patch

import boto3
import pytest

from local.core.server import Cloud
from local.demo import run_script
from local.services.registry import SERVICES
from operations.table import Table
from operations.verify import __main__ as verify
from setup import names
from tests.campaign.chain import remembered
from tests.support.laptop_cloud import aws, laptop
from tests.support.sabotage import (
    SABOTAGES,
    Row,
    alter_a_digit,
    drop_a_change,
    edit,
    faults,
    gap_keys,
    is_last_of,
    key,
    new_orders,
    objects,
    put,
    switch_the_stream_off_and_on,
    verified,
    write,
)

PAST = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-23T10:00:00.000"


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the real scripts have built the chain; time flies for verify."""
    with laptop(*SERVICES) as cloud, patch.object(boto3, "client", remembered(boto3.client)):
        run_script(cloud, "setup")
        with patch.object(verify, "sleep", lambda _: cloud.run_until_idle()):
            yield cloud


@pytest.fixture
def orders(chain: Cloud) -> list[str]:
    """Four orders of this test's own that had three images each."""
    return new_orders(chain)


def test_each_sabotage_is_named_by_its_keys_and_mended(chain: Cloud) -> None:
    expected: dict[str, list[str]] = {}
    lives = [new_orders(chain) for _ in SABOTAGES]
    for sabotage, orders in zip(SABOTAGES, lives, strict=True):
        for kind, keys in sabotage(chain, orders).items():
            expected[kind] = sorted([*expected.get(kind, []), *keys])
    assert_found_and_mended(expected)
    for order in (order for orders in lives for order in orders):
        put(order, "after the repair")
    chain.run_until_idle()
    assert verified()[0] == 0


def test_what_happened_while_the_stream_was_off_is_named_and_mended(
    chain: Cloud, orders: list[str]
) -> None:
    before = gap_keys()
    assert_found_and_mended(switch_the_stream_off_and_on(chain, orders))
    put(orders[0], "delivered")
    chain.run_until_idle()
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
    chain.run_until_idle()
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
    chain.run_until_idle()
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
    chain.run_until_idle()
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
