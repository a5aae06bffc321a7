"""Waiting for AWS: until a thing settles or is as wanted, and until a call is accepted."""

import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from botocore.exceptions import ClientError

T = TypeVar("T")
# Asks AWS for a state, which may come with its reason: `CREATE_FAILED: Cannot access stream`.
State = Callable[[], str]

# What AWS answers while a thing made a moment ago is not known everywhere yet.
CONSISTENCY_ERRORS = (
    "cannot be assumed by lambda",
    "unable to assume",
    "is not authorized to",
    "verify that the iam role has access",
    "security token included in the request is invalid",
    "insufficient lake formation permission",
    "cannot access stream",
    "does not have permission",
    "error occurred while sending message to sqs",
    "continuousbackupsunavailable",
    "conflicting conditional operation",  # The bucket is new, or one of its name was just deleted.
    "you must wait 60 seconds after deleting a queue",
)
# On its way to another state, in the words of all services.
TRANSITIONAL = ("CREATING", "UPDATING", "DELETING", "STARTING", "STOPPING", "Pending", "InProgress")


class SetupError(Exception):
    """Why a script cannot go on, and what to do about it."""


class WaitTimeout(SetupError):
    """What was waited for did not come in time; it may still come."""


@dataclass
class Patience:
    """How many seconds any wait may take; `python setup --check` waits for nothing."""

    seconds: float = math.inf


PATIENCE = Patience()


def backoff(limit: float) -> Iterator[None]:
    """Yield at once, then again after growing pauses of at most 5 s, until the limit is spent.

    The limit counts from the second asking on: the first attempt may itself take minutes.
    """
    yield
    end, pause = time.monotonic() + min(limit, PATIENCE.seconds), 0.1
    while time.monotonic() < end:
        time.sleep(pause)
        pause = min(2 * pause, 5.0)
        yield


def states(what: str, state: State, limit: float) -> Iterator[str]:
    """Yield the thing's state, again and again; a terminal shows what is waited for."""
    try:
        for _ in backoff(limit):
            found = state()
            yield found
            show(f"{what} is {found} …")
    finally:
        show("")


def show(text: str) -> None:
    """Write the text on a terminal's line, in place of the one before."""
    if sys.stderr.isatty():
        fitting = " ".join(text.split())[: shutil.get_terminal_size().columns - 1]
        print(f"\r{fitting}\033[K", end="", file=sys.stderr, flush=True)


def wait_until_stable(what: str, state: State, limit: float = 600) -> str:
    """Return the thing's state once AWS is not busy with it, be it good, failed or missing."""
    found = ""
    for found in states(what, state, limit):
        if found not in TRANSITIONAL:
            return found
    raise unfinished(what, "an end of that", found, limit)


def wait_until(what: str, state: State, *wanted: str, limit: float = 600) -> str:
    """Return the state once it is a wanted one; refuse a failure, and a wait beyond the limit."""
    found, target = "", " or ".join(wanted)
    for found in states(what, state, limit):
        name = found.partition(":")[0]
        if name in wanted:
            return name
        if has_failed(found):
            raise SetupError(f"{what}: expected {target}, found {found}")
    raise unfinished(what, target, found, limit)


def has_failed(state: str) -> bool:
    """Return whether a state is one that waiting does not mend."""
    name = state.partition(":")[0].upper()
    return "FAILED" in name or name == "CANCELLED"


def unfinished(what: str, target: str, found: str, limit: float) -> WaitTimeout:
    """Return the refusal to wait any longer."""
    spent = min(limit, PATIENCE.seconds)
    return WaitTimeout(
        f"{what}: expected {target}, found {found} after {spent:.0f} s: run this again"
    )


def delete_if_creation_failed(what: str, state: State, delete: Callable[[], object]) -> str:
    """Return the thing's settled state; what AWS could not make keeps its name until deleted."""
    found = wait_until_stable(what, state)
    if not (found.startswith("CREAT") and has_failed(found)):
        return found

    def leaving() -> str:
        return "DELETING" if (now := state()) == found else now

    delete()
    return wait_until(f"removal of the failed {what}", leaving, "missing")


def retry_until_accepted(call: Callable[[], T], limit: float = 120) -> T:
    """Return what the call returns, trying again while AWS does not know yet what it needs."""
    refused: Exception | None = None
    try:
        for _ in backoff(limit):
            try:
                return call()
            except (ClientError, SetupError) as error:
                if not _passes(error):
                    raise
                refused = error
            show("not yet: " + str(refused).rpartition(" operation: ")[2])
        raise refused
    finally:
        show("")


def _passes(error: Exception) -> bool:
    """Return whether waiting may help; it does not bring the deployer a right that is missing."""
    text = str(error).lower()
    return "(accessdenied" not in text and any(sign in text for sign in CONSISTENCY_ERRORS)
