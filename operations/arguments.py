"""What the verbs take on the command line, checked: each returns a value, or says what it wants."""

import json
from argparse import ArgumentTypeError
from pathlib import Path

from transform import canonical

LONGEST = 7 * 86_400  # seconds: after a week, nobody waits any more


def key(text: str) -> str:
    """Return a key as the lake writes it."""
    try:
        return canonical(json.loads(text))
    except (ValueError, RecursionError):
        example = '{"order_id": {"S": "SO-1"}}'
        raise ArgumentTypeError(f"expected a key such as {example}, found {text!r}") from None


def seconds(text: str) -> float:
    """Return a time to wait."""
    if not _is_number(text) or float(text) > LONGEST:
        raise ArgumentTypeError(f"expected a number of seconds, found {text!r}")
    return float(text)


def count(text: str) -> int:
    """Return how many of something."""
    if not (text.isascii() and text.isdigit()):
        raise ArgumentTypeError(f"expected a whole number, found {text!r}")
    return int(text)


def rate(text: str) -> float:
    """Return how many of something in a second."""
    if not _is_number(text) or float(text) == 0:
        raise ArgumentTypeError(f"expected a number of items per second, found {text!r}")
    return float(text)


def new_file(text: str) -> Path:
    """Return a path at which a file can be written, found out before the work and not after it.

    Its folder may be missing, but not what holds that: `build/` is not there before it is needed.
    """
    path = Path(text)
    if path.is_dir() or not path.parent.parent.is_dir():
        raise ArgumentTypeError(f"expected a file in a folder that exists, found {text!r}")
    return path


def _is_number(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit()
