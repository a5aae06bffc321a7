"""Result of the last verify run, as `python -m operations.verify --json FILE` saved it."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from setup.lib.errors import UserError


class InvalidVerifyResult(UserError):
    """The file holds no verify result for this lake's whole table; the message says why."""


class WrongBucket(InvalidVerifyResult):
    """The file holds a verify result for another lake."""


@dataclass(frozen=True, slots=True)
class VerifyResult:
    """The result for a whole table: `state` is equal, differs or unsettled."""

    verified_at: str
    state: str
    table_items: int
    lake_items: int

    def document(self) -> dict[str, object]:
        """Return the result as the page reads it."""
        return asdict(self)


def read_verify_result(path: Path, bucket: str) -> VerifyResult | None:
    """Return the result that a file has for the lake in this bucket, or None without a file."""
    try:
        result = json.loads(path.read_text("utf-8"))
        scope = result["scope"]
        if result["bucket"] != bucket:
            raise WrongBucket(f"{path} is for another lake: {result['bucket']}, not {bucket}")
        if scope != "table":
            raise InvalidVerifyResult(f"{path} does not cover the whole table, only {scope}")
        datetime.strptime(result["at"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - only checked.
        state = _state(result["equal"], result.get("counts", {}))
        return VerifyResult(result["at"], state, result["table"], result["lake"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidVerifyResult(
            f"{path} is not a verify result ({error!r}): "
            f"create it with python -m operations.verify --json FILE"
        ) from None


def _state(is_equal: bool, counts: dict[str, int]) -> str:
    if is_equal:
        return "equal"
    problems = {kind for kind, count in counts.items() if count}
    return "unsettled" if problems == {"unsettled"} else "differs"
