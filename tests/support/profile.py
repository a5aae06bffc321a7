"""The profile of a test run: HYPOTHESIS_PROFILE=thorough runs the long campaigns, too."""

import os
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")
IS_THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"


def sampled(cases: Iterable[T], step: int) -> list[T]:
    """Return every so many of the cases, from the first, or all of them in a thorough run."""
    return list(cases)[:: 1 if IS_THOROUGH else step]
