"""Waiters: poll AWS until a resource is stable or in a target state, and retry refused calls.

AWS is eventually consistent: a role that IAM has just created cannot be assumed for some seconds,
and most resources take minutes to create, change or delete. `wait_until_stable` and `wait_until`
poll a state; `retry_until_accepted` repeats a call that fails only because of such a delay. No
other module of setup sleeps.
"""

import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from botocore.exceptions import ClientError

from setup.lib.backoff import backoff
from setup.lib.errors import UserError

T = TypeVar("T")
# Reads a state from AWS, which may carry a reason: `CREATE_FAILED: Cannot access stream`.
ReadState = Callable[[], str]

# Errors caused by eventual consistency, by parts of their lowercase messages; safe to retry.
CONSISTENCY_ERRORS = (
    "cannot be assumed by lambda",
    "unable to assume",
    "trustpolicy",  # Glue's other text for a role that it cannot assume yet.
    "is not authorized to",
    "verify that the iam role has access",
    "security token included in the request is invalid",
    "insufficient lake formation permission",
    "cannot access stream",
    "does not have permission",
    "error occurred while sending message to sqs",
    "continuousbackupsunavailable",
    "conflicting conditional operation",  # A bucket that is new, or whose name was just deleted.
    "you must wait 60 seconds after deleting a queue",
)
# States that AWS leaves by itself, in the spelling of every service.
TRANSITIONAL = ("CREATING", "UPDATING", "DELETING", "STARTING", "STOPPING", "Pending", "InProgress")


class SetupError(UserError):
    """A reason why a script cannot continue, with the fix."""


class InvalidSetting(SetupError):
    """A setting that does not fit what exists on AWS; wrong like an argument."""

    exit_status = 2


class WaitTimeout(SetupError):
    """A wait that reached its limit; the state may still be reached later."""


# An upper bound, in seconds, for every wait of the current run.
_max_wait: ContextVar[float] = ContextVar("max_wait", default=math.inf)


@contextmanager
def max_wait(seconds: float) -> Iterator[None]:
    """Limit every wait inside the block to that many seconds; 0 reads each state just once."""
    token = _max_wait.set(seconds)
    try:
        yield
    finally:
        _max_wait.reset(token)


def attempts(limit: float) -> Iterator[None]:
    """Yield at once, then again after growing pauses of at most 5 s, until the limit is reached.

    The limit counts from the end of the first attempt, which may itself take minutes.
    """
    yield
    deadline = time.monotonic() + min(limit, _max_wait.get())
    for pause in backoff(0.1, longest=5.0):
        if time.monotonic() >= deadline:
            return
        time.sleep(pause)
        yield


def poll(label: str, read_state: ReadState, limit: float) -> Iterator[str]:
    """Yield the resource's state again and again, and show it on a terminal."""
    try:
        for _ in attempts(limit):
            state = read_state()
            yield state
            show_progress(f"{label} is {state} …")
    finally:
        show_progress("")


def show_progress(text: str) -> None:
    """Replace the current line of a terminal by the text, cut to the terminal's width."""
    if sys.stderr.isatty():
        line = " ".join(text.split())[: shutil.get_terminal_size().columns - 1]
        print(f"\r{line}\033[K", end="", file=sys.stderr, flush=True)


def wait_until_stable(label: str, read_state: ReadState, limit: float = 600) -> str:
    """Return the resource's state once it is not transitional: healthy, failed or missing."""
    state = ""
    for state in poll(label, read_state, limit):
        if state not in TRANSITIONAL:
            return state
    raise timeout_error(label, state, limit)


def wait_until(label: str, read_state: ReadState, *targets: str, limit: float = 600) -> str:
    """Return the state, without its reason, once it is one of the targets.

    Raise SetupError for a failed state, and WaitTimeout when the limit is reached.
    """
    target = " or ".join(targets)
    state = ""
    for state in poll(label, read_state, limit):
        name = state.partition(":")[0]
        if name in targets:
            return name
        if has_failed(state):
            raise SetupError(f"{label}: expected {target}, found {state}")
    raise timeout_error(label, state, limit, target)


def has_failed(state: str) -> bool:
    """Return whether waiting cannot fix the state."""
    name = state.partition(":")[0].upper()
    return "FAILED" in name or name == "CANCELLED"


def timeout_error(label: str, state: str, limit: float, target: str = "") -> WaitTimeout:
    """Return the error for a wait that has reached its limit."""
    seconds = min(limit, _max_wait.get())
    waiting_for = f" waiting for {target}" if target else ""
    return WaitTimeout(
        f"{label}: timed out after {seconds:.0f} s{waiting_for}; still {state}: run this again"
    )


def delete_if_creation_failed(
    label: str, read_state: ReadState, delete: Callable[[], object]
) -> str:
    """Return the stable state, after deleting what AWS failed to create: it blocks its name."""
    failed_state = wait_until_stable(label, read_state)
    if not (failed_state.startswith("CREAT") and has_failed(failed_state)):
        return failed_state

    def deletion_state() -> str:
        state = read_state()  # AWS may report the failure for a while after the deletion began.
        return "DELETING" if state == failed_state else state

    delete()
    return wait_until(f"deletion of the failed {label}", deletion_state, "missing")


def retry_until_accepted(call: Callable[[], T], limit: float = 120) -> T:
    """Return the call's result; retry while it fails because AWS is not yet consistent."""
    last_error: Exception
    try:
        for _ in attempts(limit):
            try:
                return call()
            except (ClientError, SetupError) as error:
                if not _is_temporary(error):
                    raise
                last_error = error
            show_progress("retrying: " + str(last_error).rpartition(" operation: ")[2])
        raise last_error
    finally:
        show_progress("")


def _is_temporary(error: Exception) -> bool:
    text = str(error).lower()
    # A permission that the deployer itself lacks never arrives by waiting.
    return "(accessdenied" not in text and any(part in text for part in CONSISTENCY_ERRORS)
