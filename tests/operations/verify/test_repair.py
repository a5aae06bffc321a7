"""verify --repair: every sabotage is found key by key and repaired; nothing else is changed."""

import itertools
from collections.abc import Callable, Collection, Iterator

import pytest

from analytics.athena import literal, run_query
from local.core.server import Cloud
from operations.replay import command as replay_command
from operations.table import Table
from operations.verify import command
from setup import names
from tests.support.laptop_cloud import aws, create_table
from tests.support.profile import sampled
from tests.support.replay_fixture import delete_failed_records, deploy, redeploy
from tests.support.sabotage import (
    SABOTAGES,
    KeysByKind,
    LakeColumns,
    alter_column,
    alter_digit,
    create_orders,
    drop_attributes,
    drop_change,
    drop_removal,
    edit_rows,
    gap_keys,
    has_last_image,
    keys_by_kind,
    order_key,
    put_order,
    read_lake,
    recreate_stream,
    run_verify,
    write_object,
)
from tests.support.whole_chain import (
    create_pipeline,
    empty_chain,
    laptop_that_runs_in_waits,
    raising_function,
)

FOREIGN_STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2096-11-23T10:00:00.000"


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud with the whole chain; verify's wait runs it until it is idle."""
    with laptop_that_runs_in_waits() as cloud:
        create_pipeline()
        yield cloud


@pytest.fixture
def orders(chain: Cloud) -> list[str]:
    """The ids of the only orders, each with three images."""
    empty_chain(chain)
    return create_orders(chain)


@pytest.mark.slow
def test_every_sabotage_is_found_and_repaired(chain: Cloud) -> None:
    expected: KeysByKind = {}
    orders_by_sabotage = [create_orders(chain) for _ in SABOTAGES]
    for sabotage, orders in zip(SABOTAGES, orders_by_sabotage, strict=True):
        for kind, keys in sabotage(chain, orders).items():
            expected[kind] = sorted([*expected.get(kind, []), *keys])
    assert_found_and_repaired(expected)
    for orders in orders_by_sabotage:
        for order in orders:
            put_order(order, "after the repair")
    chain.run_until_idle()
    assert run_verify()[0] == 0


@pytest.mark.slow
def test_changes_without_a_stream_are_repaired(chain: Cloud, orders: list[str]) -> None:
    before = gap_keys()
    differing_keys = recreate_stream(chain, orders)
    assert_found_and_repaired(differing_keys)
    put_order(orders[0], "delivered")
    chain.run_until_idle()
    assert run_verify("--gaps")[1]["counts"]["open"] == 0
    assert gap_keys() - before == {*differing_keys["different"], *differing_keys["extra"]}


def assert_found_and_repaired(expected: KeysByKind) -> None:
    status, document = run_verify()
    assert (status, keys_by_kind(document)) == (1, expected)
    status, document = run_verify("--repair")
    assert (status, keys_by_kind(document), document["equal"]) == (0, {}, True)
    repair = document["repair"]
    items = [expected.get(kind, []) for kind in ("different", "missing", "columns")]
    assert repair["items"] == sorted(itertools.chain(*items))
    assert repair["tombstones"] == expected["extra"]
    assert run_verify()[0] == 0


@pytest.mark.slow
def test_a_key_can_be_repaired_twice(chain: Cloud, orders: list[str]) -> None:
    key = order_key(orders[0])
    for _ in range(2):
        edit_rows(lambda row: _with_other_status(row) if row["cdc_key"] == key else row)
        assert run_verify("--repair")[1]["repair"]["items"] == [key]


def _with_other_status(row: LakeColumns) -> LakeColumns:
    return {**row, "cdc_new_image": row["cdc_new_image"].replace("shipped", "other")}


@pytest.mark.slow
@pytest.mark.parametrize("sabotage", [alter_column, drop_attributes])
def test_questions_read_repaired_columns(
    chain: Cloud, orders: list[str], sabotage: Callable[[Cloud, list[str]], KeysByKind]
) -> None:
    [key] = sabotage(chain, orders)["columns"]
    question = f"SELECT total FROM current_orders WHERE cdc_key = {literal(key)}"
    assert list(run_query(question).rows) != [("19.9000",)]
    status, document = run_verify("--repair")
    assert (status, document["repair"]["items"]) == (0, [key])
    assert list(run_query(question).rows) == [("19.9000",)]


