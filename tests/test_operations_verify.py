"""verify: whatever is wrong with the lake is found, key by key, and nothing else is reported."""

import base64
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import transform
from analytics import athena
from local.athena import Athena
from local.cloud import Cloud
from local.dynamodb.part import DynamoDb
from operations import verify
from operations.table import Table
from operations.verifying import gaps
from operations.verifying.comparison import verdict
from operations.verifying.difference import KINDS, digest, first_difference, kind
from operations.verifying.ledger import Ledger
from operations.verifying.verdict import Verdict
from setup import names
from tests.laptop import laptop
from transform import state

PROJECT = Path(__file__).resolve().parent.parent
STREAM = "arn:aws:dynamodb:us-east-1:123456789012:table/t/stream/2026-11-23T10:00:00.000"
LATER = STREAM.replace("10:00", "12:00")
QUICKLY = (Phase.explicit, Phase.reuse, Phase.generate)  # To shrink a failure takes minutes here.
COLUMNS = [f"cdc_{name}" for name in state.Row.__dataclass_fields__]

Item = dict[str, Any]
Change = tuple[str, int, Item | None, Item | None]


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
    [result] = transform.answer({"records": [{"recordId": "1", "data": text}]}).records
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
        for page in self.dynamodb.get_paginator("scan").paginate(TableName=names.TABLE):
            for item in page["Items"]:
                self.remove(item)
        for item in items:
            self.put(item)

    def put(self, item: Item) -> None:
        """Put an item into the table."""
        self.dynamodb.put_item(TableName=names.TABLE, Item=item)

    def remove(self, item: Item) -> None:
        """Delete an item from the table."""
        self.dynamodb.delete_item(TableName=names.TABLE, Key={"order_id": item["order_id"]})

    def tell(self, *objects: list[dict[str, Any]]) -> None:
        """Let the lake consist of exactly these objects of rows."""
        for page in self.s3.get_paginator("list_objects_v2").paginate(Bucket=names.bucket()):
            for entry in page.get("Contents", ()):
                self.s3.delete_object(Bucket=names.bucket(), Key=entry["Key"])
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


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with laptop(DynamoDb, Athena) as cloud:
        yield World(cloud)


def found(verdict: Verdict) -> dict[str, list[str]]:
    """Return the keys of each kind of fault that was found."""
    return {kind: keys for kind, keys in verdict.keys.items() if keys}


PAID = {"status": {"S": "paid"}, "total": {"N": "19.9"}}
SHIPPED = {**PAID, "status": {"S": "shipped"}}


def test_an_equal_lake_is_proven_without_a_wait(world: World) -> None:
    world.hold(order(1, **SHIPPED), order(2, **PAID))
    world.tell(history(order(1, **PAID), order(1, **SHIPPED)), history(order(2, **PAID)))
    assert world.verdict(meanwhile=lambda: pytest.fail("waited")).status == 0


def test_an_empty_lake_equals_an_empty_table(world: World) -> None:
    world.hold()
    world.tell()
    assert list(world.verdict().lines()) == ["lake equals table: 0 items"]


def test_removed_items_and_old_streams_do_not_count(world: World) -> None:
    world.hold(order(2, **PAID))
    gone = history(order(1, **PAID), order(1, **SHIPPED), None)
    reborn = history(order(2, **SHIPPED), start=9) + history(order(2, **PAID), source=LATER)
    world.tell(gone + reborn)
    assert world.verdict(meanwhile=lambda: pytest.fail("waited")).status == 0


def test_duplicates_and_disorder_change_nothing(world: World) -> None:
    world.hold(order(1, **SHIPPED))
    rows = history(order(1, **PAID), None, order(1, **PAID), order(1, **SHIPPED)) * 3
    random.Random(1).shuffle(rows)
    world.tell(rows[:5], rows[5:])
    assert found(world.verdict()) == {}


def test_each_fault_is_named_with_its_key(world: World) -> None:
    world.hold(order(1, **PAID), order(2, **PAID), order(4, **PAID))
    altered = history(order(2, **{**PAID, "total": {"N": "19.8"}}))
    world.tell(altered, history(order(3, **PAID)), history(order(4, **PAID)))
    verdict = world.verdict()
    assert found(verdict) == {"missing": [key(1)], "different": [key(2)], "extra": [key(3)]}
    assert (verdict.status, verdict.table, verdict.lake) == (1, 3, 3)
    difference = 'total: table has {"N":"19.9"}, lake has {"N":"19.8"}'
    assert str(verdict.differences[key(2)]) == difference


