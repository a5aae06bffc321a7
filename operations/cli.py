"""Command line of every verb: options they share, output as text or JSON, and exit status."""

from __future__ import annotations

import json
import re
import sqlite3
import traceback
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from botocore.exceptions import ClientError

from analytics.athena import QueryFailed
from analytics.atomic_write import write_atomically
from setup.lib.cli import exit_status, make_stdout_total
from setup.lib.errors import UserError
from setup.names import CHANGES, DATABASE, DELIVERY, FUNCTION, PIPE, STREAM, TABLE, WORKGROUP
from terminal.arguments import number, output_file
from transform import BadRecord, canonical

STDOUT = Path("-")
UNITS = {"h": timedelta(hours=1), "m": timedelta(minutes=1)}
NOT_FOUND = r"\(ResourceNotFoundException\) when calling the {} operation"

# A pattern in the text of an error, and the message for the resource that is missing.
MISSING_RESOURCES = (
    (
        NOT_FOUND.format("DescribeTable"),
        f"table {TABLE} does not exist: run python setup/01_dynamodb.py",
    ),
    (
        NOT_FOUND.format("DescribeDeliveryStream"),
        f"delivery stream {DELIVERY} does not exist: run python setup/06_firehose.py",
    ),
    (
        r"\(NotFoundException\).*DescribePipe",
        f"pipe {PIPE} does not exist: run python setup/07_pipe.py",
    ),
    (
        NOT_FOUND.format("GetFunctionConfiguration"),
        f"function {FUNCTION} does not exist: run python setup/05_lambda.py",
    ),
    (
        NOT_FOUND.format("(PutRecords|DescribeStreamSummary)"),
        f"stream {STREAM} does not exist: run python setup/02_kinesis.py",
    ),
    (
        r"(?i)workgroup .*not found",
        f"workgroup {WORKGROUP} does not exist: run python setup/11_athena.py",
    ),
    (
        r"\(EntityNotFoundException\) when calling the Get(Table|Partitions) operation",
        f"a table of database {DATABASE} does not exist: run python setup/10_glue.py",
    ),
    ("SCHEMA_NOT_FOUND", f"database {DATABASE} does not exist: run python setup/10_glue.py"),
    ("TABLE_NOT_FOUND", f"table {DATABASE}.{CHANGES} does not exist: run python setup/10_glue.py"),
    (
        "NoSuchBucket|bucket does not exist",
        "the lake's bucket does not exist: run python setup/03_s3.py",
    ),
)

rate = number(minimum=0.001, maximum=1_000_000, unit="items per second")


def item_key(text: str) -> str:
    """Return a key in the canonical form that the lake uses."""
    try:
        return canonical(json.loads(text))
    except (ValueError, RecursionError):
        example = '{"order_id": {"S": "SO-1"}}'
        raise ArgumentTypeError(f"expected a key such as {example}, found {text!r}") from None


def past_time(text: str) -> datetime:
    """Return a time before now, written as `2026-11-29T08:00` in UTC, or as `24h` or `90m` ago."""
    now = datetime.now(UTC)
    time = _parse_time(text, now)
    if time is None or time >= now:
        raise ArgumentTypeError(
            f"expected a time before now, such as 2026-11-29T08:00 (UTC) or 24h, found {text!r}"
        )
    return time


def _parse_time(text: str, now: datetime) -> datetime | None:
    if duration := re.fullmatch(r"([0-9]{1,4})([hm])", text):
        return now - int(duration[1]) * UNITS[duration[2]]
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def argument_parser(verb: str, description: str | None, epilog: str = "") -> ArgumentParser:
    """Return a parser whose `--help` shows description and epilog as they are laid out."""
    return ArgumentParser(
        prog=f"python -m operations.{verb}",
        description=description,
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter,
    )


def add_json_option(parser: ArgumentParser) -> None:
    """Add the option --json [FILE]."""
    parser.add_argument(
        "--json",
        type=lambda text: STDOUT if text == "-" else output_file(text),
        nargs="?",
        const=STDOUT,
        metavar="FILE",
        help="write JSON to FILE, or to stdout if FILE is omitted",
    )


def print_report(lines: Iterable[str], document: Mapping[str, object], path: Path | None) -> None:
    """Print a report's lines and write its JSON to the file; for STDOUT, print only the JSON."""
    text = json.dumps(document, indent=2)
    if path == STDOUT:
        print(text)
        return
    if path:
        write_atomically(path, f"{text}\n")
    for line in lines:
        print(line, flush=True)


def run_command(command: Callable[[], int], failure_status: int = 1) -> int:
    """Run a command and return its exit status; print an expected error as one line.

    A bug ends with its traceback and the same status as any error: Python's own is 1, which some
    verbs return for what they found.
    """
    make_stdout_total()
    try:
        return exit_status(
            lambda: _with_user_errors(command), failed=failure_status, broken_pipe=failure_status
        )
    except Exception:  # noqa: BLE001 - a bug is printed whole, below.
        traceback.print_exc()
        return failure_status


def _with_user_errors(command: Callable[[], int]) -> int:
    try:
        return command()
    except ClientError as error:
        message = _missing_resource_message(str(error))
        if message is None:
            raise
        raise UserError(message) from error
    except (QueryFailed, BadRecord, sqlite3.Error) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise UserError(_missing_resource_message(text) or text) from error


def _missing_resource_message(text: str) -> str | None:
    """Return which script creates the resource that an error is about, if that is missing."""
    for pattern, message in MISSING_RESOURCES:
        if re.search(pattern, text):
            return message
    return None
