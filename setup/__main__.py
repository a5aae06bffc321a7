"""Create the whole pipeline: run every numbered script in order, and print a line for each.

With --check nothing is created: each difference between AWS and what the scripts would create is a
line that names the script that fixes it. The exit status is 1 if there is one.
"""

import sys
from functools import partial
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup.lib.cli import argument_parser, run_on_aws
from setup.lib.column_limit import column_warnings
from setup.lib.drift import SCRIPTS, find_drift
from setup.lib.views import pending_views
from setup.names import PIPELINE


def check() -> str:
    """Return the lines if there is no drift; otherwise print it and exit with status 1."""
    drift = find_drift(SCRIPTS)
    notices = [*map(str, pending_views()), *column_warnings()]
    if drift:
        print("\n".join([*drift, *notices]))
        raise SystemExit(1)
    return "\n".join([f"no drift: pipeline {PIPELINE} matches the scripts", *notices])


def script_line(script: str) -> str:
    """Run a script, and return its line after its name."""
    return f"{script}: {import_module(f'setup.{script}').create()}"


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.prog = "python setup"
    parser.add_argument(
        "--check", action="store_true", help="report drift without changing anything"
    )
    args = parser.parse_args()
    if args.check:
        run_on_aws(check, parser.prog)
    else:
        for script in SCRIPTS:
            run_on_aws(partial(script_line, script), f"setup/{script}.py")
