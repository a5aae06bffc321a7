"""Views, compared with models on an unordered lake with duplicates."""

import json
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import transform
from analytics.athena import run_query
from analytics.rank import CONTENT_SQL
from local.core.server import Cloud
from sales.order_lifecycle import OrderChange
from setup import names
from setup.lib.views import describe_table
from tests.support.dashboard_model import LastImage, fixed_point, image_of
from tests.support.lake_fixture import (
    STREAM_ARN,
    LakeLines,
    change_time,
    dynamodb_image,
    lake_line,
    query_rows,
    run_named_query,
    shuffle_with_duplicates,
)
from tests.support.paths import PROJECT
from tests.support.query_models import athena_timestamp
from transform import state
from transform.row import CDC_COLUMNS


@pytest.mark.parametrize("name", [names.CHANGES, *names.VIEWS])
def test_every_column_is_described(lake: Cloud, name: str) -> None:
    table: Any = describe_table(name)
    columns = [*table["StorageDescriptor"]["Columns"], *table["PartitionKeys"]]
    assert [column["Name"] for column in columns if not column.get("Comment")] == []
    assert table.get("Description") or table["Parameters"]["description"]


def test_order_changes_has_every_change_once(history: list[OrderChange]) -> None:
    rows = query_rows("SELECT order_id, operation, updated_at, total FROM order_changes")
    expected = [
        (
            change.order_id,
            change.operation,
            athena_timestamp(image_of(change)["updated_at"]),
            fixed_point(image_of(change)["total"], 4),
        )
        for change in history
    ]
    assert Counter(rows) == Counter(expected)


def test_a_day_condition_scans_only_that_day(history: list[OrderChange]) -> None:
    def scanned_bytes(condition: str) -> int:
        return run_query(f"SELECT count(*) FROM order_changes WHERE {condition}").bytes_scanned

    days = {f"{change_time(number):%Y-%m-%d}" for number in range(len(history))}
    bytes_by_day = [scanned_bytes(f"dt = '{day}'") for day in days]
    assert len(bytes_by_day) > 2
    assert min(bytes_by_day) > 0
    assert sum(bytes_by_day) == scanned_bytes("true")


def test_orders_shows_the_last_images(images: dict[str, LastImage]) -> None:
    rows = query_rows(
        "SELECT order_id, status, shipped_at, city, carrier, image, removed FROM orders"
    )
    expected = [
        (
            order_id,
            image.order["status"],
            athena_timestamp(image.order.get("shipped_at")),
            image.order["customer"]["address"]["city"],
            image.order.get("carrier"),
            transform.canonical(dynamodb_image(image.order)),
            str(image.is_removed).lower(),
        )
        for order_id, image in images.items()
    ]
    assert Counter(rows) == Counter(expected)


def test_current_orders_excludes_removed_orders(images: dict[str, LastImage]) -> None:
    rows = query_rows("SELECT order_id, image FROM current_orders")
    expected = {
        order_id: transform.canonical(dynamodb_image(image.order))
        for order_id, image in images.items()
        if not image.is_removed
    }
    assert Counter(rows) == Counter(expected.items())
    assert len(expected) < len(images)


def test_changes_of_two_orders_may_share_an_event_id(
    lines: LakeLines, use_lake: Callable[[LakeLines], None]
) -> None:
    same_id = [(day, altered(line, cdc_event_id="f0af4b1a")) for day, line in lines]
    use_lake(same_id)
    shared = query_rows("SELECT cdc_key, cdc_sequence, status FROM order_changes")
    use_lake(lines)
    assert Counter(shared) == Counter(
        query_rows("SELECT cdc_key, cdc_sequence, status FROM order_changes")
    )


@pytest.mark.parametrize("step", [1, -1])
def test_altered_copies_give_the_state_of_the_law(
    lines: LakeLines, use_lake: Callable[[LakeLines], None], step: int
) -> None:
    images = {1: None, 2: '{"order_id":{"S":"~"}}', 3: '{"a":{"S":"~"}}'}
    copies = [
        (day, altered(line, cdc_new_image=images[number % 4]))
        for number, (day, line) in enumerate(lines)
        if number % 4
    ]
    rows = (lines + copies)[::step]
    use_lake(rows)
    law = state.latest_rows(state.Row.from_columns(json.loads(line)) for _, line in rows)
    expected = {key: row.new_image for key, row in law.items() if row.new_image is not None}
    current = query_rows("SELECT cdc_key, image FROM orders WHERE NOT removed")
    assert Counter(current) == Counter(expected.items())


def test_restored_table_outranks_its_predecessor(
    lines: LakeLines, use_lake: Callable[[LakeLines], None]
) -> None:
    restored = STREAM_ARN.replace("table/t/", "table/another/").replace("2026-", "2027-")
    day, line = next(row for row in lines if json.loads(row[1])["cdc_operation"] == "INSERT")
    later = altered(line, cdc_source=restored, cdc_sequence="1".zfill(40), status="restored")
    use_lake([*lines, (day, later)])
    sql = "SELECT status, removed FROM orders WHERE cdc_key = ?"
    key = json.loads(line)["cdc_key"]
    assert query_rows(sql, key) == [("restored", "false")]
    as_of = run_named_query("orders_as_of")
    assert [row[1] for row in as_of if row[0] == json.loads(line)["order_id"]] == ["restored"]


