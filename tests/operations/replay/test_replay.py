"""Replay on the laptop chain: failed records reach the lake once their cause is fixed."""

import gzip
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config

import transform
from local.core.server import Cloud
from local.services.registry import SERVICES
from operations.object_content import Content
from operations.replay import command, error_objects, preflight
from operations.replay.error_objects import ErrorObject, ErrorObjects
from operations.replay.replayer import NO_DOCUMENTS
from operations.replay.validation import NO_RECORD, RECORD_TOO_LARGE
from operations.status.checks.failures import check_error_objects
from operations.tempfiles import SpooledFiles
from setup import names
from tests.strategies.records import stream_record
from tests.support.laptop_cloud import laptop
from tests.support.replay_fixture import (
    MAX_RECORD_BYTES,
    clients_with_response,
    delete_failed_records,
    deploy,
    error_document,
    insert_record,
    lake_rows,
    object_keys,
    put_error_object,
    read_object,
    reasons,
    redeploy,
    run_replay,
    write_orders,
)
from tests.support.whole_chain import (
    create_pipeline,
    failed_records,
    raising_function,
    run_verify,
)

HOUR = 3600
POISONED_COUNT = 1000


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud on which the setup scripts have created the chain."""
    with laptop(*SERVICES) as cloud:
        create_pipeline()
        yield cloud


@pytest.fixture(autouse=True)
def no_failed_records(chain: Cloud) -> None:
    """Start each test without failed records."""
    delete_failed_records(chain)


def test_failed_records_arrive_once_the_cause_is_fixed(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(chain, raising_function())
    write_orders(chain, "poisoned", POISONED_COUNT)
    chain.run_until_idle()
    assert len(list(failed_records(chain))) == POISONED_COUNT
    error_contents = {key: read_object(chain, key) for key in object_keys(chain, names.ERRORS)}
    redeploy(chain)

    before = chain_state(chain)
    status, document = run_replay(capsys, "--dry-run")
    assert (status, document["replayed"]) == (0, POISONED_COUNT)
    assert chain_state(chain) == before

    status, document = run_replay(capsys)
    assert (status, document["left"], document["archived"]) == (0, 0, len(error_contents))
    assert document["whole"]
    assert document["codes"] == {
        "Lambda.FunctionError": {"found": POISONED_COUNT, "replayed": POISONED_COUNT, "left": 0}
    }
    chain.run_until_idle()
    assert run_verify()[0] == 0
    rows = lake_rows(chain, "poisoned")
    assert len(rows) == len({row["cdc_event_id"] for row in rows}) == POISONED_COUNT
    assert object_keys(chain, names.ERRORS) == []
    archived = {read_object(chain, key) for key in object_keys(chain, names.REPLAYED)}
    assert archived >= set(error_contents.values())

    after = chain_state(chain)
    status, document = run_replay(capsys)
    chain.run_until_idle()
    assert (status, document["found"]) == (0, 0)
    assert chain_state(chain) == after


def chain_state(cloud: Cloud) -> tuple[list[str], int]:
    """Return every object of the bucket but query results, and Kinesis's number of records."""
    kinesis = cloud.client("kinesis")
    record_count = 0
    for shard in kinesis.list_shards(StreamName=names.STREAM)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=names.STREAM, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while records := (page := kinesis.get_records(ShardIterator=iterator))["Records"]:
            record_count += len(records)
            iterator = page["NextShardIterator"]
    keys = set(object_keys(cloud, "")) - set(object_keys(cloud, names.QUERIES))
    return sorted(keys), record_count


