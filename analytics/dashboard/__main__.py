"""Write the dashboard: one HTML file that asks nobody for anything once it is written."""

import argparse
import os
import sys
import time
import webbrowser
from datetime import datetime, timezone
from pathlib import Path

from analytics.athena import QueryFailed
from analytics.atomic_write import write_atomically
from analytics.dashboard.facts import facts
from analytics.dashboard.page import page
from analytics.dashboard.verification import BadProof, OtherLake, Proof, proof
from analytics.run import cost, reason
from setup.lib.aws_errors import FAULTS
from setup.names import PIPELINE, bucket

FAILURES = (QueryFailed, *FAULTS, OSError)
LAST_VERIFY = Path("build/verified.json")
LEAST_WATCH, LONGEST_WATCH = 2, 86_400  # seconds from one page to the next


def main() -> int:
    """Write the page, again and again if asked to, and return the exit status."""
    options = _options()
    try:
        status = written(options)
        if options.open and status == 0:
            webbrowser.open(options.out.resolve().as_uri())
        while options.watch:
            time.sleep(options.watch)
            written(options)  # What fails now may work the next time; the page tells its age.
        return status
    except KeyboardInterrupt:
        return 130


def written(options: argparse.Namespace) -> int:
    """Write the page once, say where it is, and return the exit status."""
    begun = datetime.now(timezone.utc)
    try:
        proven = last_proof(options.verified)
        found = facts()
        document = {
            "pipeline": PIPELINE,
            "made_at": f"{begun:%Y-%m-%d %H:%M:%S}",
            "watch": options.watch,
            "verify": proven and proven.document(),
            "facts": found.columns,
        }
        write_atomically(options.out, page(document))
    except BadProof as error:
        print(f"no dashboard: {error}", file=sys.stderr)
        return 2
    except FAILURES as error:
        print(f"no dashboard: {reason(error)}", file=sys.stderr)
        return 1
    print(f"dashboard: {options.out.resolve()}", flush=True)
    print(cost(*found.scanned), file=sys.stderr)
    return 0


def last_proof(path: Path | None) -> Proof | None:
    """Return what a file tells of this lake; the usual one may be of another, and tell nothing."""
    try:
        found = proof(path or LAST_VERIFY, bucket())
    except OtherLake:
        if path:
            raise
        return None
    if path and found is None:
        raise BadProof(f"{path} is missing: python -m operations.verify --json {path} writes it")
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m analytics.dashboard", description=__doc__)
    parser.add_argument(
        "--out",
        type=_file,
        default=Path("dashboard.html"),
        metavar="FILE",
        help="where to; default: dashboard.html",
    )
    parser.add_argument("--open", action="store_true", help="and open it in the browser")
    parser.add_argument(
        "--watch",
        type=_seconds,
        metavar="SECONDS",
        help="write it anew so often; the open page follows",
    )
    parser.add_argument(
        "--verified",
        type=Path,
        metavar="FILE",
        help=f"what operations.verify --json FILE wrote; default: {LAST_VERIFY}",
    )
    return parser.parse_args()


def _file(text: str) -> Path:
    path = Path(text)
    # os.path knows no errors: what this user may not look at is not there.
    if (os.path.exists(path) and not os.path.isfile(path)) or not os.path.isdir(path.parent):
        raise argparse.ArgumentTypeError(f"expected a file in a folder that exists, found {text!r}")
    return path


def _seconds(text: str) -> int:
    if not (text.isascii() and text.isdigit() and LEAST_WATCH <= int(text) <= LONGEST_WATCH):
        raise argparse.ArgumentTypeError(
            f"expected a whole number of seconds from {LEAST_WATCH} to {LONGEST_WATCH}, "
            f"found {text!r}"
        )
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
