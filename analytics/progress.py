"""What whoever waits for Athena sees meanwhile."""

import sys
import time

from analytics.athena import Progress


class Patience:
    """A line on the terminal that tells how far a query has come, and goes when it ends."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._is_seen = sys.stderr.isatty()

    def __call__(self, progress: Progress) -> None:
        """Tell how far the query has come."""
        if self._is_seen:
            seconds = time.monotonic() - self._started
            told = f"{progress.state.lower()} {seconds:.0f} s, {progress.scanned:,} bytes scanned"
            print(f"\r{told}\033[K", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the line away."""
        if self._is_seen:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
