"""Waiters: they retry what time fixes, stop at a limit, and never retry what time cannot fix."""

import math
import sys
from collections.abc import Callable, Iterator
from itertools import count

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from setup.lib import waiters
from setup.lib.waiters import SetupError, WaitTimeout
from tests.support.paths import PROJECT

FIREHOSE = "Firehose is unable to assume role arn:aws:iam::1:role/r. Please check the role."
TEMPORARY_ERRORS = [
    ("InvalidParameterValueException", "The role defined … cannot be assumed by Lambda."),
    ("InvalidArgumentException", FIREHOSE),
    ("InvalidArgumentException", "Role r is not authorized to perform: kinesis:DescribeStream"),
    ("InvalidInputException", "Service is unable to assume provided role. Please verify …"),
    ("InvalidInputException", "Please verify the role's TrustPolicy"),
    ("ContinuousBackupsUnavailableException", "t has none yet."),
    ("OperationAborted", "A conflicting conditional operation is currently in progress"),
    ("QueueDeletedRecently", "You must wait 60 seconds after deleting a queue before …"),
]
PERMANENT_ERRORS = [
    ("AccessDeniedException", "User: u is not authorized to perform: lambda:CreateFunction"),
    ("AccessDenied", "User: u is not authorized to perform: iam:PassRole"),
    ("ValidationException", "1 validation error detected"),
    ("LimitExceededException", "too many"),
]


class FakeClock:
    """A clock that only sleeping advances."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.pauses.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(waiters, "time", clock)
    return clock


def failing_call(failures: float, code: str, message: str) -> Callable[[], str]:
    """Return a call that AWS refuses so many times before it accepts it."""
    attempts = count()

    def call() -> str:
        if next(attempts) < failures:
            raise ClientError({"Error": {"Code": code, "Message": message}}, "CreateSomething")
        return "created"

    return call


def state_reader(*states: str) -> Callable[[], str]:
    """Return a reader of one state after another, and then of the last one forever."""

    def all_states() -> Iterator[str]:
        yield from states
        while True:
            yield states[-1]

    return all_states().__next__


@pytest.mark.parametrize(("code", "message"), TEMPORARY_ERRORS)
@pytest.mark.parametrize("failures", [0, 1, 7])
def test_temporary_errors_are_retried(
    clock: FakeClock, code: str, message: str, failures: int
) -> None:
    call = failing_call(failures, code, message)
    assert waiters.retry_until_accepted(call) == "created"
    assert len(clock.pauses) == failures


@pytest.mark.parametrize(("code", "message"), PERMANENT_ERRORS)
def test_permanent_errors_are_raised_at_once(clock: FakeClock, code: str, message: str) -> None:
    with pytest.raises(ClientError, match=message):
        waiters.retry_until_accepted(failing_call(math.inf, code, message))
    assert clock.pauses == []


def test_retries_end_after_two_minutes_with_the_error(clock: FakeClock) -> None:
    with pytest.raises(ClientError, match="unable to assume role"):
        waiters.retry_until_accepted(failing_call(math.inf, "InvalidArgumentException", FIREHOSE))
    assert 120 <= clock.now <= 125


def test_only_waiters_sleep() -> None:
    sources = (PROJECT / "setup").rglob("*.py")
    sleeping = [path.name for path in sources if "sleep(" in path.read_text("utf-8")]
    assert sleeping == ["waiters.py"]


@given(st.floats(0.1, 1000))
def test_pauses_grow_to_five_seconds_up_to_the_limit(limit: float) -> None:
    clock = FakeClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(waiters, "time", clock)
        assert len(list(waiters.attempts(limit))) == len(clock.pauses) + 1
    assert clock.pauses[0] == 0.1
    assert clock.pauses == sorted(clock.pauses)
    assert max(clock.pauses) <= 5.0
    assert limit <= clock.now < limit + 5.0


def test_max_wait_bounds_every_wait_of_its_block(clock: FakeClock) -> None:
    with waiters.max_wait(0):
        with pytest.raises(WaitTimeout, match="it: timed out after 0 s; still DELETING"):
            waiters.wait_until_stable("it", state_reader("DELETING"))
        assert clock.pauses == []
    assert waiters.wait_until_stable("it", state_reader("DELETING", "missing")) == "missing"


@pytest.mark.usefixtures("clock")
def test_a_target_state_ends_the_wait() -> None:
    read_state = state_reader("CREATING", "ACTIVE: fine")
    assert waiters.wait_until("it", read_state, "ACTIVE") == "ACTIVE"
    read_state = state_reader("X", "STOPPED")
    assert waiters.wait_until("it", read_state, "RUNNING", "STOPPED") == "STOPPED"


@pytest.mark.parametrize("state", ["CREATE_FAILED: no access", "FAILED: line 1", "CANCELLED: by u"])
def test_a_failed_state_is_raised_at_once(clock: FakeClock, state: str) -> None:
    with pytest.raises(SetupError, match=f"it: expected ACTIVE, found {state}"):
        waiters.wait_until("it", state_reader("CREATING", state), "ACTIVE")
    assert len(clock.pauses) == 1


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], is_terminal: bool
) -> None:
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    waiters.wait_until("pipe p", state_reader("CREATING", "RUNNING"), "RUNNING")
    waiters.wait_until_stable("pipe p", state_reader("STOPPING", "STOPPED"))
    waiters.retry_until_accepted(failing_call(1, "InvalidArgumentException", FIREHOSE))
    texts = ("pipe p is CREATING …", "pipe p is STOPPING …", "retrying: Firehose is unable ")
    lines = [f"\r{text}\033[K\r\033[K" for text in texts]  # Each is erased in the end.
    assert capsys.readouterr().err == ("".join(lines) if is_terminal else "")


def test_transitional_states_are_waited_out(clock: FakeClock) -> None:
    for state in ("ACTIVE", "missing", "CREATE_FAILED: no access"):
        read_state = state_reader("CREATING", "DELETING", state)
        assert waiters.wait_until_stable("it", read_state) == state
    with pytest.raises(WaitTimeout, match="it: timed out after 600 s; still DELETING"):
        waiters.wait_until_stable("it", state_reader("DELETING"))
    assert 600 <= clock.now <= 610


@pytest.mark.usefixtures("clock")
@pytest.mark.parametrize("failed_state", ["CREATE_FAILED: x", "CREATING_FAILED: x"])
def test_only_failed_creations_are_deleted(failed_state: str) -> None:
    deletions: list[bool] = []

    def delete() -> None:
        deletions.append(True)

    read_state = state_reader("CREATING", failed_state, failed_state, "DELETING", "missing")
    assert waiters.delete_if_creation_failed("it", read_state, delete) == "missing"
    for state in ("ACTIVE", "missing", "UPDATE_FAILED: x", "START_FAILED: x", "DELETING_FAILED: x"):
        assert waiters.delete_if_creation_failed("it", state_reader(state), delete) == state
    assert deletions == [True]


def test_an_endless_wait_times_out_with_the_state(clock: FakeClock) -> None:
    message = "it: timed out after 600 s waiting for ACTIVE; still CREATING"
    with pytest.raises(WaitTimeout, match=message):
        waiters.wait_until("it", state_reader("CREATING"), "ACTIVE")
    assert 600 <= clock.now <= 605
