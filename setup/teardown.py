"""Delete the pipeline: stop the pipe, let Firehose write its buffers, delete the rest.

The table of orders and the lake are kept unless --delete-data is given. Teardown can be repeated,
and also cleans up after an unfinished setup. If a resource cannot be deleted, the others still are;
but while the pipe cannot be stopped, or Firehose may have changes to write, what delivers is kept.
"""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup import names
from setup.lib import teardown_steps as steps
from setup.lib.aws_errors import EXPECTED_ERRORS, concerns_one_service, error_message
from setup.lib.cli import argument_parser, run_on_aws
from setup.lib.drain import wait_until_drained
from setup.lib.waiters import SetupError
from setup.names import PIPELINE, TABLE, TABLE_IS_ADOPTED, bucket, region
from terminal.text import count

FREE = "no cost at rest"
LOG_COST = "0.03 USD per GB"


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to a resource, and what the resource costs a month if it stays.

    `run` yields a line for each thing that it did.
    """

    resource: str
    run: Callable[[], Iterator[str]]
    monthly_cost: str = FREE


def log_group_step(group: str) -> Step:
    """Return the step that deletes a log group."""
    return Step(f"log group {group}", partial(steps.delete_log_group, group), LOG_COST)


# The reverse of setup, once no change arrives any more. Deleting Firehose discards its buffers, so
# it gets the time to write them, unless the lake is deleted as well.
STOP_STEPS = (Step(f"pipe {names.PIPE}", steps.stop_pipe),)
DRAIN_STEPS = (Step(f"stream {names.STREAM}", wait_until_drained),)
QUERY_STEPS = (
    Step("QuickSight data sets", steps.delete_quicksight),
    Step(f"workgroup {names.WORKGROUP}", steps.delete_workgroup),
    Step(f"crawler {names.CRAWLER}", steps.delete_crawler),
    Step(f"database {names.DATABASE}", steps.delete_database),
    Step("alarms", steps.delete_alarms, "0.10 USD each"),
    Step("dashboard", steps.delete_alarm_dashboard, "3 USD"),
    Step(f"topic {names.ALARM_TOPIC}", steps.delete_topic),
)
DELIVERY_STEPS = (
    Step(f"pipe {names.PIPE}", steps.delete_pipe, "no cost while stopped"),
    log_group_step(names.PIPE_LOGS),
    Step(f"queue {names.DEAD_LETTERS}", steps.delete_queue),
    Step(f"Firehose stream {names.DELIVERY}", steps.delete_firehose),
    log_group_step(names.DELIVERY_LOGS),
    Step(f"function {names.FUNCTION}", steps.delete_function),
    log_group_step(names.FUNCTION_LOGS),
    *(
        Step(f"role of {service}", partial(steps.delete_role, service))
        for service in ("pipe", "firehose", "lambda", "crawler")
    ),
    Step(f"stream {names.STREAM}", steps.delete_stream, "29 USD"),
)
MASKING_STEPS = (Step(f"secret {names.MASKING_KEY}", steps.delete_masking_key, "0.40 USD"),)
DATA_STEPS = (
    *(MASKING_STEPS if names.MASKED else ()),
    Step("bucket of the lake", steps.delete_bucket, "0.023 USD per GB"),
    Step(f"table {TABLE}", steps.delete_table, "0.45 USD per GB"),
)


def is_confirmed(args: argparse.Namespace) -> bool:
    """Return whether the user confirms the deletion."""
    if args.yes:
        return True
    data = ""
    if args.delete_data:
        data += f" and all data in bucket {bucket()}"
        if not TABLE_IS_ADOPTED:
            data += f" and table {TABLE}"
    print(f"This deletes pipeline {PIPELINE} in {region()}{data}.", file=sys.stderr)
    try:
        return input("Type the pipeline name to confirm: ").strip() == PIPELINE
    except EOFError:
        return False


def tear_down(args: argparse.Namespace) -> str:
    """Delete the pipeline, print the lines of each step, and return the last line.

    A step that fails does not end it: raise SetupError at the end with what remains.
    """
    if not is_confirmed(args):
        print("aborted; nothing was removed (use --yes to skip the prompt)", file=sys.stderr)
        raise SystemExit(1)
    names.account()  # Without valid credentials it ends here.
    if args.delete_data:
        run_steps(STOP_STEPS)
        remaining = run_steps((*QUERY_STEPS, *DELIVERY_STEPS, *DATA_STEPS))
    elif run_steps(STOP_STEPS) or run_steps(DRAIN_STEPS):
        remaining = [*run_steps(QUERY_STEPS), *DELIVERY_STEPS]  # They may still hold changes.
    else:
        remaining = run_steps((*QUERY_STEPS, *DELIVERY_STEPS))
    if remaining:
        raise SetupError(remaining_message(remaining))
    if args.delete_data:
        return f"deleted pipeline {PIPELINE}"
    secret = f", secret {names.MASKING_KEY}" if names.MASKED else ""
    return f"deleted pipeline {PIPELINE}; kept bucket {bucket()}{secret} and table {TABLE}"


def run_steps(all_steps: Iterable[Step]) -> list[Step]:
    """Run each step, print its lines and its error, and return the steps that failed."""
    failed = []
    for step in all_steps:
        try:
            for line in step.run():
                print(line, flush=True)
        except EXPECTED_ERRORS as error:
            if not concerns_one_service(error):
                raise
            print(f"{step.resource}: {error_message(error)}", file=sys.stderr)
            failed.append(step)
    return failed


def remaining_message(remaining: Sequence[Step]) -> str:
    """Return what remains, and what it costs a month."""
    listed = "; ".join(f"{step.resource} ({step.monthly_cost})" for step in remaining)
    resources = count(len(remaining), "resource")
    return (
        f"{resources} may remain, at a monthly cost: {listed}: fix the errors, and run this again"
    )


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    parser.add_argument(
        "--delete-data", action="store_true", help="also delete the lake and the table of orders"
    )
    args = parser.parse_args()
    run_on_aws(lambda: tear_down(args), parser.prog)
