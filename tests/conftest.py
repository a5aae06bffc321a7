"""What all tests share: how hard hypothesis tries, signals, garbage, and the number of workers."""

import gc
import os
import signal

from hypothesis import settings

# A job in the background ignores Ctrl-C, and so would every script that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# CI judges a change, so it tries the same examples each time; everyone else tries new ones.
settings.register_profile(
    "default", max_examples=60, deadline=None, derandomize=bool(os.environ.get("CI"))
)
settings.register_profile("thorough", max_examples=20_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# What the tests load is large and stays: to look through it for garbage as often as Python does
# takes a twelfth of their time.
gc.set_threshold(50_000, 20, 50)


def pytest_xdist_auto_num_workers() -> int:
    """Return how many workers share the tests: while one waits for a script, another works."""
    return (os.cpu_count() or 1) + 1