def test_what_arrives_during_the_wait_is_no_fault(world: World) -> None:
    world.hold(order(1, **SHIPPED), order(2, **PAID))
    world.tell(history(order(1, **PAID)), history(order(3, **PAID)))
    late = history(order(1, **PAID), order(1, **SHIPPED)) + history(order(2, **PAID))
    late += history(order(3, **PAID), None)
    verdict = world.verdict(meanwhile=lambda: world.tell_also("late.json", late))
    assert (found(verdict), verdict.table, verdict.lake) == ({}, 2, 2)


def test_an_item_that_keeps_changing_is_unsettled_not_different(world: World) -> None:
    world.hold(order(1, **PAID), order(2, **PAID))
    world.tell([])

    def meanwhile() -> None:
        world.put(order(1, **SHIPPED))
        world.remove(order(2))
        world.tell_also("late.json", history(order(2, **PAID)))

    verdict = world.verdict(meanwhile)
    assert (found(verdict), verdict.status) == ({"unsettled": [key(1), key(2)]}, 2)


def test_a_fault_beside_an_unsettled_key_is_a_fault(world: World) -> None:
    world.hold(order(1, **PAID), order(2, **PAID))
    world.tell([])
    assert world.verdict(lambda: world.put(order(1, **SHIPPED))).status == 1


def test_a_row_without_a_key_is_shown(world: World) -> None:
    world.hold()
    world.tell([{"cdc_new_image": "{}"}, {"cdc_key": "{}", "cdc_new_image": "no JSON"}])
    assert found(world.verdict()) == {"extra": ["null", "{}"]}


def test_an_image_that_is_no_json_differs(world: World) -> None:
    world.hold(order(1, **PAID))
    [row] = history(order(1, **PAID))
    world.tell([{**row, "cdc_new_image": row["cdc_new_image"][:20]}])
    verdict = world.verdict()
    assert found(verdict) == {"different": [key(1)]}
    assert verdict.differences[key(1)].path == ""


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


@settings(
    max_examples=20, phases=QUICKLY, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LIVES, st.data())
def test_verify_says_what_the_law_of_state_says(
    world: World, lives: list[list[Item | None]], data: st.DataObject
) -> None:
    items = [
        order(number, **life[-1])
        for number, life in enumerate(lives)
        if life and life[-1] is not None
    ]
    rows = [row for life in lived(lives) for row in life]
    kept = [row for row in rows if data.draw(st.integers(0, 5)) < 5] + snapshots(rows, data)
    told = data.draw(st.permutations(kept + kept[::2]))
    world.hold(*items)
    world.tell(told[::2], told[1::2])

    lake = {row.key: row.new_image for row in state.current(map(state.Row.of, told)).values()}
    table = {key(int(item["order_id"]["S"][3:])): transform.canonical(item) for item in items}
    expected = {
        "missing": sorted(table.keys() - lake.keys()),
        "extra": sorted(lake.keys() - table.keys()),
        "different": sorted(key for key in table.keys() & lake if table[key] != lake[key]),
    }
    verdict = world.verdict()
    assert found(verdict) == {kind: keys for kind, keys in expected.items() if keys}
    assert (verdict.table, verdict.lake) == (len(table), len(lake))


