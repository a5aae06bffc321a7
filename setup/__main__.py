"""Build the whole pipeline: every script of this folder in its order, each with its line.

With --check nothing is built: each difference between what exists and what the scripts would make
is a line, with the script that mends it; the exit status is 1 where there is one.
"""

import sys
from functools import partial
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import arguments, report
from setup.lib.drift import differences
from setup.names import PIPELINE

SCRIPTS = sorted(path.stem for path in Path(__file__).parent.glob("[0-9][0-9]_*.py"))


def check() -> str:
    """Return that there is no difference, or end the program with a line for each."""
    if found := differences(SCRIPTS):
        print(*found, sep="\n")
        raise SystemExit(1)
    return f"pipeline {PIPELINE} is as the scripts would make it"


def line(script: str) -> str:
    """Return what a script says of its work, after its name."""
    return f"{script}: {import_module(f'setup.{script}').create()}"


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.prog = "python setup"
    parser.add_argument("--check", action="store_true", help="change nothing, tell what differs")
    if parser.parse_args().check:
        report(check, parser.prog)
    else:
        for name in SCRIPTS:
            report(partial(line, name), f"setup/{name}.py")
