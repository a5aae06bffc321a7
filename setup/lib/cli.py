"""Command line of the setup scripts: their arguments, their line of output, their errors."""

import argparse
import os
import sys
from collections.abc import Callable

from setup.lib.aws_errors import FAULTS, reason
from setup.lib.waiters import SetupError
from setup.names import region


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose `--help` shows the description as it is laid out."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def run_script(create: Callable[[], str], description: str | None) -> None:
    """Run a script that takes no arguments, and print its line."""
    parser = argument_parser(description)
    parser.parse_args()
    run_on_aws(create, parser.prog)


def run_on_aws(step: Callable[[], str], name: str) -> None:
    """Check that a region is set, run the step, and print its line."""

    def step_in_region() -> str:
        region()
        return step()

    run_and_print(step_in_region, name)


def run_and_print(step: Callable[[], str], name: str) -> None:
    """Run the step and print its line; exit with a status and a message if it fails."""
    try:
        print(step(), flush=True)
        return
    except (*FAULTS, SetupError, OSError) as error:
        print(f"{name}: {reason(error)}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        print(f"{name}: interrupted; run it again to continue", file=sys.stderr)
        status = 130  # The status that shells report for Ctrl-C.
    # At exit, Python would flush a line that a closed stdout refused, and fail with a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    raise SystemExit(status)
