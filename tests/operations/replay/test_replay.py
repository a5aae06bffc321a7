"""replay: what failed goes back once its cause is mended, and nothing else happens to it."""

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import boto3
import pytest

import transform
from local.core.server import Cloud
from local.demo import run_script
from local.services.registry import SERVICES
from operations import kinesis_writer as sending
from operations.replay import __main__ as replay
from operations.replay import error_objects
from operations.replay import preflight as road
from operations.replay.dead_letters import Letter, Stream, letter
from operations.replay.error_objects import ErrorObjects
from operations.replay.replayer import EXPIRED, HELD, NO_RUN
from operations.replay.validation import NO_RECORD, TOO_LARGE
from setup import names
from tests.strategies.records import stream_record
from tests.support.laptop_cloud import laptop
from tests.support.replay_fixture import (
    LIMIT,
    Told,
    answering,
    body,
    deploy,
    empty,
    error,
    insert,
    keys,
    mend,
    put_error,
    queue,
    replayed,
    rows_of,
    waiting,
    write_orders,
)
from tests.support.whole_chain import kept_originals, raising_function, verified

HOUR = 3600
POISONED = 1000


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the real scripts have built the chain."""
    with laptop(*SERVICES) as cloud:
        run_script(cloud, "setup")
        yield cloud


@pytest.fixture(autouse=True)
def bare(chain: Cloud) -> None:
    """Leave nothing of another test that this one could find."""
    empty(chain)


def test_what_failed_arrives_once_its_cause_is_mended(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(chain, raising_function())
    write_orders(chain, "poisoned", POISONED)
    chain.run_until_idle()
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
    chain.run_until_idle()
    assert verified()[0] == 0
    rows = rows_of(chain, "poisoned")
    assert len(rows) == len({row["cdc_event_id"] for row in rows}) == POISONED
    assert keys(chain, names.ERRORS) == []
    assert {body(chain, key) for key in keys(chain, names.REPLAYED)} >= set(failed.values())
    after = state_of_everything(chain)
    status, told = replayed(capsys)
    chain.run_until_idle()
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


def role_statements(cloud: Cloud) -> tuple[str, str, list[Told]]:
    """Return the pipe's role, the name of its policy, and what that allows."""
    iam, role = cloud.client("iam"), names.location().role_name("pipe")
    [policy] = iam.list_role_policies(RoleName=role)["PolicyNames"]
    document = iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
    return role, policy, document["Statement"]


def deny_kinesis(cloud: Cloud) -> None:
    """Take from the pipe's role what lets it put into Kinesis, and from the pipe its patience."""
    pipes = cloud.client("pipes")
    found = pipes.describe_pipe(Name=names.PIPE)
    reading = {**found["SourceParameters"]["DynamoDBStreamParameters"], "MaximumRetryAttempts": 2}
    del reading["StartingPosition"]
    source = {"DynamoDBStreamParameters": reading}
    pipes.update_pipe(Name=names.PIPE, RoleArn=found["RoleArn"], SourceParameters=source)
    role, policy, statements = role_statements(cloud)
    rest = [each for each in statements if "kinesis:" not in str(each["Action"])]
    assert len(rest) < len(statements)
    document = json.dumps({"Version": "2012-10-17", "Statement": rest})
    cloud.client("iam").put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=document)


