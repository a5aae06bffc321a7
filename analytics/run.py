"""Ask Athena one of the questions in analytics/questions; without a name, list them."""

import argparse
import os
import re
import sys

from analytics.athena import QueryFailed, QueryResult, run_query
from analytics.formatters import FORMATS
from analytics.progress import Patience
from analytics.question import BadParameter, Question, questions
from setup.lib import aws_errors as advice
from setup.lib.aws_errors import FAULTS

DOLLARS_PER_BYTE = 5 / 1e12  # A terabyte for five dollars, and each query at least 10 MB.
LEAST_BYTES = 10_000_000
PLACE = re.compile(r"line (\d+):(\d+)")
NO_TIME = re.compile(r"INVALID_CAST_ARGUMENT: .*\b(date|timestamp)\b")  # The views' casts only try.
MISSING = re.compile(r"(?i)workgroup .*not found|(table|schema)_not_found")


def main() -> int:
    """Answer the question that the command line names, and return the exit status."""
    options = _options()
    sys.stdout.reconfigure(errors="backslashreplace")  # Answers may hold what a terminal cannot.
    try:
        status = _answered(options)
        sys.stdout.flush()
        return status
    except BadParameter as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenPipeError:  # The reader, `head` say, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (QueryFailed, *FAULTS, OSError) as error:
        print(f"{options.question or 'questions'}: {advice.reason(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def reason(error: Exception, sql: str = "") -> str:
    """Return why there is no answer: the line that Athena means, and what makes what is missing."""
    text = str(error)
    if MISSING.search(text):
        return f"{text.rstrip('.')}: run python setup/11_athena.py"
    if NO_TIME.search(text):
        return f"{text}: write a day as 2026-11-23, a moment as 2026-11-23 10:00:00 (UTC)"
    return "\n".join([advice.reason(error), *_pointed_at(text, sql)])


def _pointed_at(text: str, sql: str) -> list[str]:
    """Return the line of a query that an error names, and a mark below the place in it."""
    if not (found := PLACE.search(text)):
        return []
    line, column = map(int, found.groups())
    lines = sql.splitlines()[line - 1 : line]
    return [
        f"  {line} | {shown}\n  {' ' * len(str(line))} | {' ' * (column - 1)}^" for shown in lines
    ]


def _watched(question: Question, values: list[str]) -> QueryResult:
    """Return the answer to a question; whoever waits for it sees how far it is."""
    patience = Patience()
    try:
        return run_query(question.sql, values, patience)
    except QueryFailed as error:
        raise QueryFailed(reason(error, question.sql)) from None
    finally:
        patience.end()


def listed(known: dict[str, Question]) -> str:
    """Return a line for each question: its name, what it answers, its parameters."""
    width = max(map(len, known))
    lines = []
    for question in known.values():
        lines.append(f"{question.name:{width}}  {question.meaning}")
        if question.parameters:
            lines.append(f"{'':{width}}  parameters: {_told(question)}")
    return "\n".join(lines)


def cost(*scanned: int) -> str:
    """Return what queries read, and what Athena takes for it where a terabyte costs $5."""
    dollars = sum(max(each, LEAST_BYTES) for each in scanned) * DOLLARS_PER_BYTE
    return f"{sum(scanned):,} bytes scanned, about ${dollars:.5f}"


def _answered(options: argparse.Namespace) -> int:
    known = questions()
    if options.question is None:
        print(listed(known))
        return 0
    if options.question not in known:
        print(f"no question is called {options.question}; there are:", file=sys.stderr)
        print(listed(known), file=sys.stderr)
        return 2
    question = known[options.question]
    answer = _watched(question, question.values(dict(options.param)))
    if options.format == "table":
        print(question.meaning)
    else:
        sys.stdout.reconfigure(encoding="utf-8")  # For programs, whatever the terminal can.
    for line in FORMATS[options.format](answer):
        print(line)
    sys.stdout.flush()
    print(cost(answer.scanned), file=sys.stderr)
    return 0


def _told(question: Question) -> str:
    return ", ".join(
        name if value is None else f"{name}={value}" for name, value in question.parameters.items()
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analytics.run", description=__doc__)
    parser.add_argument("question", nargs="?", help="its name: that of the file, without .sql")
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument(
        "--param",
        type=_parameter,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a value instead of the question's own; may be repeated",
    )
    return parser.parse_args()


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, found {text!r}")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