@settings(
    max_examples=15, phases=QUICKLY, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(LIVES, LIVES, st.data())
def test_the_gaps_of_sql_are_the_gaps_of_the_law(
    world: World,
    lives: list[list[Item | None]],
    later: list[list[Item | None]],
    data: st.DataObject,
) -> None:
    rows = [row for life in lived(lives) + lived(later, LATER) for row in life]
    kept = [row for row in rows if data.draw(st.integers(0, 4)) < 4] + snapshots(rows, data)
    world.tell(data.draw(st.permutations(kept + kept[::3])))

    expected = [
        (gap.after.key, gap.before and gap.before.sequence, gap.after.source, gap.after.sequence)
        for gap in state.gaps(map(state.Row.of, kept))
    ]
    told = [(gap.key, gap.sequence_before, gap.source, gap.sequence) for gap in gaps.gaps()]
    assert sorted(told, key=repr) == sorted(expected, key=repr)


def test_a_lost_change_is_a_gap_with_both_its_sequences(world: World) -> None:
    whole = history(order(1, **PAID), order(1, **SHIPPED), order(1, **PAID))
    world.tell(whole)
    assert run("--gaps") == 0
    world.tell([whole[0], whole[2]])
    [gap] = gaps.gaps()
    assert (gap.key, gap.sequence_before[-1], gap.sequence[-1]) == (key(1), "1", "3")
    assert run("--gaps") == 1


def test_a_snapshot_excuses_what_happened_before_its_stream(world: World) -> None:
    first = stream_row(order(1, **PAID), order(1, **SHIPPED), sequence=5)
    world.tell([first])
    assert len(list(gaps.gaps())) == 1
    world.tell([first, snapshot_row(order(1, **PAID))])
    assert list(gaps.gaps()) == []


def test_a_tombstone_excuses_nothing(world: World) -> None:
    removal = stream_row(order(1, **PAID), None, sequence=5)
    world.tell([removal, {**snapshot_row(order(1)), "cdc_new_image": None}])
    assert len(list(gaps.gaps())) == 1


def test_keys_of_any_type_are_read_again(world: World) -> None:
    world.create_table("readings", {"sensor": "B", "at": "N"})
    items = [
        {"sensor": {"B": bytes([number])}, "at": {"N": f"{number}.50"}} for number in range(120)
    ]
    for item in items:
        world.dynamodb.put_item(TableName="readings", Item=item)
    table = Table.described(world.dynamodb, "readings")
    keys = [table_key for table_key, _ in table.items()]
    assert len(set(keys)) == len(items)
    assert '{"at":{"N":"7.5"},"sensor":{"B":"Bw=="}}' in keys
    assert table.items_of(keys[:100]) == {table_key: table_key for table_key in keys[:100]}
    assert table.items_of([key(1), "null", "[]", '{"at":{"N":"7.50"}}', "{"]) == {}


def run(*arguments: str) -> int:
    """Return the exit status of verify, run in this process."""
    return verify.main(["--wait", "0", *arguments] if "--wait" not in arguments else arguments)


def test_the_closing_line_counts_the_orders(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.hold(order(1, **PAID))
    world.tell(history(order(1, **PAID)))
    assert run() == 0
    assert capsys.readouterr() == ("lake equals table: 1 items\n", "")


def test_people_see_a_few_keys_and_programs_all(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    world.hold()
    world.tell([row for number in range(25) for row in history(order(number, **PAID))])
    assert run() == 1
    words = capsys.readouterr().out.splitlines()
    assert len(words) == 22
    assert words[-2:] == [
        "extra      and 5 more: list them with --limit",
        "lake differs from table: 25 extra; 0 items in the table, 25 in the lake",
    ]
    assert run("--limit", "3", "--json", str(tmp_path / "verdict.json")) == 1
    assert len(capsys.readouterr().out.splitlines()) == 5
    assert len(json.loads((tmp_path / "verdict.json").read_text())["extra"]) == 3
    assert run("--json") == 1
    document = json.loads(capsys.readouterr().out)
    assert sorted(document["extra"]) == sorted(key(number) for number in range(25))
    assert document["counts"] == {kind: 25 * (kind == "extra") for kind in KINDS}
    assert not document["equal"]


def test_one_key_is_verified_alone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.hold(order(1, **PAID), order(2, **PAID))
    world.tell(history(order(1, **PAID)))
    assert run("--key", '{"order_id": {"S": "SO-1"}}') == 0
    assert run("--key", key(2)) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        "lake equals table: 1 items",
        f"missing    {key(2)}",
    ]


@pytest.mark.parametrize(
    "hostile", ["'", "') OR true --", 'a"b', "\\", "\x00", "é\u202e", "x" * 2000]
)
def test_no_key_becomes_sql(world: World, hostile: str) -> None:
    item = {"order_id": {"S": hostile}, **PAID}
    world.hold(item, order(1, **PAID))
    world.tell([stream_row(None, {**item, **SHIPPED}, 1)])
    named = transform.canonical({"order_id": item["order_id"]})
    assert found(world.verdict()) == {"missing": [key(1)], "different": [named]}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--key", '{"id": {"S": "1"}}'], '{"order_id": {"S": "..."}}; found {"id":{"S":"1"}}'),
        (["--key", '{"order_id": {"N": "1"}}'], "expected a key of table"),
        ([], "delivery stream sales-cdc-delivery is missing: run python setup/06_firehose.py"),
    ],
)
def test_what_cannot_be_told_says_why(
    world: World, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    world.hold(order(1, **PAID))
    world.tell([])
    assert verify.main(arguments) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["--wait", "soon"], ["--wait", "-1"], ["--limit", "x"], ["--key", "SO-1"], ["--key", "[]"]],
)
def test_wrong_arguments_end_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        verify.main(arguments)


