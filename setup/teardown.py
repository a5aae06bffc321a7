"""Take the pipeline down: stop the pipe, let Firehose write what it holds, remove the rest.

The orders and the lake stay unless --delete-data is given. It can be run again, and after a setup
that was never finished.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib import teardown_steps as removing
from setup.lib.cli import arguments, report
from setup.lib.drain import wait_until_drained
from setup.names import PIPELINE, TABLE, TABLE_IS_ADOPTED, bucket, region

# The reverse of setup, once nothing comes any more. Firehose drops what it holds when it is
# deleted, so it gets the time to write it.
STEPS = (
    removing.stop_pipe,
    wait_until_drained,
    removing.quicksight,
    removing.athena,
    removing.crawler,
    removing.database,
    removing.alarms,
    removing.pipe,
    removing.firehose,
    removing.function,
    removing.roles,
    removing.kinesis,
)
DATA = (removing.lake, removing.table)


def confirmed(told: argparse.Namespace) -> bool:
    """Return whether the user means it."""
    if told.yes:
        return True
    data = f" and all data in bucket {bucket()}" if told.delete_data else ""
    data += f" and table {TABLE}" if told.delete_data and not TABLE_IS_ADOPTED else ""
    print(f"This removes pipeline {PIPELINE} from {region()}{data}.", file=sys.stderr)
    try:
        return input("Type its name to go on: ").strip() == PIPELINE
    except EOFError:
        return False


def remove(told: argparse.Namespace) -> str:
    """Remove the pipeline, a line for each step, and say what is left of it."""
    if not confirmed(told):
        print("nothing was removed: --yes answers for you", file=sys.stderr)
        raise SystemExit(1)
    steps = (
        [step for step in STEPS if step is not wait_until_drained] if told.delete_data else STEPS
    )
    for step in (*steps, *(DATA if told.delete_data else ())):
        for line in step():
            print(line, flush=True)
    kept = "" if told.delete_data else f"; bucket {bucket()} and table {TABLE} are kept"
    return f"pipeline {PIPELINE} is gone{kept}"


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--delete-data", action="store_true", help="delete the lake and the table of orders too"
    )
    told = parser.parse_args()
    report(lambda: remove(told), parser.prog)
