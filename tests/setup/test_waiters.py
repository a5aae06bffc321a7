"""Waiting: patient with AWS, never for ever, and never with what waiting does not mend."""

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

waiting = import_module("setup.lib.waiters")

FIREHOSE = "Firehose is unable to assume role arn:aws:iam::1:role/r. Please check the role."
CONSISTENCY_ERRORS = [
    ("InvalidParameterValueException", "The role defined … cannot be assumed by Lambda."),
    ("InvalidArgumentException", FIREHOSE),
    ("InvalidArgumentException", "Role r is not authorized to perform: kinesis:DescribeStream"),
    ("InvalidInputException", "Service is unable to assume provided role. Please verify …"),
    ("ContinuousBackupsUnavailableException", "t has none yet."),
    ("OperationAborted", "A conflicting conditional operation is currently in progress"),
    ("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before …"),
]


class Clock:
    """A time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.slept.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def failing(times: float, code: str, text: str) -> Callable[[], str]:
    """Return a call that AWS refuses so many times before it accepts it."""
    calls = iter(range(10**6))

    def call() -> str:
        if next(calls) < times:
            raise ClientError({"Error": {"Code": code, "Message": text}}, "CreateSomething")
        return "made"

    return call


@pytest.mark.parametrize(("code", "text"), CONSISTENCY_ERRORS)
@pytest.mark.parametrize("times", [0, 1, 7])
def test_a_call_is_tried_again_while_iam_is_behind(
    clock: Clock, code: str, text: str, times: int
) -> None:
    assert waiting.retry_until_accepted(failing(times, code, text)) == "made"
    assert len(clock.slept) == times


def test_nothing_but_waiting_sleeps() -> None:
    scripts = Path(waiting.__file__).parent.parent.rglob("*.py")
    sleeping = [path.name for path in scripts if "sleep(" in path.read_text("utf-8")]
    assert sleeping == ["waiters.py"]


def test_patience_ends_after_two_minutes_with_what_aws_said(clock: Clock) -> None:
    with pytest.raises(ClientError, match="unable to assume role"):
        waiting.retry_until_accepted(failing(float("inf"), "InvalidArgumentException", FIREHOSE))
    assert 120 <= clock.now <= 125


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("AccessDeniedException", "User: u is not authorized to perform: lambda:CreateFunction"),
        ("AccessDenied", "User: u is not authorized to perform: iam:PassRole"),
        ("ValidationException", "1 validation error detected"),
        ("LimitExceededException", "too many"),
    ],
)
def test_what_waiting_does_not_mend_is_said_at_once(clock: Clock, code: str, text: str) -> None:
    with pytest.raises(ClientError, match=code):
        waiting.retry_until_accepted(failing(1, code, text))
    assert clock.slept == []


@given(st.floats(0.1, 1000))
def test_pauses_begin_small_grow_to_five_seconds_and_stay_within_the_limit(limit: float) -> None:
    clock = Clock()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(waiting, "time", clock)
        assert len(list(waiting.backoff(limit))) == len(clock.slept) + 1
    assert clock.slept[0] == 0.1
    assert clock.slept == sorted(clock.slept)
    assert max(clock.slept) <= 5.0
    assert limit <= clock.now < limit + 5.0


def states(*found: str) -> Callable[[], str]:
    def forever() -> Iterator[str]:
        yield from found
        while True:
            yield found[-1]

    return forever().__next__


@pytest.mark.usefixtures("clock")
def test_a_wanted_state_ends_the_wait() -> None:
    assert waiting.wait_until("it", states("CREATING", "ACTIVE: fine"), "ACTIVE") == "ACTIVE"
    assert waiting.wait_until("it", states("X", "STOPPED"), "RUNNING", "STOPPED") == "STOPPED"


@pytest.mark.parametrize("state", ["CREATE_FAILED: no access", "FAILED: line 1", "CANCELLED: by u"])
def test_a_failed_state_is_refused_at_once_with_its_reason(clock: Clock, state: str) -> None:
    with pytest.raises(waiting.SetupError, match=f"it: expected ACTIVE, found {state}"):
        waiting.wait_until("it", states("CREATING", state), "ACTIVE")
    assert len(clock.slept) == 1


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_terminal_shows_what_is_waited_for_and_is_left_clean(
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    is_terminal: bool,
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    waiting.wait_until("pipe p", states("CREATING", "RUNNING"), "RUNNING")
    waiting.wait_until_stable("pipe p", states("STOPPING", "STOPPED"))
    waiting.retry_until_accepted(failing(1, "InvalidArgumentException", FIREHOSE))
    waits = "pipe p is CREATING …", "pipe p is STOPPING …", "not yet: Firehose is unable t"
    lines = [f"\r{line}\033[K\r\033[K" for line in waits]
    assert capsys.readouterr().err == ("".join(lines) if is_terminal else "")


def test_what_is_on_its_way_is_waited_for_wherever_it_goes(clock: Clock) -> None:
    for end in ("ACTIVE", "missing", "CREATE_FAILED: no access"):
        assert waiting.wait_until_stable("it", states("CREATING", "DELETING", end)) == end
    with pytest.raises(
        waiting.WaitTimeout, match="it: expected an end of that, found DELETING after"
    ):
        waiting.wait_until_stable("it", states("DELETING"))
    assert 600 <= clock.now <= 610


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("failed", ["CREATE_FAILED: x", "CREATING_FAILED: x"])
def test_what_could_not_be_made_is_deleted_and_nothing_else(failed: str) -> None:
    deleted: list[bool] = []
    gone = states("CREATING", failed, failed, "DELETING", "missing")
    assert waiting.delete_if_creation_failed("it", gone, lambda: deleted.append(True)) == "missing"
    for kept in ("ACTIVE", "missing", "UPDATE_FAILED: x", "START_FAILED: x", "DELETING_FAILED: x"):
        assert (
            waiting.delete_if_creation_failed("it", states(kept), lambda: deleted.append(True))
            == kept
        )
    assert deleted == [True]


def test_a_wait_without_end_ends_and_says_for_what(clock: Clock) -> None:
    with pytest.raises(waiting.SetupError, match="it: expected ACTIVE, found CREATING after 600 s"):
        waiting.wait_until("it", states("CREATING"), "ACTIVE")
    assert 600 <= clock.now <= 605
