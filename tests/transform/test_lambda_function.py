"""The function that Firehose calls: it answers, and logs one line that tells no content."""

import json
from pathlib import Path

import pytest

import transform
from lambda_function import lambda_handler
from tests.strategies.records import firehose_record, stream_record
from tests.support.paths import EVENTS

KEY = {"order_id": {"S": "secret"}}


@pytest.mark.parametrize("path", sorted(EVENTS.glob("firehose_*.json")), ids=lambda path: path.stem)
def test_the_handler_answers_as_the_library_does_and_logs_one_line(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = json.loads(path.read_text())
    assert lambda_handler(event, None) == transform.transform_batch(event).response
    (line,) = capsys.readouterr().out.splitlines()
    assert set(json.loads(line)) == {"in", "ok", "failed", "reason"}


def test_the_log_tells_no_content(capsys: pytest.CaptureFixture[str]) -> None:
    bad = {**KEY, "nested": {"M": {"secret": {"N": "secret"}}}}
    records = [stream_record("INSERT", KEY, None, {**KEY, "total": {"N": "secret"}})]
    records.append(stream_record("INSERT", KEY, None, bad))
    for record in [*records, b"secret"]:
        lambda_handler({"records": [firehose_record(record)]}, None)
    assert "secret" not in capsys.readouterr().out


def test_an_event_without_records_raises() -> None:
    with pytest.raises(transform.BadRecord, match="records: expected a list, found nothing"):
        lambda_handler({"invocationId": "1"}, None)
