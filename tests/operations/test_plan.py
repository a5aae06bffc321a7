"""The plan: its arithmetic, its limits, its savings, and the tables that documents show of it."""

import json
import math
import os
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.cost.load import DAYS, Load
from analytics.cost.monthly import (
    DEFAULTS,
    Settings,
    costs_at_rest,
    costs_of_changes,
    least_cost_at_rest,
    monthly_costs,
    object_count,
    total,
)
from operations.plan import command, measured_load, tables
from operations.plan.limits import limits, max_item_bytes
from operations.plan.savings import savings
from setup import names
from tests.support.laptop_cloud import create_table, laptop
from tests.support.paths import PROJECT

DOCUMENT = PROJECT / "docs" / "aws.md"
RECORDED = Path(__file__).with_name("plan.txt")
loads = st.builds(
    Load,
    changes_per_day=st.floats(0, 1e9),
    item_bytes=st.floats(1, 400_000),
    items=st.integers(0, 10**9),
    questions_per_day=st.floats(0, 1000),
    active_hours=st.floats(0.1, 24),
)
all_settings = st.builds(
    Settings,
    stream_shards=st.integers(1, 100),
    flush_seconds=st.integers(60, 900),
    provisioned_shards=st.integers(0, 50),
    is_partitioned=st.booleans(),
    has_copy=st.booleans(),
)


@given(loads, all_settings)
def test_a_month_is_the_sum_of_its_meters(load: Load, settings: Settings) -> None:
    costs = monthly_costs(load, settings)
    assert total(costs) == pytest.approx(sum(cost.dollars for cost in costs))
    assert all(math.isfinite(cost.quantity) and cost.dollars >= 0 for cost in costs)
    assert len({cost.price.meter for cost in costs}) == len(costs)


@given(loads, loads, all_settings)
def test_more_of_anything_costs_no_less(load: Load, other: Load, settings: Settings) -> None:
    larger = Load(
        changes_per_day=max(load.changes_per_day, other.changes_per_day),
        item_bytes=max(load.item_bytes, other.item_bytes),
        items=max(load.items, other.items),
        questions_per_day=max(load.questions_per_day, other.questions_per_day),
        active_hours=load.active_hours,
    )
    assert total(monthly_costs(larger, settings)) >= total(monthly_costs(load, settings)) * 0.999999


@given(loads)
def test_there_are_no_more_objects_than_changes(load: Load) -> None:
    intervals = load.active_hours * 3600 * DAYS / DEFAULTS.flush_seconds
    assert object_count(load) <= min(load.changes, intervals) * 1.000001


def test_an_idle_month_costs_what_rests() -> None:
    idle = Load(0, 1000)
    assert total(monthly_costs(idle)) == total(costs_at_rest())


@given(loads)
def test_a_saving_is_the_difference_of_two_months(load: Load) -> None:
    by_setting = {saving.setting: saving.dollars for saving in savings(load)}
    cheaper = total(monthly_costs(load, replace(DEFAULTS, has_alarms=False)))
    assert by_setting["no alarms"] == pytest.approx(total(monthly_costs(load)) - cheaper, abs=1e-6)


@given(loads)
def test_the_lowest_limit_comes_first(load: Load) -> None:
    rates = [limit.changes_per_second for limit in limits(load)]
    assert rates == sorted(rates)
    assert rates[0] <= 4000


def test_the_largest_item_fits_into_kinesis() -> None:
    assert Load(1, max_item_bytes()).change_bytes == pytest.approx(1024 * 1024)


def test_the_tables_of_the_document_are_the_plans() -> None:
    if os.environ.get("UPDATE_PLAN"):
        DOCUMENT.write_text(tables.with_tables(DOCUMENT.read_text("utf-8")), "utf-8")
    text = DOCUMENT.read_text("utf-8")
    assert tables.with_tables(text) == text
    assert text.count("<!-- plan: ") == len(tables.TABLES)


def test_the_readme_has_the_plans_figures() -> None:
    text = (PROJECT / "README.md").read_text("utf-8")
    busy, trickle = (total(costs_of_changes(load)) for load in (tables.BUSY, tables.TRICKLE))
    at_rest = f"**${least_cost_at_rest():.0f} to ${total(costs_at_rest()):.0f} a month when idle**"
    assert at_rest in text
    assert f"**${busy:.2f} per million changes**" in " ".join(text.split())
    assert f"${trickle:.2f} if they trickle in" in text
    [shard] = [
        cost
        for cost in costs_at_rest(replace(DEFAULTS, stream_shards=1))
        if cost.price.meter == "table's stream"
    ]
    assert f"${shard.dollars:.2f} for reading each shard" in text


