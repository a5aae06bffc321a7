"""Exponential backoff: the pauses between the attempts of a call that may succeed later."""

from collections.abc import Iterator
from itertools import count


def backoff(
    first: float, longest: float, *, factor: float = 2, attempts: int | None = None
) -> Iterator[float]:
    """Yield growing pauses in seconds, as many as there may be further attempts.

    >>> list(backoff(0.1, 0.5, attempts=4))
    [0.1, 0.2, 0.4, 0.5]
    """
    pause = min(first, longest)
    for _ in count() if attempts is None else range(attempts):
        yield pause
        pause = min(factor * pause, longest)
