"""Replay summary: every error code, every reason, and the total in the last line."""

from typing import Any

import pytest

from operations.replay import command
from operations.replay.summary import MAX_LISTED, ReplaySummary
from operations.replay.validation import RECORD_TOO_LARGE, Rejected

BAD = Rejected("eventName: expected a non-empty string, found nothing")
TOO_LARGE = Rejected(RECORD_TOO_LARGE, '{"order_id":{"S":"1"}}', is_unrecoverable=True)


@pytest.fixture
def summary() -> ReplaySummary:
    summary = ReplaySummary()
    for _ in range(3):
        summary.count_replayed("Lambda.FunctionError")
    other = ReplaySummary()
    other.count_remaining("Lambda.FunctionError", BAD, "s3://b/first")
    other.count_remaining("Lambda.FunctionError", BAD, "s3://b/second")
    other.count_remaining("RetryAttemptsExhausted", TOO_LARGE, "dead letter m")
    summary.add(other)
    return summary


def test_text_has_all_counts_and_reasons(summary: ReplaySummary) -> None:
    assert list(summary.lines()) == [
        "Lambda.FunctionError    5 found, 3 replayed, 2 left",
        "RetryAttemptsExhausted  1 found, 0 replayed, 1 left",
        "left  2  Lambda.FunctionError  eventName: expected a non-empty string, found nothing",
        "      first in s3://b/first",
        "left  1  RetryAttemptsExhausted  exceeds Kinesis's record limit of 1 MiB",
        "      first in dead letter m",
        "these cannot be replayed; run python -m operations.verify --repair, then "
        "python -m operations.replay --repaired to archive them",
        '      {"order_id":{"S":"1"}}  exceeds Kinesis\'s record limit of 1 MiB',
        "replayed 3 of 6 records; 3 still fail. Fix the errors above and run "
        "python -m operations.replay again; python -m operations.replay --archive-rejected "
        "archives what stays rejected",
    ]
    assert summary.status == 1


def test_counts_add_up_by_code_and_in_total(summary: ReplaySummary) -> None:
    document: dict[str, Any] = summary.document()
    for counts in (document, *document["codes"].values()):
        assert counts["found"] == counts["replayed"] + counts["left"]
    assert sum(reason["count"] for reason in document["reasons"]) == document["left"]


def test_text_lists_some_records_and_json_all() -> None:
    summary = ReplaySummary()
    for _ in range(MAX_LISTED + 1):
        summary.count_remaining("code", TOO_LARGE, "location")
    document: dict[str, Any] = summary.document()
    assert "      … and 1 more: use --json to list them" in list(summary.lines())
    assert len(document["unrecoverable"]) == MAX_LISTED + 1
    summary.unrecoverable.pop()
    assert not any("more: use --json" in line for line in summary.lines())


def test_changed_objects_are_for_the_next_replay() -> None:
    summary = ReplaySummary()
    summary.add(ReplaySummary(changed_count=2))
    assert summary.status == 1
    assert list(summary.lines()) == [
        "another command changed or moved 2 objects meanwhile: run python -m operations.replay "
        "again; it is harmless to send records twice",
        "replayed 0 of 0 records",
    ]


def test_an_empty_summary_says_so() -> None:
    summary = ReplaySummary()
    assert summary.status == 0
    assert list(summary.lines()) == ["nothing to replay: no error objects, no dead letters"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rate", "0"],
        ["--rate", "x"],
        ["x"],
        ["--json", "a", "b"],
        ["--repaired", "--archive-rejected"],
    ],
)
def test_invalid_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