def altered(line: str, **columns: str | None) -> str:
    """Return a line of the lake with other values in some columns."""
    return json.dumps({**json.loads(line), **columns}) + "\n"


def test_order_lines_are_the_items_in_order(images: dict[str, LastImage]) -> None:
    rows = query_rows(
        "SELECT order_id, line_number, sku, product, category, CAST(amount AS decimal(38, 2)) "
        "FROM order_lines"
    )
    expected = [
        (
            order_id,
            str(number),
            line["sku"],
            line["name"],
            line["category"],
            fixed_point(line["quantity"] * line["unit_price"]),
        )
        for order_id, image in images.items()
        for number, line in enumerate(image.order["items"], 1)
    ]
    assert Counter(rows) == Counter(expected)


def test_an_order_without_attributes_is_listed(
    history: list[OrderChange], use_lake: Callable[[LakeLines], None]
) -> None:
    order = {**image_of(history[0]), "order_id": "SO-1"}
    day, line = lake_line(OrderChange("SO-1", history[0].changed_at, None, order), 0)
    columns = json.loads(line)
    use_lake([(day, json.dumps({name: columns[name] for name in CDC_COLUMNS}))])
    key = '{"order_id":{"S":"SO-1"}}'
    assert run_named_query("unfit_values") == [("row", "all", key, "1")]
    assert query_rows("SELECT cdc_key, total FROM orders") == [(key, None)]


def test_the_views_follow_the_law_of_state(use_lake: Callable[[LakeLines], None]) -> None:
    """Tables created again, backfills, repairs and lost removals, in any order and number."""
    rng = random.Random(11)
    log = [row for number in range(150) for row in random_rows(f"SO-{number}", rng)]
    use_lake(shuffle_with_duplicates([(row.changed_at[:10], json_line(row)) for row in log]))
    current = state.current_rows(log)
    rows = query_rows("SELECT cdc_key, image FROM current_orders")
    assert Counter(rows) == Counter((key, row.new_image) for key, row in current.items())
    keys_with_image = {row.key for row in log if row.new_image or row.old_image}
    expected = {
        key: row.key not in current
        for key, row in state.latest_rows(log).items()
        if key in keys_with_image
    }
    rows = query_rows("SELECT cdc_key, removed FROM orders")
    assert {key: removed == "true" for key, removed in rows} == expected
    assert len(rows) == len(expected)


def random_rows(order_id: str, rng: random.Random) -> list[state.Row]:
    """Return distinct rows of one key from few sources and sequences, so that many compete."""
    rows = {}
    for number in range(rng.randint(1, 8)):
        is_snapshot = rng.random() < 0.4
        first, second = (
            f'{{"order_id":{{"S":"{order_id}"}},"n":{{"N":"{n}"}}}}' for n in (number, 9)
        )
        old, new = rng.choice([(None, first), (first, second), (first, None)])
        row = state.Row(
            operation="SNAPSHOT" if is_snapshot else "MODIFY",
            key=f'{{"order_id":{{"S":"{order_id}"}}}}',
            source=rng.choice([STREAM_ARN, STREAM_ARN.replace("10:00", "12:00")]),
            sequence=f"{rng.choice([0, 9, 10, 10**20, 10**39]):040}",
            snapshot_at=f"2026-03-0{rng.randint(1, 3)} 10:00:00.000" if is_snapshot else None,
            event_id=f"{order_id}-{number}",
            changed_at=f"2026-03-0{rng.randint(1, 3)} 00:00:00.000",
            old_image=None if is_snapshot else old,
            new_image=new,
        )
        rows[state.rank(row)[:3]] = row  # One row per position: images there may not differ.
    return list(rows.values())


def json_line(row: state.Row) -> str:
    """Return the lake's line of a row."""
    columns = {f"cdc_{name}": getattr(row, name) for name in state.Row.__dataclass_fields__}
    image = row.new_image or row.old_image
    attributes = {"order_id": json.loads(image)["order_id"]["S"]} if image else {}
    return json.dumps({**columns, "cdc_expired": "false", **attributes}) + "\n"


def test_rows_have_the_content_of_the_law(history: list[OrderChange], lines: LakeLines) -> None:
    view = (PROJECT / "analytics" / "views" / "order_rows.sql").read_text("utf-8")
    assert " ".join(CONTENT_SQL.split()) in " ".join(view.split())
    expected = {state.content(state.Row.from_columns(json.loads(line))) for _, line in lines}
    rows = query_rows("SELECT cdc_content FROM order_rows")
    assert {str(content)[:18] for (content,) in rows} == expected
