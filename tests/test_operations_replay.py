"""replay: what failed goes back once its cause is mended, and nothing else happens to it."""

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import pytest

import transform
from local.cloud import Cloud
from local.demo import run
from local.parts import PARTS
from operations import replay, resending, sending
from operations.acceptance import NO_RECORD, TOO_LARGE
from operations.resending import EXPIRED, NO_RUN
from setup import names
from tests.laptop import laptop
from tests.strategies import stream_record
from tests.test_chain import kept_originals, raising_function, verified

HOUR = 3600
POISONED = 1000
LIMIT = 1024 * 1024

Told = dict[str, Any]


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the real scripts have built the chain."""
    with laptop(*PARTS) as cloud:
        run(cloud, "setup")
        yield cloud


@pytest.fixture(autouse=True)
def bare(chain: Cloud) -> None:
    """Leave nothing of another test that this one could find."""
    for prefix in (names.ERRORS, names.REPLAYED):
        for key in keys(chain, prefix):
            chain.client("s3").delete_object(Bucket=names.bucket(), Key=key)
    chain.client("sqs").purge_queue(QueueUrl=queue(chain))


def replayed(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, Told]:
    """Return the exit status of a replay, and what it tells programs."""
    capsys.readouterr()
    status = replay.main(["--json", *options])
    return status, json.loads(capsys.readouterr().out)


def keys(cloud: Cloud, prefix: str) -> list[str]:
    """Return the keys of the objects that lie under a prefix."""
    pages = cloud.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=names.bucket(), Prefix=prefix)
    return [entry["Key"] for page in found for entry in page.get("Contents", ())]


def body(cloud: Cloud, key: str) -> bytes:
    """Return the content of an object."""
    return cloud.client("s3").get_object(Bucket=names.bucket(), Key=key)["Body"].read()


def put_error(cloud: Cloud, name: str, content: bytes, **more: str) -> str:
    """Put an error object, and return its key."""
    key = f"{names.ERRORS}processing-failed/2026-11-23/{name}"
    cloud.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=content, **more)
    return key


def error(raw: bytes, code: str = "Lambda.FunctionError") -> bytes:
    """Return an error document of a record."""
    told = {"rawData": b64encode(raw).decode(), "errorCode": code, "arrivalTimestamp": 1}
    return json.dumps(told).encode()


def insert(order: str, number: int, **attributes: Any) -> bytes:
    """Return the record of an order that came to be; it is of a stream older than the table's."""
    key = {"order_id": {"S": order}}
    record = stream_record("INSERT", key, None, {**key, **attributes}, number)
    return json.dumps(record, separators=(",", ":")).encode()


def write_orders(cloud: Cloud, name: str, count: int) -> None:
    """Write orders into the table."""
    dynamodb = cloud.client("dynamodb")
    for number in range(count):
        item = {"order_id": {"S": f"{name}-{number}"}, "total": {"N": str(number)}}
        dynamodb.put_item(TableName=names.TABLE, Item=item)


def deploy(cloud: Cloud, code: bytes) -> None:
    """Let the function run other code."""
    cloud.client("lambda").update_function_code(FunctionName=names.FUNCTION, ZipFile=code)


def mend(cloud: Cloud) -> None:
    """Deploy the function again as it should be."""
    run(cloud, "setup/05_lambda.py")


def lake_rows(cloud: Cloud) -> list[dict[str, str]]:
    """Return all rows of the lake."""
    texts = (gzip.decompress(body(cloud, key)) for key in keys(cloud, names.LAKE))
    return [json.loads(line) for text in texts for line in text.splitlines()]


def rows_of(cloud: Cloud, name: str) -> list[dict[str, str]]:
    """Return the lake's rows of orders whose name begins so."""
    return [row for row in lake_rows(cloud) if row["order_id"].startswith(name)]


def queue(cloud: Cloud) -> str:
    """Return the URL of the queue of dead letters."""
    return cloud.client("sqs").get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]


def waiting(cloud: Cloud) -> int:
    """Return how many dead letters can be read."""
    asked = ["ApproximateNumberOfMessages"]
    answer = cloud.client("sqs").get_queue_attributes(QueueUrl=queue(cloud), AttributeNames=asked)
    return int(answer["Attributes"][asked[0]])


