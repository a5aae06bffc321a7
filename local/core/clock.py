"""Time as the moving parts see it: the real one, plus what the demo has skipped."""

import time


class Clock:
    """Seconds since 1970; `advance` skips a wait that nobody wants to sit through."""

    def __init__(self) -> None:
        self._skipped = 0.0

    def now(self) -> float:
        """Return the present, in seconds since 1970."""
        return time.time() + self._skipped

    def advance(self, seconds: float) -> None:
        """Let the given seconds pass at once."""
        self._skipped += max(0.0, seconds)