@pytest.mark.slow
def test_repair_does_not_close_gaps(
    chain: Cloud, orders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = gap_keys()
    key = order_key(orders[0])
    edit_rows(lambda row: None if row["cdc_key"] == key and _is_paid(row) else row)
    assert run_verify()[0] == 0
    assert gap_keys() - before == {key}
    assert "verify --repair restores the current state" in capsys.readouterr().out
    counts = run_verify("--repair")[1]["repair"]["counts"]
    assert counts == {"items": 0, "tombstones": 0, "left": 0}
    assert gap_keys() - before == {key}


def _is_paid(row: LakeColumns) -> bool:
    return '"status":{"S":"paid"}' in row["cdc_new_image"]


@pytest.mark.slow
@pytest.mark.parametrize("first", sampled(["write", "read"], step=2))
def test_a_write_during_a_repair_wins(
    chain: Cloud, orders: list[str], monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    get_items = Table.get_items
    calls = itertools.count(1)

    def get_items_amid_writes(table: Table, keys: Collection[str]) -> dict[str, str]:
        is_last_look = next(calls) == 2
        if is_last_look and first == "write":
            put_order(orders[2], "delivered")
        items = get_items(table, keys)
        if is_last_look:
            put_order(orders[3], "returned")
        return items

    drop_change(chain, orders)
    edit_rows(lambda row: None if has_last_image(row, orders[3]) else row)
    with monkeypatch.context() as patched:
        patched.setattr(Table, "get_items", get_items_amid_writes)
        document = run_verify("--repair")[1]
    assert order_key(orders[3]) in document["repair"]["items"]
    chain.run_until_idle()
    assert run_verify("--repair")[0] == 0
    last_images = {
        row["cdc_key"]: row["cdc_new_image"]
        for rows in read_lake().values()
        for row in sorted(rows, key=lambda row: row["cdc_sequence"])
    }
    assert '"returned"' in last_images[order_key(orders[3])]


@pytest.mark.slow
def test_foreign_rows_are_left_with_a_reason(
    chain: Cloud, orders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    last_object, rows = list(read_lake().items())[-1]
    foreign_rows = {
        "null": {**rows[-1], "cdc_key": None},
        "order": {**rows[-1], "cdc_key": "order"},
        order_key("o'ther"): {
            **rows[-1],
            "cdc_key": order_key("o'ther"),
            "cdc_source": FOREIGN_STREAM,
        },
    }
    foreign_object = last_object.replace(".gz", "-foreign.gz")
    write_object(foreign_object, list(foreign_rows.values()))
    put_order(orders[0], "delivered")
    alter_digit(chain, orders)
    status, document = run_verify("--repair")
    assert (status, sorted(document["extra"])) == (1, sorted(foreign_rows))
    assert document["repair"]["items"] == [order_key(orders[1])]
    reasons = document["repair"]["left"]
    assert reasons.keys() == foreign_rows.keys()
    assert "its row has an invalid key or rank" in reasons["order"]
    assert "cdc_key IS NULL" in reasons["null"]
    assert "o''ther" in reasons[order_key("o'ther")]
    assert "repair: 1 item, 0 tombstones, 3 left" in capsys.readouterr().out
    aws("s3").delete_object(Bucket=names.bucket(), Key=foreign_object)
    assert run_verify()[0] == 0


@pytest.mark.slow
def test_an_oversized_item_is_left(chain: Cloud, orders: list[str]) -> None:
    put_order("large", "placed", note={"S": "\x01" * 200_000})
    chain.run_until_idle()
    alter_digit(chain, orders)
    status, document = run_verify("--repair")
    assert (status, keys_by_kind(document)) == (1, {"missing": [order_key("large")]})
    assert "make the item smaller" in document["repair"]["left"][order_key("large")]
    put_order("large", "placed")
    assert run_verify("--repair")[0] == 0


@pytest.mark.slow
def test_key_option_repairs_one_key(chain: Cloud, orders: list[str]) -> None:
    edit_rows(lambda row: None if any(has_last_image(row, order) for order in orders) else row)
    status, document = run_verify("--repair", "--key", order_key(orders[2]))
    assert (status, document["repair"]["items"]) == (0, [order_key(orders[2])])
    assert run_verify()[1]["counts"]["different"] == 3
    assert run_verify("--repair")[0] == 0


def test_an_equal_lake_is_not_changed(chain: Cloud, orders: list[str]) -> None:
    before = read_lake()
    assert run_verify("--repair")[0] == 0
    chain.run_until_idle()
    assert read_lake() == before


@pytest.mark.slow
def test_repair_prints_both_results(
    chain: Cloud, orders: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    drop_change(chain, orders)
    assert command.main(["--repair"]) == 0
    output, notes = (text.splitlines() for text in capsys.readouterr())
    assert output[0].startswith(f"different  {order_key(orders[2])}  status: table has")
    assert output[1].startswith("lake differs from table: 1 different")
    assert output[2:4] == [
        f"sent       {order_key(orders[2])}  the table's current item",
        "repair: 1 item, 0 tombstones, 0 left",
    ]
    assert output[4].startswith("lake equals table: ")
    assert notes == ["1 key differs; waiting 106 s for in-flight changes"] * 3


def test_a_table_without_a_stream_is_not_repaired(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    create_table(aws("dynamodb"), "streamless", {"order_id": "S"})
    monkeypatch.setattr(command, "TABLE", "streamless")
    assert command.main(["--repair"]) == 2
    assert capsys.readouterr().err == (
        "table streamless has no stream: run python setup/01_dynamodb.py\n"
    )


@pytest.mark.slow
def test_a_key_with_a_failed_change_is_replayed_first(chain: Cloud, orders: list[str]) -> None:
    """Replayed after the repair, the second change would outrank it, and an older state win."""
    delete_failed_records(chain)
    key = order_key(orders[0])
    deploy(chain, raising_function())
    put_order(orders[0], "failed")
    chain.run_until_idle()
    redeploy(chain)
    before = read_lake().keys()
    put_order(orders[0], "lost")
    drop_removal(chain, [orders[1]])
    for lost_object in read_lake().keys() - before:
        aws("s3").delete_object(Bucket=names.bucket(), Key=lost_object)
    status, document = run_verify("--repair")
    assert (status, document["different"]) == (1, [key])
    assert "run python -m operations.replay" in document["repair"]["left"][key]
    assert document["repair"]["tombstones"] == [order_key(orders[1])]
    assert replay_command.main(["--wait", "0"]) == 1
    chain.run_until_idle()
    status, document = run_verify("--repair")
    assert (status, document["repair"]["items"]) == (0, [key])
    assert run_verify()[0] == 0
