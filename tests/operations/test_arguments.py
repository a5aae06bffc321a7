"""Arguments of the verbs: their defaults, and the last value that each limit accepts."""

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from operations.backfill import command as backfill
from operations.cli import STDOUT
from operations.plan import command as plan
from operations.replay import command as replay
from operations.replay.audit import Archive
from operations.status import command as status
from operations.verify import command as verify
from setup.names import TABLE
from tests.support.paths import PROJECT

Parse = Callable[[Sequence[str] | None], Namespace]


@pytest.mark.parametrize(
    ("parse", "defaults"),
    [
        (
            verify._parse_args,
            {
                "repair": False,
                "gaps": False,
                "copy": False,
                "from_json": False,
                "key": None,
                "part": None,
                "wait": None,
                "limit": None,
                "json": None,
            },
        ),
        (
            replay._parse_args,
            {
                "archive": Archive.NOTHING,
                "dry_run": False,
                "from_kinesis": None,
                "rate": 1000,
                "wait": None,
                "verify": True,
                "json": None,
            },
        ),
        (
            backfill._parse_args,
            {
                "rate": 1000,
                "dry_run": False,
                "checkpoint": PROJECT / "build" / f"backfill-{TABLE}.json",
            },
        ),
        (status._parse_args, {"hours": 3, "json": None}),
        (
            plan._parse_args,
            {
                "changes_per_day": 10_000,
                "item_bytes": 1000,
                "items": 100_000,
                "questions_per_day": 10,
                "active_hours": 24,
                "from_metrics": False,
                "json": None,
            },
        ),
    ],
)
def test_defaults(parse: Parse, defaults: dict[str, object]) -> None:
    assert vars(parse([])) == defaults


@pytest.mark.parametrize(
    ("parse", "option", "last", "beyond"),
    [
        (verify._parse_args, "--wait", 7 * 86_400, 7 * 86_400 + 1),
        (verify._parse_args, "--limit", 0, -1),
        (replay._parse_args, "--wait", 7 * 86_400, 7 * 86_400 + 1),
        (replay._parse_args, "--rate", 0.001, 0.0009),
        (backfill._parse_args, "--rate", 1_000_000, 1_000_001),
        (status._parse_args, "--hours", 1, 0),
        (status._parse_args, "--hours", 1440, 1441),
        (plan._parse_args, "--changes-per-day", 0, -1),
        (plan._parse_args, "--changes-per-day", 10**12, 10**12 + 1),
        (plan._parse_args, "--item-bytes", 1, 0),
        (plan._parse_args, "--item-bytes", 409_600, 409_601),
        (plan._parse_args, "--items", 0, -1),
        (plan._parse_args, "--items", 10**12, 10**12 + 1),
        (plan._parse_args, "--questions-per-day", 0, -1),
        (plan._parse_args, "--questions-per-day", 10**12, 10**12 + 1),
        (plan._parse_args, "--active-hours", 0.1, 0.09),
        (plan._parse_args, "--active-hours", 24, 24.1),
    ],
)
def test_limits(parse: Parse, option: str, last: float, beyond: float) -> None:
    name = option.removeprefix("--").replace("-", "_")
    assert vars(parse([option, str(last)]))[name] == last
    with pytest.raises(SystemExit, match="2"):
        parse([f"{option}={beyond}"])


def test_json_is_printed_or_written_to_a_file() -> None:
    assert verify._parse_args(["--json"]).json == STDOUT
    assert verify._parse_args(["--json", "-"]).json == STDOUT
    assert verify._parse_args(["--json", "result.json"]).json == Path("result.json")
