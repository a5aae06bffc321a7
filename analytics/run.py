"""Run one of the named queries in analytics/questions; without a name, list them."""

import argparse
import io
import os
import re
import sys

from analytics.athena import QueryFailed, QueryResult, run_query
from analytics.formatters import FORMATS
from analytics.named_queries import InvalidParameter, NamedQuery, load_named_queries
from analytics.progress import ProgressLine
from setup.lib import aws_errors
from setup.lib.aws_errors import EXPECTED_ERRORS

DOLLARS_PER_BYTE = 5 / 1e12  # Athena charges $5 per terabyte scanned,
MIN_BILLED_BYTES = 10_000_000  # and at least 10 MB per query.
POSITION = re.compile(r"line (\d+):(\d+)")
# Only parameters can cause these errors: the views cast with TRY.
INVALID_DATE = re.compile(r"INVALID_CAST_ARGUMENT: .*\b(date|timestamp)\b")
NOT_SET_UP = re.compile(r"(?i)workgroup .*not found|(table|schema)_not_found")


def main() -> int:
    """Run the query that the command line names, and return the exit status."""
    args = _parse_arguments()
    _reconfigure_stdout(errors="backslashreplace")  # Results may not fit the terminal's encoding.
    try:
        status = _run(args)
        sys.stdout.flush()
        return status
    except InvalidParameter as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # The reader has closed the pipe, as `head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (QueryFailed, *EXPECTED_ERRORS) as error:
        print(f"{args.query or 'queries'}: {aws_errors.error_message(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def explain_error(error: Exception, sql: str = "") -> str:
    """Return why a query failed, with the fix or the line of SQL that Athena's message means."""
    message = str(error)
    if NOT_SET_UP.search(message):
        return f"{message.rstrip('.')}: run python setup/11_athena.py"
    if INVALID_DATE.search(message):
        return f"{message}: write a date as 2026-11-23, a time as 2026-11-23 10:00:00 (UTC)"
    return "\n".join([aws_errors.error_message(error), *_excerpt(message, sql)])


def list_queries(queries: dict[str, NamedQuery]) -> str:
    """Return a line for each query with its description, and one with its parameters."""
    width = max(map(len, queries))
    lines = []
    for query in queries.values():
        lines.append(f"{query.name:{width}}  {query.description}")
        if query.parameters:
            lines.append(f"{'':{width}}  parameters: {_format_parameters(query)}")
    return "\n".join(lines)


def format_cost(*bytes_scanned: int) -> str:
    """Return the bytes that queries scanned, and what Athena charges for them at $5 per TB."""
    billed = sum(max(count, MIN_BILLED_BYTES) for count in bytes_scanned)
    return f"{sum(bytes_scanned):,} bytes scanned, about ${billed * DOLLARS_PER_BYTE:.5f}"


def _run(args: argparse.Namespace) -> int:
    queries = load_named_queries()
    if args.query is None:
        print(list_queries(queries))
        return 0
    if args.query not in queries:
        print(f"unknown query {args.query!r}. Available queries:", file=sys.stderr)
        print(list_queries(queries), file=sys.stderr)
        return 2
    query = queries[args.query]
    result = _run_with_progress(query, query.parameter_values(dict(args.param)))
    if args.format == "table":
        print(query.description)
    else:
        _reconfigure_stdout(encoding="utf-8")  # Programs expect UTF-8 on every terminal.
    for line in FORMATS[args.format](result):
        print(line)
    sys.stdout.flush()
    print(format_cost(result.bytes_scanned), file=sys.stderr)
    return 0


def _run_with_progress(query: NamedQuery, values: list[str]) -> QueryResult:
    progress_line = ProgressLine()
    try:
        return run_query(query.sql, values, progress_line)
    except QueryFailed as error:
        raise QueryFailed(explain_error(error, query.sql)) from None
    finally:
        progress_line.clear()


def _excerpt(message: str, sql: str) -> list[str]:
    """Return the line of SQL that an error message names, with a mark below the position."""
    if not (match := POSITION.search(message)):
        return []
    number, column = map(int, match.groups())
    margin = " " * len(str(number))
    return [
        f"  {number} | {line}\n  {margin} | {' ' * (column - 1)}^"
        for line in sql.splitlines()[number - 1 : number]
    ]


def _format_parameters(query: NamedQuery) -> str:
    return ", ".join(
        name if default is None else f"{name}={default}"
        for name, default in query.parameters.items()
    )


def _reconfigure_stdout(encoding: str | None = None, errors: str | None = None) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding=encoding, errors=errors)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analytics.run", description=__doc__)
    parser.add_argument("query", nargs="?", help="query name: its file name without .sql")
    parser.add_argument(
        "--format", choices=FORMATS, default="table", help="output format (default: table)"
    )
    parser.add_argument(
        "--param",
        type=_name_and_value,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of a query parameter; may be repeated",
    )
    return parser.parse_args()


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
