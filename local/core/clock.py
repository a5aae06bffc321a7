"""Time as the services see it: real time, plus what the demo has skipped."""

import time


class Clock:
    """Seconds since 1970; `advance` skips waiting times."""

    def __init__(self) -> None:
        self._skipped_seconds = 0.0

    def now(self) -> float:
        """Return the current time in seconds since 1970."""
        return time.time() + self._skipped_seconds

    def advance(self, seconds: float) -> None:
        """Skip the given seconds; time never goes back."""
        self._skipped_seconds += max(0.0, seconds)
