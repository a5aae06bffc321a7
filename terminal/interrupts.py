"""Ctrl-C without Python's own reports beside the command's message."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def half_built_files_unreported() -> Iterator[None]:
    """Ignore files and connections whose construction Ctrl-C has interrupted.

    Python 3.13 closes such an object when it deletes it, misses the attributes that were never
    set, and prints "Exception ignored in" with a traceback. Anything else is reported as before.
    """
    report = sys.unraisablehook

    def report_others(unraisable: "sys.UnraisableHookArgs") -> None:
        is_half_built = issubclass(unraisable.exc_type, AttributeError)
        if not (is_half_built and isinstance(unraisable.object, io.IOBase)):
            report(unraisable)

    sys.unraisablehook = report_others
    try:
        yield
    finally:
        sys.unraisablehook = report
