"""Command line of the setup scripts: their arguments, their line of output, their errors."""

import argparse
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper

from setup.lib.aws_errors import EXPECTED_ERRORS, error_message
from setup.names import region
from terminal.interrupts import half_built_files_unreported

INTERRUPTED = 130  # The status that shells report for Ctrl-C.


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


@half_built_files_unreported()
def run_and_print(step: Callable[[], str], name: str) -> None:
    """Run the step and print its line; exit with a status and a message if it fails."""
    try:
        print(step(), flush=True)
        return
    except EXPECTED_ERRORS as error:
        print(f"{name}: {error_message(error)}", file=sys.stderr)
        status = getattr(error, "exit_status", 1)
    except KeyboardInterrupt:
        print(f"{name}: interrupted; run it again to continue", file=sys.stderr)
        status = INTERRUPTED
    _discard_stdout()
    raise SystemExit(status)


@half_built_files_unreported()
def exit_status(
    command: Callable[[], int], *, failed: int = 1, broken_pipe: int = 1, name: str = ""
) -> int:
    """Run a command and return its exit status, with a message in place of a traceback.

    `failed` is the status after an error, `broken_pipe` after the reader of stdout has gone, as
    `head` does.
    """
    try:
        status = command()
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _discard_stdout()
        return broken_pipe
    except EXPECTED_ERRORS as error:
        message = error_message(error)
        print(f"{name}: {message}" if name else message, file=sys.stderr)
        return failed
    except KeyboardInterrupt:
        return INTERRUPTED


def make_stdout_total() -> None:
    """Let stdout take any text, also when it is closed or its encoding is narrow."""
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _discard_stdout() -> None:
    # At exit, Python would flush what a closed stdout refused, and fail with a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