def test_the_price_of_a_quantity_is_exact() -> None:
    pipe, *_ = costs_of_changes(Load(1_000_000 / DAYS, 581))
    assert pipe.quantity == pytest.approx(1_000_000)
    assert pipe.dollars == pytest.approx(0.40)


@pytest.mark.parametrize(
    ("meter", "kilobytes", "provisioned_shards"),
    [
        ("pipe", 64, 0),
        ("Kinesis, in", 1, 0),
        ("Kinesis, out", 1, 0),
        ("Kinesis, provisioned, in", 25, 1),
        ("Firehose", 5, 0),
        ("dynamic partitioning", 5, 0),
    ],
)
def test_a_change_is_charged_in_pieces(meter: str, kilobytes: int, provisioned_shards: int) -> None:
    settings = replace(DEFAULTS, provisioned_shards=provisioned_shards)
    quantities = []
    for record_bytes in (kilobytes * 1024, kilobytes * 1024 + 1):
        costs = costs_of_changes(Load(1, 1, record_bytes=record_bytes), settings)
        quantities += [cost.quantity for cost in costs if cost.price.meter == meter]
    assert quantities[1] == 2 * quantities[0]


def test_the_command_prints_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--changes-per-day", "1000", "--item-bytes", "390000", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    sum_of_meters = sum(meter["dollars"] for meter in document["meters"])
    assert document["dollars_per_month"] == pytest.approx(sum_of_meters)
    assert command.main(["--changes-per-day", "1000", "--item-bytes", "390000"]) == 0
    output = capsys.readouterr().out
    assert "do not fit into Kinesis" in output
    assert "first limit: " in output
    assert command.main(["--changes-per-day", "0"]) == 0


def test_the_plan_of_a_load_is_as_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    """After a change on purpose: UPDATE_PLAN=1 pytest -n 0 tests/operations/test_plan.py."""
    load = "--changes-per-day 33000 --item-bytes 340000 --items 1000 --questions-per-day 3"
    arguments = [*load.split(), "--active-hours", "0.1"]
    assert command.main(arguments) == 0
    text = capsys.readouterr().out
    assert command.main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    text += "".join(f"{meter['meter']}: {meter['price']}\n" for meter in document["meters"])
    for limit in document["limits"]:
        text += f"{limit['part']}: {limit['changes_per_second']:.3f} changes a second\n"
    if os.environ.get("UPDATE_PLAN"):
        RECORDED.write_text(text, "utf-8")
    assert text == RECORDED.read_text("utf-8")


def test_a_running_pipeline_gives_its_load(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with laptop() as cloud:
        create_table(cloud.client("dynamodb"), names.TABLE, {"order_id": "S"})
        cloud.client("kinesis").create_stream(StreamName=names.STREAM, ShardCount=1)
        assert command.main(["--from-metrics"]) == 1
        assert "give --changes-per-day" in capsys.readouterr().err
        for _ in range(7):
            cloud.client("kinesis").put_record(
                StreamName=names.STREAM, Data=b"x" * 2000, PartitionKey="k"
            )
        with monkeypatch.context() as patch:
            description = {"ItemCount": 4, "TableSizeBytes": 10}
            patch.setattr(measured_load, "describe_table", lambda: description)
            load = measured_load.fetch_load(questions_per_day=5)
            description.clear()
            load_of_another_server = measured_load.fetch_load(questions_per_day=0)
        assert command.main(["--from-metrics", "--json"]) == 0
    assert (load.items, load.item_bytes, load.questions_per_day) == (4, 2.5, 5)
    assert (load.changes_per_day, load.active_hours) == (1, 1)
    assert (load_of_another_server.items, load_of_another_server.item_bytes) == (0, 0)
    document = json.loads(capsys.readouterr().out)
    assert document["changes_per_day"] == 1
    assert document["change_bytes"] == pytest.approx(2000, rel=0.4)  # moto counts it as base64.


@pytest.mark.parametrize("arguments", [["--items", "-1"], ["--active-hours", "25"], ["--x"]])
def test_wrong_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        command.main(arguments)
    assert exit_info.value.code == 2


def test_the_counted_alarms_are_those_of_setup() -> None:
    alarms = import_module("setup.09_alarms")
    metric_count = len(alarms.ALARMS) + 2 * len(alarms.SILENCE_ALARMS)
    [cost] = [cost for cost in costs_at_rest() if cost.price.meter == "alarms"]
    assert cost.quantity == metric_count
