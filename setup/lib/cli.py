"""How every setup script runs: its arguments, its one line of output, its errors."""

import argparse
import os
import sys
from collections.abc import Callable

from setup.lib.aws_errors import FAULTS, reason
from setup.lib.waiters import SetupError
from setup.names import region


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return a parser whose `--help` begins with what the script is about."""
    return argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def report(step: Callable[[], str], name: str) -> None:
    """Print the line of a step on AWS, which begins only once it is clear where that is."""
    say(lambda: region() and step(), name)


def say(step: Callable[[], str], name: str) -> None:
    """Print the step's line; end the program with a status and a sentence where that fails."""
    try:
        print(step(), flush=True)
        return
    except (*FAULTS, SetupError, OSError) as error:
        print(f"{name}: {reason(error)}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted: run it again to go on", file=sys.stderr)
        status = 130  # what a shell reports for Ctrl-C
    # A line that could not be written would be tried once more, with a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    raise SystemExit(status)


def run(step: Callable[[], str], about: str | None) -> None:
    """Run a script that takes no arguments and print its one line."""
    parser = arguments(about)
    parser.parse_args()
    report(step, parser.prog)
