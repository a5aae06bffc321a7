"""The state of the pipe, for which AWS has no waiter."""

from typing import Any

from finding import existing
from names import PIPE


def state(pipes: Any) -> str:
    """Return `RUNNING`, `STOPPED` and so on, with the reason of a failure, or `missing`."""
    if (found := existing(pipes.describe_pipe, Name=PIPE)) is None:
        return "missing"
    if "FAILED" in found["CurrentState"]:
        return f"{found['CurrentState']}: {found.get('StateReason', 'no reason given')}"
    return found["CurrentState"]
