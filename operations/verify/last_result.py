"""Last result of verify, for the whole table or its parts: where the dashboard looks for it."""

import json
import sys
from collections.abc import Mapping

from analytics.atomic_write import write_atomically
from analytics.dashboard.verification import LAST_RESULT

SCOPES = ("table", "part")  # One key or the gaps prove nothing of the whole.


def save_last_result(document: Mapping[str, object]) -> None:
    """Save a result as JSON; if that fails, verify has not failed."""
    if document["scope"] not in SCOPES:
        return
    try:
        write_atomically(LAST_RESULT, f"{json.dumps(document, indent=2)}\n")
    except OSError as error:
        note = f"the dashboard will not show this result: {LAST_RESULT} is not writable ({error})"
        print(note, file=sys.stderr)