def test_an_archived_object_has_an_audit(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    content = error_document(insert_record("audited", 1))
    key = put_error_object(chain, "audited", content)
    assert run_replay(capsys)[0] == 0
    copy, audit = sorted(object_keys(chain, names.REPLAYED))
    assert audit == f"{copy}.audit.jsonl"
    assert read_object(chain, copy) == content
    header, entry = map(json.loads, read_object(chain, audit).splitlines())
    assert header["from"] == f"s3://{names.bucket()}/{key}"
    assert (header["replayed"], header["left"]) == (1, 0)
    assert entry == {
        "replayed": stream_record("INSERT", {}, None, {}, 1)["eventID"],
        "key": '{"order_id":{"S":"audited"}}',
    }


@pytest.mark.parametrize(("is_compressed", "separator"), [(True, b""), (False, b"\n")])
def test_rejected_documents_remain_in_their_object(
    chain: Cloud, capsys: pytest.CaptureFixture[str], is_compressed: bool, separator: bytes
) -> None:
    name = f"part-{is_compressed}-{separator!r}"
    good = [error_document(insert_record(f"{name}-{number}", number + 1)) for number in range(3)]
    bad = [error_document(b"not a change", "Lambda.ProcessingFailedStatus"), b"{]"]
    content = separator.join([good[0], bad[0], good[1], good[2]]) + b"\n" + bad[1]
    if is_compressed:
        key = put_error_object(chain, name, gzip.compress(content), ContentEncoding="gzip")
    else:
        key = put_error_object(chain, name, content)
    status, document = run_replay(capsys)
    assert (status, document["found"]) == (1, 5)
    assert (document["replayed"], document["left"]) == (3, 2)
    assert {(reason["code"], reason["reason"]) for reason in document["reasons"]} == {
        (
            "Lambda.ProcessingFailedStatus",
            "not a change of a table: expected JSON in UTF-8, found other bytes",
        ),
        ("unknown", NO_RECORD),
    }
    response = chain.client("s3").get_object(Bucket=names.bucket(), Key=key)
    assert response.get("ContentEncoding", "") == ("gzip" if is_compressed else "")
    body = response["Body"].read()
    remaining = gzip.decompress(body) if is_compressed else body
    assert remaining.splitlines() == bad
    chain.run_until_idle()
    assert len(lake_rows(chain, name)) == 3
    status, document = run_replay(capsys)
    assert (status, document["replayed"]) == (1, 0)
    assert (document["left"], document["archived"]) == (2, 0)


def test_rows_that_firehose_rejected_are_replayed(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    data = b64encode(insert_record("row", 1, note={"S": "é"})).decode()
    [result] = transform.transform_batch({"records": [{"recordId": "1", "data": data}]}).records
    row = b64decode(result["data"])
    code = "DynamicPartitioning.ActivePartitionsLimitExceeded"
    put_error_object(chain, "row", error_document(row, code))
    status, document = run_replay(capsys)
    assert status == 0
    assert document["codes"] == {code: {"found": 1, "replayed": 1, "left": 0}}
    chain.run_until_idle()
    assert lake_rows(chain, "row") == [json.loads(row)]


class Killed(BaseException):
    """Ends the process, as a kill does."""


@pytest.mark.parametrize(
    ("operation", "bad"),
    [
        ("CopyObject", error_document(b"x")),
        ("PutObject", error_document(b"x")),
        ("DeleteObject", b""),
    ],
)
def test_a_kill_before_the_archive_loses_nothing(
    chain: Cloud,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    bad: bytes,
) -> None:
    prefix = f"killed-{operation}"
    good = [error_document(insert_record(f"{prefix}-{number}", number + 1)) for number in range(2)]
    key = put_error_object(chain, operation, good[0] + bad + good[1])
    with monkeypatch.context() as patch:
        patch.setattr(boto3, "client", clients_killed_before(operation))
        with pytest.raises(Killed):
            command.main([])
    assert read_object(chain, key) == good[0] + bad + good[1]
    assert run_replay(capsys)[1]["replayed"] == 2
    assert object_keys(chain, names.ERRORS) == ([key] if bad else [])
    chain.run_until_idle()
    rows = [json.dumps(row, sort_keys=True) for row in lake_rows(chain, prefix)]
    assert (len(rows), len(set(rows))) == (4, 2)


def test_a_replay_that_ends_early_is_not_whole(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second"):
        put_error_object(chain, name, error_document(insert_record(name, 1)))
    download = ErrorObjects.download

    def download_first(
        objects: ErrorObjects, error_object: ErrorObject, files: SpooledFiles
    ) -> Content:
        if error_object.key.endswith("second"):
            raise Killed
        return download(objects, error_object, files)

    monkeypatch.setattr(ErrorObjects, "download", download_first)
    capsys.readouterr()
    with pytest.raises(Killed):
        command.main(["--json"])
    document = json.loads(capsys.readouterr().out)
    assert (document["whole"], document["replayed"], document["archived"]) == (False, 1, 1)


def clients_killed_before(operation: str) -> Callable[..., Any]:
    """Return a client factory whose clients kill the process before they send a request."""
    create_client: Callable[..., Any] = boto3.client  # one overload for each service

    def client(service: str) -> Any:
        created = create_client(service, config=Config())  # Other tests do not share it.
        created.meta.events.register(f"before-call.{service}.{operation}", kill)
        return created

    def kill(**_: Any) -> None:
        raise Killed

    return client


def test_an_object_moved_by_another_replay_is_left(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put_error_object(chain, "race", error_document(insert_record("race", 1)))
    download = ErrorObjects.download

    def download_and_delete(*arguments: Any) -> Content:
        content = download(*arguments)
        chain.client("s3").delete_object(Bucket=names.bucket(), Key=key)
        return content

    monkeypatch.setattr(ErrorObjects, "download", download_and_delete)
    status, document = run_replay(capsys)
    assert (status, document["replayed"], document["changed"]) == (1, 1, 1)
    assert (document["left"], document["archived"]) == (0, 0)
    assert object_keys(chain, names.ERRORS) == object_keys(chain, names.REPLAYED) == []


@pytest.mark.parametrize("rejected", [[], [b"{]"]])
def test_an_object_rewritten_by_an_erase_is_left(
    chain: Cloud,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    rejected: list[bytes],
) -> None:
    document, erased = (error_document(insert_record("race", number)) for number in (1, 2))
    key = put_error_object(chain, "race", b"\n".join([document, *rejected]))
    write = ErrorObjects.write

    def write_and_rewrite(self: ErrorObjects, audit_key: str, audit: Content) -> None:
        write(self, audit_key, audit)
        put_error_object(chain, "race", erased)

    with monkeypatch.context() as context:
        context.setattr(ErrorObjects, "write", write_and_rewrite)
        status, report = run_replay(capsys)
    assert (status, report["replayed"], report["left"]) == (1, 1, len(rejected))
    assert (report["archived"], report["changed"]) == (0, 1)
    assert read_object(chain, key) == erased
    status, report = run_replay(capsys)
    assert (status, report["replayed"], report["changed"]) == (0, 1, 0)
    assert object_keys(chain, names.ERRORS) == []


def test_unrecoverable_records_stay_until_repaired(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    large = insert_record("large", 1, blob={"S": "x" * MAX_RECORD_BYTES})
    bad = error_document(insert_record("bad", 1).replace(b"INSERT", b"UPSERT"))
    contents = {
        "a": b"\x00\x01 not a document",
        "b": b"\x1f\x8b not gzip",
        "c": error_document(large, "Lambda.ProcessingFailedStatus") + bad,
    }
    for name, content in contents.items():
        put_error_object(chain, name, content)
    status, document = run_replay(capsys)
    assert (status, document["found"]) == (1, 4)
    assert (document["left"], document["archived"]) == (4, 0)
    unrecoverable = {"key": '{"order_id":{"S":"large"}}', "reason": RECORD_TOO_LARGE}
    assert unrecoverable in document["unrecoverable"]
    assert len(document["unrecoverable"]) == 3
    assert error_object_contents(chain) == sorted(contents.values())
    status, document = run_replay(capsys, "--repaired")
    assert (status, document["repaired"]) == (1, 3)
    assert (document["left"], document["archived"]) == (1, 3)
    assert error_object_contents(chain) == [bad + b"\n"]
    status, document = run_replay(capsys, "--archive-rejected")
    assert (status, document["repaired"], document["left"]) == (0, 1, 0)
    assert error_object_contents(chain) == []
    audits = [key for key in object_keys(chain, names.REPLAYED) if key.endswith("audit.jsonl")]
    entries = [json.loads(line) for key in audits for line in read_object(chain, key).splitlines()]
    archived_reasons = {entry["reason"] for entry in entries if "reason" in entry}
    assert {RECORD_TOO_LARGE, NO_RECORD} < archived_reasons
    assert any(reason.startswith("eventName: expected ") for reason in archived_reasons)


def test_what_never_was_a_change_can_be_archived(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, record in enumerate((b"Hello", b'{"ticker_symbol":"QXZ"}')):
        put_error_object(chain, str(number), error_document(record))
    put_error_object(chain, "blank", b" \n\t\n")
    put_error_object(chain, "blank-gzip", gzip.compress(b"\n"))
    status, document = run_replay(capsys)
    assert (status, document["left"], len(error_object_contents(chain))) == (1, 4, 4)
    assert NO_DOCUMENTS in reasons(document)
    status, document = run_replay(capsys, "--repaired")
    assert (status, document["repaired"], document["left"]) == (0, 4, 0)
    assert error_object_contents(chain) == []
    status, document = run_replay(capsys)
    assert (status, document["found"]) == (0, 0)
    assert check_error_objects(None).message == "none"


def error_object_contents(cloud: Cloud) -> list[bytes]:
    """Return the contents of all error objects, sorted."""
    return sorted(read_object(cloud, key) for key in object_keys(cloud, names.ERRORS))


def test_objects_newer_than_the_replay_are_ignored(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_error_object(chain, "old", error_document(insert_record("old", 1)))
    one_minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    with monkeypatch.context() as patch:
        patch.setattr(error_objects, "response_time", lambda _: one_minute_ago)
        assert run_replay(capsys)[1]["found"] == 0
    assert run_replay(capsys)[1]["replayed"] == 1


def test_empty_objects_are_ignored(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    put_error_object(chain, "", b"")
    status, document = run_replay(capsys)
    assert (status, document["found"]) == (0, 0)


def test_nothing_is_sent_while_other_code_is_deployed(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    key = put_error_object(chain, "early", error_document(insert_record("early", 1)))
    deploy(chain, raising_function())
    try:
        assert command.main([]) == 1
        assert "deploy it first with python setup/05_lambda.py" in capsys.readouterr().err
        assert object_keys(chain, names.ERRORS) == [key]
        assert command.main(["--dry-run"]) == 0
    finally:
        redeploy(chain)


def test_a_missing_function_names_its_script(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "FUNCTION", "absent")
    assert command.main([]) == 1
    assert "does not exist: run python setup/05_lambda.py" in capsys.readouterr().err


def test_nothing_moves_while_kinesis_rejects_records(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = put_error_object(chain, "busy", error_document(insert_record("busy", 1)))
    rejection = {"Records": [{"ErrorCode": "ProvisionedThroughputExceededException"}]}
    monkeypatch.setattr("operations.kinesis_writer.RETRY_ATTEMPTS", 0)
    client = clients_with_response("kinesis", "PutRecords", rejection)
    monkeypatch.setattr(boto3, "client", client)
    assert command.main([]) == 1
    captured = capsys.readouterr()
    assert "is throttling" in captured.err
    assert captured.out == ""
    assert object_keys(chain, names.ERRORS) == [key]
