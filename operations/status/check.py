"""Check: the inspection of one part, whose failure is a result too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from analytics.athena import QueryFailed
from operations.status.check_result import CheckResult, Status
from operations.status.metrics import MetricHistory

NOT_FOUND_CODES = (
    "ResourceNotFoundException",
    "NotFoundException",
    "EntityNotFoundException",
    "NoSuchBucket",
    "NoSuchEntity",
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
)
TRANSITIONAL_STATES = (
    "CREATING",
    "UPDATING",
    "STARTING",
    "STOPPING",
    "Pending",
    "InProgress",
)
CHECK_AGAIN = "check again in a minute"


@dataclass(frozen=True, slots=True)
class Check:
    """A part, the script that creates it, and the function that inspects it.

    The function receives the metrics, or None if they could not be read.
    """

    part: str
    script: str
    inspect: Callable[[MetricHistory | None], CheckResult]

    def run(self, history: MetricHistory | None) -> CheckResult:
        """Return the result of the inspection; a missing part is a PROBLEM."""
        try:
            return self.inspect(history)
        except ClientError as error:
            if is_not_found(error):
                remedy = f"python setup/{self.script}.py"
                return CheckResult(self.part, "missing", Status.PROBLEM, remedy)
            return CheckResult(self.part, failed_call(error), Status.UNKNOWN)
        except QueryFailed as error:
            message = f"query failed: {' '.join(str(error).split())}"
            return CheckResult(self.part, message, Status.PROBLEM, "python setup --check")


def is_not_found(error: ClientError) -> bool:
    """Return whether AWS says that a part does not exist."""
    code = error.response["Error"]["Code"]
    is_missing_workgroup = code == "InvalidRequestException" and "not found" in str(error)
    return code in NOT_FOUND_CODES or is_missing_workgroup


def failed_call(error: ClientError) -> str:
    """Return the message of a check that AWS did not let happen."""
    code = error.response["Error"]["Code"]
    message = " ".join(error.response["Error"].get("Message", "").split())
    return f"check failed: {error.operation_name}: {code}: {message[:200]}"


def with_reason(state: str, reason: str) -> str:
    """Return a state with the reason that AWS gives for it, if any."""
    return f"{state}: {reason}" if reason else state
