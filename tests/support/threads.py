"""Work done by several threads that are switched as often as possible."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

THREAD_COUNT = 4


def run_in_threads(work: Callable[[int], None]) -> None:
    """Call `work` with each of the numbers 0 to 3, at the same time."""
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(THREAD_COUNT) as pool:
            list(pool.map(work, range(THREAD_COUNT)))
    finally:
        sys.setswitchinterval(switch_interval)