def test_what_failed_arrives_once_its_cause_is_mended(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(chain, raising_function())
    write_orders(chain, "poisoned", POISONED)
    chain.settle()
    assert len(list(kept_originals(chain))) == POISONED
    failed = {key: body(chain, key) for key in keys(chain, names.ERRORS)}
    mend(chain)
    before = state_of_everything(chain)
    status, told = replayed(capsys, "--dry-run")
    assert (status, told["replayed"], state_of_everything(chain)) == (0, POISONED, before)
    status, told = replayed(capsys)
    assert (status, told["left"], told["moved"]) == (0, 0, len(failed))
    assert told["codes"] == {
        "Lambda.FunctionError": {"found": POISONED, "replayed": POISONED, "left": 0}
    }
    chain.settle()
    assert verified(chain)[0] == 0
    rows = rows_of(chain, "poisoned")
    assert len(rows) == len({row["cdc_event_id"] for row in rows}) == POISONED
    assert keys(chain, names.ERRORS) == []
    assert {body(chain, key) for key in keys(chain, names.REPLAYED)} >= set(failed.values())
    after = state_of_everything(chain)
    status, told = replayed(capsys)
    chain.settle()
    assert (status, told["found"], state_of_everything(chain)) == (0, 0, after)


def state_of_everything(cloud: Cloud) -> tuple[list[str], int]:
    """Return every object of the bucket, and how many records Kinesis has taken."""
    kinesis = cloud.client("kinesis")
    shards = kinesis.list_shards(StreamName=names.STREAM)["Shards"]
    taken = 0
    for shard in shards:
        iterator = kinesis.get_shard_iterator(
            StreamName=names.STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while records := (page := kinesis.get_records(ShardIterator=iterator))["Records"]:
            taken += len(records)
            iterator = page["NextShardIterator"]
    return sorted(set(keys(cloud, "")) - set(keys(cloud, names.QUERIES))), taken


def test_what_replay_moves_has_an_audit_beside_it(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    key = put_error(chain, "audited", error(insert("audited", 1)))
    assert replayed(capsys)[0] == 0
    copy, audit = sorted(keys(chain, names.REPLAYED))
    assert audit == f"{copy}.audit.jsonl"
    assert body(chain, copy) == error(insert("audited", 1))
    head, put = map(json.loads, body(chain, audit).splitlines())
    assert head["from"] == f"s3://{names.bucket()}/{key}"
    assert (head["replayed"], head["left"]) == (1, 0)
    assert put == {
        "replayed": stream_record("INSERT", {}, None, {}, 1)["eventID"],
        "key": '{"order_id":{"S":"audited"}}',
    }


@pytest.mark.parametrize("pack", [False, True])
@pytest.mark.parametrize("between", [b"", b"\n"])
def test_of_an_object_only_the_part_that_is_accepted_leaves(
    chain: Cloud, capsys: pytest.CaptureFixture[str], pack: bool, between: bytes
) -> None:
    name = f"part-{pack}-{between!r}"
    good = [error(insert(f"{name}-{number}", number + 1)) for number in range(3)]
    bad = [error(b"not a change", "Lambda.ProcessingFailedStatus"), b"{]"]
    content = between.join([good[0], bad[0], good[1], good[2]]) + b"\n" + bad[1]
    more = {"ContentEncoding": "gzip"} if pack else {}
    key = put_error(chain, name, gzip.compress(content) if pack else content, **more)
    status, told = replayed(capsys)
    assert (status, told["found"], told["replayed"], told["left"]) == (1, 5, 3, 2)
    assert {(each["code"], each["reason"]) for each in told["reasons"]} == {
        ("Lambda.ProcessingFailedStatus", "expected JSON in UTF-8, found other bytes"),
        ("unknown", NO_RECORD),
    }
    rest = chain.client("s3").get_object(Bucket=names.bucket(), Key=key)
    assert rest.get("ContentEncoding", "") == ("gzip" if pack else "")
    kept = rest["Body"].read()
    assert (gzip.decompress(kept) if pack else kept).splitlines() == bad
    chain.settle()
    assert len(rows_of(chain, name)) == 3
    status, told = replayed(capsys)
    assert (status, told["replayed"], told["left"], told["moved"]) == (1, 0, 2, 0)


def test_rows_that_firehose_could_not_file_go_back_as_their_changes(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    record = insert("row", 1, note={"S": "é"})
    data = b64encode(record).decode()
    [made] = transform.answer({"records": [{"recordId": "1", "data": data}]}).records
    row = b64decode(made["data"])
    code = "DynamicPartitioning.ActivePartitionsLimitExceeded"
    put_error(chain, "row", error(row, code))
    status, told = replayed(capsys)
    assert (status, told["codes"]) == (0, {code: {"found": 1, "replayed": 1, "left": 0}})
    chain.settle()
    assert rows_of(chain, "row") == [json.loads(row)]


def test_a_kill_between_putting_and_moving_loses_nothing(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = error(insert("killed", 1)) + error(b"bad")
    key = put_error(chain, "killed", content)
    for step in ("copy_object", "put_object", "delete_object"):
        with monkeypatch.context() as patch:
            patch.setattr(replay, "boto3", Dying(step))
            with pytest.raises(Killed) if step != "delete_object" else pytest.raises(SystemExit):
                raise SystemExit(replay.main([]))
        capsys.readouterr()
        chain.settle()
        assert b"not a change" not in body(chain, key)
    assert verified(chain)[0] in (0, 1)
    assert {row["cdc_event_id"] for row in rows_of(chain, "killed")} != set()
