"""Run a named query of analytics/queries, or one given as SQL; without either, list them."""

import argparse
import re
import sys
from functools import partial
from io import TextIOWrapper

from analytics.athena import QueryFailed, QueryResult, run_query
from analytics.formatters import FORMATS
from analytics.named_queries import InvalidParameter, NamedQuery, load_named_queries
from analytics.progress import ProgressLine
from setup.lib.aws_errors import error_message
from setup.lib.cli import exit_status, make_stdout_total

DOLLARS_PER_BYTE = 5 / 1e12  # Athena charges $5 per terabyte scanned,
MIN_BILLED_BYTES = 10_000_000  # and at least 10 MB per query.
SELECT = re.compile(r"\s*(SELECT|WITH)\b", re.IGNORECASE)
POSITION = re.compile(r"line (\d+):(\d+)")
# Only parameters can cause these errors: the views cast with TRY.
INVALID_DATE = re.compile(r"INVALID_CAST_ARGUMENT: .*\b(date|timestamp)\b")
NOT_SET_UP = re.compile(r"(?i)workgroup .*not found|(table|schema)_not_found")


def main() -> int:
    """Run the query that the command line names, and return the exit status."""
    args = _parse_arguments()
    make_stdout_total()
    return exit_status(partial(_run, args), broken_pipe=0, name=args.query or "queries")


def explain_error(error: Exception, sql: str = "") -> str:
    """Return why a query failed, with the fix or the line of SQL that is wrong."""
    message = str(error)
    if NOT_SET_UP.search(message):
        return f"{message.rstrip('.')}: run python setup/11_athena.py"
    if INVALID_DATE.search(message):
        return f"{message}: write a date as 2026-11-23, a time as 2026-11-23 10:00:00 (UTC)"
    return "\n".join([error_message(error), *_excerpt(message, sql)])


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
    if args.sql is not None:
        query = NamedQuery("sql", "", {}, args.sql)
        _print_result(query, _run_with_progress(query, []), args.format)
        return 0
    queries = load_named_queries()
    if args.query is None:
        print(list_queries(queries))
        return 0
    if args.query not in queries:
        print(f"unknown query {args.query!r}. Available queries:", file=sys.stderr)
        print(list_queries(queries), file=sys.stderr)
        return 2
    query = queries[args.query]
    try:
        values = query.parameter_values(dict(args.param))
    except InvalidParameter as error:
        print(error, file=sys.stderr)
        return 2
    _print_result(query, _run_with_progress(query, values), args.format)
    return 0


def _print_result(query: NamedQuery, result: QueryResult, output_format: str) -> None:
    if output_format == "table" and query.description:
        print(query.description)
    elif isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # Programs expect UTF-8 on every terminal.
    for line in FORMATS[output_format](result):
        print(line)
    sys.stdout.flush()
    print(format_cost(result.bytes_scanned), file=sys.stderr)


def _run_with_progress(query: NamedQuery, values: list[str]) -> QueryResult:
    progress_line = ProgressLine()
    try:
        return run_query(query.sql, values, progress_line)
    except QueryFailed as error:
        raise QueryFailed(explain_error(error, query.sql)) from None
    finally:
        progress_line.clear()


def _excerpt(message: str, sql: str) -> list[str]:
    """Return the line of SQL that an error message points to, and a mark below the column."""
    match = POSITION.search(message)
    lines = sql.splitlines()
    if match is None or int(match[1]) > len(lines):
        return []
    number, column = map(int, match.groups())
    margin = " " * len(str(number))
    return [f"  {number} | {lines[number - 1]}", f"  {margin} | {' ' * (column - 1)}^"]


def _format_parameters(query: NamedQuery) -> str:
    return ", ".join(
        name if default is None else f"{name}={default}"
        for name, default in query.parameters.items()
    )


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analytics.run", description=__doc__)
    parser.add_argument("query", nargs="?", help="query name: its file name without .sql")
    parser.add_argument("--sql", type=_select, help="SELECT statement to run instead")
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
    args = parser.parse_args()
    if args.sql is not None and (args.query is not None or args.param):
        parser.error("--sql cannot be combined with a query or --param")
    return args


def _select(text: str) -> str:
    if not SELECT.match(text):
        raise argparse.ArgumentTypeError(f"expected a SELECT statement, found {text[:40]!r}")
    return text


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
