"""What the verbs take on the command line, checked: each returns a value, or says what it wants."""

import json
import os
from argparse import ArgumentTypeError
from pathlib import Path

from transform import canonical

LONGEST = 7 * 86_400  # seconds: after a week, nobody waits any more
SLOWEST, FASTEST = 0.001, 1_000_000  # items in a second


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
    if not _is_number(text) or not SLOWEST <= float(text) <= FASTEST:
        raise ArgumentTypeError(
            f"expected {SLOWEST} to {FASTEST} items per second, found {text[:40]!r}"
        )
    return float(text)


def new_file(text: str) -> Path:
    """Return a path at which a file can be written, found out before the work and not after it.

    Its folder may be missing, but not what holds that: `build/` is not there before it is needed.
    """
    path = Path(text)
    folder = path.parent if path.parent.exists() else path.parent.parent
    if not folder.is_dir():
        raise ArgumentTypeError(f"expected a file in a folder that exists, found {text!r}")
    if path.exists() and not path.is_file():  # A device would be gone once it is replaced.
        raise ArgumentTypeError(f"expected a file, found {text!r}, which is none")
    if not os.access(folder, os.W_OK):
        raise ArgumentTypeError(f"expected a folder that can be written to, found {folder}")
    return path


def _is_number(text: str) -> bool:
    return text.isascii() and text.replace(".", "", 1).isdigit()
