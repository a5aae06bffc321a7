"""Progress of a running query, as one line on the terminal."""

import sys
import time

from analytics.athena import Progress


class ProgressLine:
    """A line on stderr that shows a query's progress; silent unless stderr is a terminal."""

    def __init__(self) -> None:
        self._started_at = time.monotonic()
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, progress: Progress) -> None:
        """Show the progress in place of the previous line."""
        if self._is_terminal:
            seconds = time.monotonic() - self._started_at
            scanned = f"{progress.bytes_scanned:,} bytes scanned"
            line = f"{progress.state.lower()} {seconds:.0f} s, {scanned}"
            print(f"\r{line}\033[K", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Clear the line."""
        if self._is_terminal:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
