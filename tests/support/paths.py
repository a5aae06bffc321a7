"""Where the project and its recorded events are."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
EVENTS = PROJECT / "tests" / "events"
