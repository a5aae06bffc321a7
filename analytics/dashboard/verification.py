"""What the last verify found, as `python -m operations.verify --json FILE` left it."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path


class BadProof(Exception):
    """The file holds no verify of this lake's whole table; the text says what it holds."""


class OtherLake(BadProof):
    """The file holds a verify of another lake."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a verify of the whole table found: state is equal, differs or unsettled."""

    at: str
    state: str
    table: int
    lake: int

    def document(self) -> dict[str, object]:
        """Return the proof for the page."""
        return asdict(self)


def proof(path: Path, bucket: str) -> Proof | None:
    """Return what the file tells of the lake in this bucket, or None when there is no file."""
    try:
        found = json.loads(path.read_text("utf-8"))
        verified, asked, counts = found["bucket"], found["asked"], found.get("counts", {})
        if verified != bucket:
            raise OtherLake(f"{path} is of another lake: {verified}, not {bucket}")
        if asked != "table":
            raise BadProof(f"{path} is no verify of the whole table, but of {asked}")
        datetime.strptime(found["at"], "%Y-%m-%d %H:%M:%S")
        return Proof(found["at"], _state(found["equal"], counts), found["table"], found["lake"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        advice = "write it with python -m operations.verify --json FILE"
        raise BadProof(f"{path} holds no result of verify ({error!r}): {advice}") from None


def _state(equal: bool, counts: dict[str, int]) -> str:
    faults = {kind for kind, count in counts.items() if count}
    if equal:
        return "equal"
    return "unsettled" if faults == {"unsettled"} else "differs"
