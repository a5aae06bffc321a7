"""Delete the pipeline: stop the pipe, let Firehose write its buffers, delete the rest.

The table of orders and the lake are kept unless --delete-data is given. Teardown can be repeated,
and also cleans up after an unfinished setup.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.lib import teardown_steps as steps
from setup.lib.cli import argument_parser, run_on_aws
from setup.lib.drain import wait_until_drained
from setup.names import PIPELINE, TABLE, TABLE_IS_ADOPTED, bucket, region

Step = Callable[[], Iterator[str]]

# The reverse of setup, once no change arrives any more. Deleting Firehose discards its buffers, so
# it gets the time to write them, unless the lake is deleted as well.
STOP_STEPS = (steps.stop_pipe,)
DRAIN_STEPS = (wait_until_drained,)
DELETE_STEPS = (
    steps.delete_quicksight,
    steps.delete_workgroup,
    steps.delete_crawler,
    steps.delete_database,
    steps.delete_alarms,
    steps.delete_pipe,
    steps.delete_firehose,
    steps.delete_function,
    steps.delete_roles,
    steps.delete_stream,
)
DELETE_DATA_STEPS = (steps.delete_bucket, steps.delete_table)


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
    """Delete the pipeline, print the lines of each step, and return the last line."""
    if not is_confirmed(args):
        print("aborted; nothing was removed (use --yes to skip the prompt)", file=sys.stderr)
        raise SystemExit(1)
    all_steps: tuple[Step, ...]
    if args.delete_data:
        all_steps = (*STOP_STEPS, *DELETE_STEPS, *DELETE_DATA_STEPS)
    else:
        all_steps = (*STOP_STEPS, *DRAIN_STEPS, *DELETE_STEPS)
    for step in all_steps:
        for line in step():
            print(line, flush=True)
    if args.delete_data:
        return f"deleted pipeline {PIPELINE}"
    return f"deleted pipeline {PIPELINE}; kept bucket {bucket()} and table {TABLE}"


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    parser.add_argument(
        "--delete-data", action="store_true", help="also delete the lake and the table of orders"
    )
    args = parser.parse_args()
    run_on_aws(lambda: tear_down(args), parser.prog)
