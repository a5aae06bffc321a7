"""Work done at the same time, by threads that change places as often as they can."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

THREADS = 4


def at_once(work: Callable[[int], None]) -> None:
    """Do the work with each of the numbers 0 to 3, in as many threads."""
    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))
    finally:
        sys.setswitchinterval(patience)
