"""Lambda function: it returns the transformed batch and logs one line without content."""

import json
from pathlib import Path

import pytest

import lambda_function
import transform
from lambda_function import lambda_handler
from tests.strategies.records import Item, firehose_record, stream_record
from tests.support.paths import EVENTS

KEY = {"order_id": {"S": "secret"}}


@pytest.mark.parametrize("path", sorted(EVENTS.glob("firehose_*.json")), ids=lambda path: path.stem)
def test_handler_adds_only_one_log_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event = json.loads(path.read_text())
    assert lambda_handler(event, None) == transform.transform_batch(event).response
    (line,) = capsys.readouterr().out.splitlines()
    assert set(json.loads(line)) == {"in", "ok", "failed", "reason"}


def test_handler_passes_the_json_paths_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lambda_function, "JSON_PATHS", ["customer", "other"])
    record = stream_record("INSERT", KEY, None, {**KEY, "customer": {"M": {"id": {"S": "1"}}}})
    event = {"records": [firehose_record(record)]}
    assert lambda_handler(event, None) == transform.transform_batch(event, {"customer"}).response
    assert lambda_handler(event, None) != transform.transform_batch(event).response


def test_log_contains_no_content(capsys: pytest.CaptureFixture[str]) -> None:
    nested = {**KEY, "nested": {"M": {"secret": {"N": "secret"}}}}
    payloads: list[Item | bytes] = [
        stream_record("INSERT", KEY, None, {**KEY, "total": {"N": "secret"}}),
        stream_record("INSERT", KEY, None, nested),
        b"secret",
    ]
    for payload in payloads:
        lambda_handler({"records": [firehose_record(payload)]}, None)
    assert "secret" not in capsys.readouterr().out


def test_event_without_records_raises() -> None:
    with pytest.raises(transform.BadRecord, match="records: expected a list, found nothing"):
        lambda_handler({"invocationId": "1"}, None)
