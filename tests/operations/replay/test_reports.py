"""Reports of replay: the keys that were sent, and what of it was verified."""

from contextlib import closing

import pytest

from operations.replay.report import ReplayReport
from operations.replay.summary import ReplaySummary
from operations.replay.text_set import SentKeys
from operations.replay.validation import Rejected
from operations.replay.verification import MAX_LISTED, SentKeysResult
from operations.verify.diff import Difference
from operations.verify.result import VerifyResult
from tests.operations.verify.test_repairer import key
from tests.operations.verify.test_result import finding

BAD = Rejected("eventName: expected a non-empty string, found nothing")


def sent_result(wrong: dict[str, list[str]], key_count: int = 9) -> SentKeysResult:
    return SentKeysResult(key_count, wrong)


@pytest.mark.parametrize(
    ("wrong", "status", "lines"),
    [
        ({}, 0, ["lake equals table for 9 replayed keys"]),
        (
            {"unsettled": ["a"]},
            2,
            [
                "unsettled  a",
                "inconclusive: 1 of 9 replayed keys kept changing: run python -m operations.verify",
            ],
        ),
        (
            {"different": ["a", "b"], "unsettled": ["c"]},
            1,
            [
                "different  a  x: table has 1, lake has 2",
                "different  b",
                "unsettled  c",
                "lake differs from table for 3 of 9 replayed keys: "
                "run python -m operations.verify --repair",
            ],
        ),
    ],
)
def test_the_last_line_says_whether_keys_are_equal(
    wrong: dict[str, list[str]], status: int, lines: list[str]
) -> None:
    result = sent_result(wrong)
    if "different" in wrong:
        result.differences["a"] = Difference("x", "1", "2")
    assert result.status == status
    assert list(result.lines()) == lines
    document = result.document()
    assert (document["keys"], document["equal"], document["wrong"]) == (9, status == 0, wrong)


@pytest.mark.parametrize(("number", "line_count"), [(MAX_LISTED, 21), (MAX_LISTED + 1, 22)])
def test_text_lists_some_keys(number: int, line_count: int) -> None:
    lines = list(sent_result({"extra": [str(n) for n in range(number)]}).lines())
    assert len(lines) == line_count
    unlisted = [line for line in lines if "--json" in line]
    expected = ["extra      … and 1 more: use --json to list them"]
    assert unlisted == (expected if number > MAX_LISTED else [])


def test_keys_that_were_not_sent_are_left_out() -> None:
    result = VerifyResult()
    for number, kind in ((1, "different"), (2, "different"), (3, "missing")):
        result.add(finding(kind, number))
        result.differences[f"key {number}"] = Difference("x", "1", "2")
    sent = SentKeysResult(2)
    with closing(SentKeys()) as sent_keys:
        sent_keys.add("key 2")
        sent.add(result, sent_keys)
    assert sent.wrong_keys == {"different": ["key 2"]}
    assert sent.differences.keys() == {"key 2"}


@pytest.mark.parametrize(
    ("has_failed", "verification", "status"),
    [
        (False, None, 0),
        (True, None, 1),
        (False, sent_result({}), 0),
        (True, sent_result({}), 1),
        (False, sent_result({"unsettled": ["a"]}), 2),
        (True, sent_result({"unsettled": ["a"]}), 1),
        (False, sent_result({"extra": ["a"]}), 1),
    ],
)
def test_what_remains_outweighs_the_verification(
    has_failed: bool, verification: SentKeysResult | None, status: int
) -> None:
    summary = ReplaySummary()
    summary.count_replayed("code")
    if has_failed:
        summary.count_remaining("code", BAD, "s3://b/first")
    report = ReplayReport(False, summary, True, 1, verification)
    assert report.status == status
    last_line = list(report.lines())[-1]
    document = report.document()
    assert (document["dry_run"], document["whole"]) == (False, True)
    if verification is None:
        assert last_line == "what was sent is not verified: run python -m operations.verify"
        assert document["verification"] is None
    else:
        assert last_line == list(verification.lines())[-1]
        assert document["verification"] == verification.document()


def test_nothing_sent_needs_no_verification() -> None:
    report = ReplayReport(True, ReplaySummary())
    assert list(report.lines()) == ["nothing to replay: no error objects, no dead letters"]
    assert report.document()["dry_run"] is True


def test_counts_of_repaired_and_dry_runs() -> None:
    summary = ReplaySummary()
    summary.count_replayed("code")
    summary.count_repaired("code", 2)
    summary.count_remaining("code", BAD, "s3://b/first", 3)
    assert summary.document()["codes"] == {
        "code": {"found": 6, "replayed": 1, "left": 3, "repaired": 2}
    }
    *_, last_line = summary.lines(is_dry_run=True)
    assert last_line.startswith("would replay 1 of 6 records; 3 still fail. ")
    total = ReplaySummary()
    total.archived_count = 1
    other = ReplaySummary(archived_count=2)
    other.count_replayed("code")
    other.count_repaired("code", 2)
    other.count_remaining("code", Rejected("x", key(1), is_unrecoverable=True), "there")
    for _ in range(2):
        total.add(other)
    document = total.document()
    assert (document["found"], document["replayed"], document["repaired"]) == (8, 2, 4)
    assert (document["left"], document["archived"]) == (2, 5)
    total.unrecoverable.pop()
    assert list(other.lines())[-1].startswith("replayed 1 of 4 records; 1 still fails. ")
    assert total.document()["unrecoverable"] == [{"key": key(1), "reason": "x"}]
