"""What a replay says: every code and every reason, and in the last line all of it."""

import pytest

from operations.replay import __main__ as replay
from operations.replay.summary import LISTED, Tally
from operations.replay.validation import TOO_LARGE, Refused

BAD = Refused("eventName: expected a non-empty string, found nothing")
LARGE = Refused(TOO_LARGE, '{"order_id":{"S":"1"}}', lost=True)


def told() -> Tally:
    """Return a tally of everything."""
    tally, other = Tally(), Tally()
    for _ in range(3):
        tally.replay("Lambda.FunctionError")
    other.leave("Lambda.FunctionError", BAD, "s3://b/first")
    other.leave("Lambda.FunctionError", BAD, "s3://b/second")
    other.leave("RetryAttemptsExhausted", LARGE, "dead letter m")
    tally.add(other)
    return tally


def test_a_tally_is_told_so() -> None:
    assert list(told().lines()) == [
        "Lambda.FunctionError    5 found, 3 replayed, 2 left",
        "RetryAttemptsExhausted  1 found, 0 replayed, 1 left",
        "left  2  Lambda.FunctionError  eventName: expected a non-empty string, found nothing",
        "      first in s3://b/first",
        "left  1  RetryAttemptsExhausted  larger than Kinesis takes",
        "      first in dead letter m",
        "no replay brings these back: run python -m operations.verify --repair, then "
        "python -m operations.replay --repaired",
        '      {"order_id":{"S":"1"}}  larger than Kinesis takes',
        "3 of 6 records replayed; 3 stay: mend what is named above, then run "
        "python -m operations.replay again",
    ]
    assert told().status == 1


def test_counts_are_conserved_by_code_and_in_all() -> None:
    document = told().document()
    for counts in (document, *document["codes"].values()):
        assert counts["found"] == counts["replayed"] + counts["left"]
    assert sum(each["count"] for each in document["reasons"]) == document["left"]


def test_people_are_shown_some_of_what_is_lost_and_told_of_the_rest() -> None:
    tally = Tally()
    for _ in range(LISTED + 2):
        tally.leave("code", LARGE, "place")
    assert "      and 2 more: list them with --json" in list(tally.lines())
    assert len(tally.document()["lost"]) == LISTED + 2


def test_nothing_found_is_nothing_left() -> None:
    assert (Tally().status, list(Tally().lines())) == (
        0,
        ["nothing to replay: no error objects, no dead letters"],
    )


@pytest.mark.parametrize("wrong", [["--rate", "0"], ["--rate", "x"], ["x"], ["--json", "a", "b"]])
def test_wrong_arguments_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        replay.main(wrong)
    assert ended.value.code == 2
