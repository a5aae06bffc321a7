"""The profile of a test run, HYPOTHESIS_PROFILE: default, full or thorough.

By default laws are tested, but not in all their cases. `full` adds the other cases, and the tests
marked slow: those of whole chains, of waiting and of looks in a browser, many of which test what
cheaper ones test too.
`thorough` adds the long campaigns.
"""

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "default")
IS_THOROUGH = PROFILE == "thorough"
IS_FULL = IS_THOROUGH or PROFILE == "full"


def sampled(cases: Iterable[T], step: int) -> list[T]:
    """Return every so many of the cases, from the first, or all of them in a full run."""
    return list(cases)[:: 1 if IS_FULL else step]