def test_dead_letters_go_back_from_the_tables_stream(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    deny_kinesis(chain)
    write_orders(chain, "letter", 30)
    chain.run_until_idle()
    run_script(chain, "setup/04_iam.py")
    run_script(chain, "setup/07_pipe.py")
    letters = waiting(chain)
    assert letters > 0
    assert rows_of(chain, "letter") == []
    status, told = replayed(capsys, "--dry-run")
    assert (status, told["replayed"], waiting(chain)) == (0, 30, letters)
    status, told = replayed(capsys)
    assert (status, told["moved"], waiting(chain)) == (0, letters, 0)
    assert told["codes"] == {"RetryAttemptsExhausted": {"found": 30, "replayed": 30, "left": 0}}
    chain.run_until_idle()
    assert verified()[0] == 0
    audits = [json.loads(body(chain, key).splitlines()[0]) for key in keys(chain, names.REPLAYED)]
    assert (
        sum(json.loads(each["letter"])["DDBStreamBatchInfo"]["batchSize"] for each in audits) == 30
    )
    assert replayed(capsys)[1]["found"] == 0


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


@pytest.mark.parametrize(("pack", "between"), [(True, b""), (False, b"\n")])
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
    chain.run_until_idle()
    assert len(rows_of(chain, name)) == 3
    status, told = replayed(capsys)
    assert (status, told["replayed"], told["left"], told["moved"]) == (1, 0, 2, 0)


def test_rows_that_firehose_could_not_file_go_back_as_their_changes(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    record = insert("row", 1, note={"S": "é"})
    data = b64encode(record).decode()
    [made] = transform.transform_batch({"records": [{"recordId": "1", "data": data}]}).records
    row = b64decode(made["data"])
    code = "DynamicPartitioning.ActivePartitionsLimitExceeded"
    put_error(chain, "row", error(row, code))
    status, told = replayed(capsys)
    assert (status, told["codes"]) == (0, {code: {"found": 1, "replayed": 1, "left": 0}})
    chain.run_until_idle()
    assert rows_of(chain, "row") == [json.loads(row)]


class Killed(BaseException):
    """What ends the process."""


def test_a_kill_between_putting_and_moving_loses_nothing(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for step, bad in (
        ("CopyObject", error(b"x")),
        ("PutObject", error(b"x")),
        ("DeleteObject", b""),
    ):
        good = [error(insert(f"killed-{step}-{number}", number + 1)) for number in range(2)]
        key = put_error(chain, step, good[0] + bad + good[1])
        with monkeypatch.context() as patch:
            patch.setattr(replay.boto3, "client", dying_before(step))
            with pytest.raises(Killed):
                replay.main([])
        assert body(chain, key) == good[0] + bad + good[1]
        assert replayed(capsys)[1]["replayed"] == 2
        assert keys(chain, names.ERRORS) == ([key] if bad else [])
        chain.client("s3").delete_object(Bucket=names.bucket(), Key=key)
    chain.run_until_idle()
    rows = [json.dumps(row, sort_keys=True) for row in rows_of(chain, "killed")]
    assert (len(rows), len(set(rows))) == (12, 6)


def dying_before(operation: str) -> Callable[..., Any]:
    """Return what makes clients of a process that is killed before it sends that request."""
    make = boto3.client

    def client(service: str) -> Any:
        made = make(service)
        made.meta.events.register(f"before-call.{service}.{operation}", die)
        return made

    def die(**_: Any) -> None:
        raise Killed

    return client


def test_an_object_that_another_replay_moves_meanwhile_is_not_ours(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put_error(chain, "race", error(insert("race", 1)))
    content = ErrorObjects.content

    def late(*given: Any) -> Any:
        found = content(*given)
        chain.client("s3").delete_object(Bucket=names.bucket(), Key=key)
        return found

    monkeypatch.setattr(ErrorObjects, "content", late)
    assert replayed(capsys)[1]["found"] == 0
    assert keys(chain, names.REPLAYED) == []


def test_what_no_replay_brings_back_stays_until_it_is_repaired(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    large = insert("large", 1, blob={"S": "x" * LIMIT})
    content = {
        "a": b"\x00\x01 no document",
        "b": b"\x1f\x8b no gzip",
        "c": error(large, "Lambda.ProcessingFailedStatus") + error(b"bad"),
    }
    for name, each in content.items():
        put_error(chain, name, each)
    status, told = replayed(capsys)
    assert (status, told["found"], told["left"], told["moved"]) == (1, 4, 4, 0)
    assert {"key": '{"order_id":{"S":"large"}}', "reason": TOO_LARGE} in told["lost"]
    assert len(told["lost"]) == 3
    assert sorted(body(chain, key) for key in keys(chain, names.ERRORS)) == sorted(content.values())
    status, told = replayed(capsys, "--repaired")
    assert (status, told["repaired"], told["left"], told["moved"]) == (1, 3, 1, 3)
    assert [body(chain, key) for key in keys(chain, names.ERRORS)] == [error(b"bad") + b"\n"]


def test_letters_that_somebody_else_reads_are_not_passed_over(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    sqs, url = chain.client("sqs"), queue(chain)
    sqs.send_message(QueueUrl=url, MessageBody="no letter")
    [hidden] = sqs.receive_message(QueueUrl=url, VisibilityTimeout=HOUR)["Messages"]
    status, told = replayed(capsys)
    assert (status, told["found"], told["left"], told["lost"]) == (1, 1, 1, [])
    assert told["reasons"][0]["reason"] == HELD
    sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=hidden["ReceiptHandle"], VisibilityTimeout=0
    )
    assert [each["reason"] for each in replayed(capsys)[1]["reasons"]] == [NO_RUN]


def test_what_fails_while_others_are_sent_is_for_another_time(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_error(chain, "old", error(insert("old", 1)))
    before = datetime.now(timezone.utc) - timedelta(minutes=1)
    monkeypatch.setattr(error_objects, "answered_at", lambda _: before)
    assert replayed(capsys)[1]["found"] == 0
    monkeypatch.undo()
    assert replayed(capsys)[1]["replayed"] == 1


def test_empty_objects_are_no_errors(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    put_error(chain, "", b"")
    assert replayed(capsys)[:1] == (0,)


def test_nothing_is_put_while_the_function_runs_other_code(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    key = put_error(chain, "early", error(insert("early", 1)))
    deploy(chain, raising_function())
    assert replay.main([]) == 1
    assert "run python setup/05_lambda.py" in capsys.readouterr().err
    assert keys(chain, names.ERRORS) == [key]
    assert replay.main(["--dry-run"]) == 0
    mend(chain)


def test_a_function_that_is_missing_or_cannot_be_packed_is_told_with_its_cure(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road, "DEPLOY", "setup/absent.py")
    road.checked_out_code.cache_clear()
    assert replay.main([]) == 1
    assert "this checkout's function cannot be packed" in capsys.readouterr().err
    monkeypatch.setattr(road, "FUNCTION", "absent")
    assert replay.main([]) == 1
    assert "is missing: run python setup/05_lambda.py" in capsys.readouterr().err


def test_a_refusal_of_kinesis_moves_nothing_and_says_so(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put_error(chain, "busy", error(insert("busy", 1)))
    results = [{"ErrorCode": "ProvisionedThroughputExceededException"}]
    monkeypatch.setattr(sending, "PAUSES", ())
    monkeypatch.setattr(
        replay.boto3, "client", answering("kinesis", "PutRecords", {"Records": results})
    )
    assert replay.main([]) == 1
    said = capsys.readouterr()
    assert "takes no more" in said.err
    assert said.out == ""
    assert keys(chain, names.ERRORS) == [key]


def large_order(cloud: Cloud, name: str) -> Letter:
    """Write an order whose change Kinesis does not take, and return the pipe's letter about it."""
    item = {"order_id": {"S": name}, "blob": {"S": "\1" * 200_000}}
    cloud.client("dynamodb").put_item(TableName=names.TABLE, Item=item)
    cloud.run_until_idle()
    [message] = cloud.client("sqs").receive_message(QueueUrl=queue(cloud), VisibilityTimeout=0)[
        "Messages"
    ]
    return letter(message)


def test_of_a_letter_only_the_changes_that_go_leave_it(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    write_orders(chain, "before", 3)
    one = large_order(chain, "big")
    assert one.run
    shard = replace(one.run, first=f"{1:021}", last=one.run.last)
    found = list(Stream(boto3.client("dynamodbstreams")).records(shard))
    first = found[-4]["dynamodb"]["SequenceNumber"]
    more = one.about(one.run.part(first, one.run.last, 4))
    url = queue(chain)
    chain.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=one.receipt)
    chain.client("sqs").send_message(QueueUrl=url, MessageBody=more)
    status, told = replayed(capsys)
    assert (status, told["replayed"], told["left"], told["moved"]) == (1, 3, 1, 1)
    assert told["lost"] == [{"key": '{"order_id":{"S":"big"}}', "reason": TOO_LARGE}]
    status, told = replayed(capsys)
    assert (status, told["replayed"], told["left"], told["moved"]) == (1, 0, 1, 0)
    [message] = chain.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=0)["Messages"]
    assert letter(message).run == one.run
    status, told = replayed(capsys, "--repaired")
    assert (status, told["repaired"], waiting(chain)) == (0, 1, 0)


def test_a_letter_keeps_what_its_stream_ends_before(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    one = large_order(chain, "last")
    assert one.run
    url = queue(chain)
    chain.client("sqs").delete_message(QueueUrl=url, ReceiptHandle=one.receipt)
    write_orders(chain, "small", 1)
    beyond = "9" * 40
    *_, small = Stream(boto3.client("dynamodbstreams")).records(replace(one.run, last=beyond))
    run = replace(one.run, first=small["dynamodb"]["SequenceNumber"], last=beyond, count=3)
    chain.client("sqs").send_message(QueueUrl=url, MessageBody=one.about(run))
    status, told = replayed(capsys)
    assert (status, told["replayed"], told["left"]) == (1, 1, 2)
    assert [each["reason"] for each in told["reasons"]] == [EXPIRED]
    status, told = replayed(capsys)
    assert (status, told["replayed"], told["left"], waiting(chain)) == (1, 0, 2, 1)


def test_a_letter_whose_changes_are_gone_stays(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    one = large_order(chain, "gone")
    chain.client("sqs").send_message(QueueUrl=queue(chain), MessageBody="no letter")
    chain.clock.advance(25 * HOUR)
    chain.run_until_idle()
    status, told = replayed(capsys)
    assert (status, told["replayed"], told["left"], waiting(chain)) == (1, 0, 2, 2)
    assert {(each["code"], each["reason"]) for each in told["reasons"]} == {
        (one.code, EXPIRED),
        ("unknown", NO_RUN),
    }
    assert all("dead letter" in each["first"] for each in told["reasons"])
    assert replayed(capsys, "--dry-run", "--repaired")[1]["repaired"] == 2
    assert waiting(chain) == 2
