"""Result of the last verify run, as `python -m operations.verify` saved it."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from setup.lib.errors import UserError
from setup.lib.lake_identity import LakeIdentity

LAST_RESULT = Path("build/verified.json")  # Every run of verify leaves its result here.
TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
STATES = ("equal", "unsettled", "differs")  # the worst last


class InvalidVerifyResult(UserError):
    """The file holds no verify result for this lake's whole table; the message says why."""


class WrongLake(InvalidVerifyResult):
    """The file holds a verify result for another lake, or for an earlier one in its bucket."""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result for a whole table, or for those of its parts that were verified.

    `state` is equal, differs or unsettled: the worst of the parts. `verified_at` is when the run
    ended, or of parts the time through which the equal ones are proven, None without any; `parts`
    says how many of how many are equal, None for a whole table.
    """

    verified_at: str | None
    state: str
    table_items: int
    lake_items: int
    parts: str | None = None

    def document(self) -> dict[str, object]:
        """Return the result as the page reads it."""
        return asdict(self)


def read_verify_result(path: Path, lake: LakeIdentity) -> VerifyResult | None:
    """Return the result that a file has for this lake, or None without a file."""
    try:
        result = json.loads(path.read_text("utf-8"))
        scope = result["scope"]
        if mismatch := lake.mismatch(result):
            raise WrongLake(f"{path} does not count: {mismatch}")
        if scope == "part":
            return _result_of_parts(result["coverage"])
        if scope != "table":
            raise InvalidVerifyResult(f"{path} does not cover the whole table, only {scope}")
        _check_time(result["at"])
        state = _state(result["equal"], result.get("counts", {}))
        return VerifyResult(result["at"], state, result["table"], result["lake"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidVerifyResult(
            f"{path} is not a verify result ({error!r}): "
            f"create it with python -m operations.verify --json FILE"
        ) from None


def _result_of_parts(coverage: dict[str, Any]) -> VerifyResult:
    """Return the result of the parts that a file has collected."""
    through = coverage["verified_through"]
    if through is not None:
        _check_time(through)
    parts = coverage["parts"].values()
    states = [part["state"] for part in parts]
    return VerifyResult(
        verified_at=through,
        state=max(states, key=STATES.index),
        table_items=sum(part["table"] for part in parts),
        lake_items=sum(part["lake"] for part in parts),
        parts=f"{states.count('equal')} of {coverage['of']} parts",
    )


def _check_time(text: str) -> None:
    """Raise ValueError or TypeError unless a text is a time as verify writes it."""
    datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)


def _state(is_equal: bool, counts: dict[str, int]) -> str:
    if is_equal:
        return "equal"
    problems = {kind for kind, count in counts.items() if count}
    return "unsettled" if problems == {"unsettled"} else "differs"