def test_the_wait_is_one_and_a_half_of_firehoses_intervals(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    boto3.client("firehose").create_delivery_stream(
        DeliveryStreamName=names.DELIVERY,
        ExtendedS3DestinationConfiguration={
            "RoleARN": "arn:aws:iam::123456789012:role/r",
            "BucketARN": f"arn:aws:s3:::{names.bucket()}",
            "BufferingHints": {"SizeInMBs": 64, "IntervalInSeconds": 60},
        },
    )
    waits: list[float] = []
    monkeypatch.setattr(verify, "sleep", waits.append)
    world.hold(order(1, **PAID))
    world.tell([])
    assert verify.main([]) == 1
    assert waits == [90]


def test_an_account_without_a_pipeline_is_told_what_to_run(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(verify, "TABLE", "absent")
    assert run() == 2
    assert "is missing: run python setup/01_dynamodb.py" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "other", "script"),
    [
        ("DATABASE", "absent", "10_glue"),
        ("DATABASE", "empty", "10_glue"),
        ("WORKGROUP", "absent", "11_athena"),
    ],
)
def test_a_missing_lake_is_told_what_to_run(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    other: str,
    script: str,
) -> None:
    monkeypatch.setattr(athena, name, other)
    assert run("--gaps") == 2
    assert f"is missing: run python setup/{script}.py" in capsys.readouterr().err


def test_an_unreachable_cloud_is_one_line() -> None:
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_MAX_ATTEMPTS": "1",
    }
    command = [sys.executable, "-m", "operations.verify"]
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith('Could not connect to the endpoint URL: "http://127.0.0.1:9/": ')
    assert line.endswith("do the region and the endpoint of your environment exist?")


def test_ctrl_c_ends_it_quietly(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "gaps", interrupted)
    assert verify.main(["--gaps"]) == 130


def test_the_verbs_are_listed_with_a_line_each() -> None:
    command = [sys.executable, "-m", "operations"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    lines = done.stdout.splitlines()
    assert any(line.startswith("python -m operations.verify ") for line in lines)
    assert all(line.endswith(".") for line in lines)


@given(IMAGES, IMAGES)
def test_a_first_difference_names_what_stands_on_either_side(table: Item, lake: Item) -> None:
    if transform.canonical(table) == transform.canonical(lake):
        return
    difference = first_difference(transform.canonical(table), transform.canonical(lake))
    assert difference.path.partition(".")[0] in {*table, *lake}
    assert difference.table != difference.lake


def test_a_long_value_is_shown_where_it_parts() -> None:
    table, lake = (f'{{"note":{{"S":"{"x" * 500}{end}{"y" * 500}"}}}}' for end in "ab")
    difference = first_difference(table, lake)
    assert "a" in difference.table
    assert "b" in difference.lake
    assert len(difference.table) < 100


def test_a_list_that_is_longer_differs_as_a_whole() -> None:
    table, lake = '{"l":{"L":[{"N":"1"},{"N":"2"}]}}', '{"l":{"L":[{"N":"1"}]}}'
    assert first_difference(table, lake).path == "l"
    assert first_difference(table, table.replace("2", "3")).path == "l[1]"


@given(*[st.sampled_from([None, "a", "b"])] * 3)
def test_a_fault_needs_an_item_at_rest(
    before: str | None, now: str | None, lake: str | None
) -> None:
    fault = kind(before, now, lake)
    assert (fault is None) == (now == lake)
    assert (fault == "unsettled") == (now != lake and before != now)


@given(
    st.dictionaries(st.text(max_size=3), st.sampled_from("ab")),
    st.dictionaries(st.text(max_size=3), st.sampled_from("ab")),
)
def test_the_ledger_keeps_what_only_one_side_says(
    lake: dict[str, str], table: dict[str, str]
) -> None:
    ledger = Ledger()
    ledger.enter(lake.items())
    ledger.strike(table.items())
    unlike = {key for key in {*lake, *table} if lake.get(key) != table.get(key)}
    assert ledger.doubt_the_rest() == len(unlike)
    assert {doubt.key: doubt.before for doubt in ledger.doubts()} == {
        key: table.get(key) for key in unlike
    }
    assert ledger.agreed == len(lake.keys() & table.keys() - unlike)
    ledger.close()
