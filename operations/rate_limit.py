"""Rate limit: pauses so that no more than some number of things are sent each second."""

from __future__ import annotations

import time


class RateLimit:
    """At most `per_second` things each second; None for no limit."""

    def __init__(self, per_second: float | None) -> None:
        self.per_second = per_second
        self._next_at = 0.0

    def wait(self, count: int) -> None:
        """Wait until `count` things may be sent."""
        if self.per_second is None:
            return
        now = time.monotonic()
        time.sleep(max(0.0, self._next_at - now))
        self._next_at = max(now, self._next_at) + count / self.per_second

    def batch_size(self, maximum: int) -> int:
        """Return how many to send in one call: one second's worth, so that they flow evenly."""
        if self.per_second is None:
            return maximum
        return max(1, min(maximum, int(self.per_second)))
