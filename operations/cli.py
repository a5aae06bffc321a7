"""How every verb ends: with an exit status, and a line instead of a traceback."""

import os
import re
import sqlite3
import sys
from collections.abc import Callable

from analytics.athena import QueryFailed
from operations.backfill.checkpoint import BadCheckpoint
from operations.firehose import NotReady
from operations.kinesis_writer import NotTaken
from operations.table import NoStream, NoSuchKey, Throttled
from setup.lib import aws_errors as advice
from setup.lib.aws_errors import EXPECTED_ERRORS
from setup.names import CHANGES, DATABASE, DELIVERY, FUNCTION, PIPE, STREAM, TABLE, WORKGROUP
from transform import BadRecord

INTERRUPTED = 130  # what a shell reports for Ctrl-C
FAILURES = (
    *EXPECTED_ERRORS,
    QueryFailed,
    Throttled,
    NoSuchKey,
    NoStream,
    BadCheckpoint,
    NotReady,
    NotTaken,
    BadRecord,
    OSError,
    sqlite3.Error,
)

ABSENT = r"\(ResourceNotFoundException\) when calling the {} operation"

# What the text of an error says, and what that means here.
ADVICE = (
    (ABSENT.format("DescribeTable"), f"table {TABLE} is missing: run python setup/01_dynamodb.py"),
    (
        ABSENT.format("DescribeDeliveryStream"),
        f"delivery stream {DELIVERY} is missing: run python setup/06_firehose.py",
    ),
    (
        r"\(NotFoundException\).*DescribePipe",
        f"pipe {PIPE} is missing: run python setup/07_pipe.py",
    ),
    (
        ABSENT.format("GetFunctionConfiguration"),
        f"function {FUNCTION} is missing: run python setup/05_lambda.py",
    ),
    (ABSENT.format("PutRecords"), f"stream {STREAM} is missing: run python setup/02_kinesis.py"),
    (
        r"(?i)workgroup .*not found",
        f"workgroup {WORKGROUP} is missing: run python setup/11_athena.py",
    ),
    ("SCHEMA_NOT_FOUND", f"database {DATABASE} is missing: run python setup/10_glue.py"),
    ("TABLE_NOT_FOUND", f"table {DATABASE}.{CHANGES} is missing: run python setup/10_glue.py"),
    (
        "NoSuchBucket|bucket does not exist",
        "the lake's bucket is missing: run python setup/03_s3.py",
    ),
)


def exit_status(verb: Callable[[], int], failed: int = 1) -> int:
    """Return a verb's exit status; `failed`, and the reason in a line, when it could not go on."""
    if sys.stdout is None:  # It was closed before.
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    sys.stdout.reconfigure(errors="backslashreplace")  # Keys may hold what a terminal cannot.
    try:
        status = verb()
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # The reader, `head` say, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return failed
    except FAILURES as error:
        print(reason(error), file=sys.stderr)
        return failed
    except KeyboardInterrupt:
        return INTERRUPTED


def reason(error: Exception) -> str:
    """Return why a verb could not go on and, where a resource is missing, what to run."""
    text = " ".join(str(error).split()) or type(error).__name__
    if found := next((what for sign, what in ADVICE if re.search(sign, text)), None):
        return found
    if isinstance(error, BadRecord):  # One of ours, though a ValueError.
        return text
    return " ".join(advice.error_message(error).split()) or text
