"""The story that `python -m local` tells: build the chain, feed it, ask it, and prove it."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.diagnostics import find_problems
from local.services.iam import Iam

PROJECT = Path(__file__).resolve().parent.parent
VERIFIED = PROJECT / "build" / "verified.json"  # where the dashboard looks for the last verdict
QUESTIONS = ("revenue_by_region", "status_funnel", "changes_per_hour")
IDLE = 0.25  # seconds between two looks for work: a pipe polls its stream four times a second


class ScriptFailed(Exception):
    """A script of the project ended with another status than 0; it has said why itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run of the chain came to."""

    orders: int
    seconds: float
    hops: tuple[HopCount, ...]
    verify: dict[str, object]

    @property
    def equal(self) -> bool:
        """Whether the lake was proven to equal the table."""
        return bool(self.verify.get("equal"))

    @property
    def changes(self) -> int:
        """How many changes the first hop took in."""
        return changes(self.hops)

    def summary(self) -> dict[str, object]:
        """Return the outcome as the JSON that `--summary` writes."""
        hops = [
            {
                "hop": hop.hop,
                "in": hop.received,
                "out": hop.delivered,
                "failed": hop.failed,
                "forgotten": hop.lost_on_restart,
            }
            for hop in self.hops
        ]
        return {
            "orders": self.orders,
            "changes": self.changes,
            "seconds": round(self.seconds, 3),
            "hops": hops,
            "verify": self.verify,
        }


def demo(cloud: Cloud, orders: int, seed: int) -> Outcome:
    """Build the chain, write orders through it, ask three questions, and prove the lake right."""
    heading("setup: the scripts that build it on AWS, unchanged")
    run(cloud, "setup")
    heading("orders")
    started = time.monotonic()
    write_orders(cloud, orders, seed)
    cloud.run_until_idle()
    seconds = time.monotonic() - started
    hops = told_hops(cloud)
    print(pace(cloud, hops, seconds))
    for trouble in find_problems(cloud):
        print(f"trouble: {trouble}")
    heading("the crawler")
    run(cloud, "setup/10_glue.py", "--crawl")
    for question in QUESTIONS:
        heading(f"Athena: {question}")
        run(cloud, "-m", "analytics.run", question)
    heading("proof")
    outcome = Outcome(orders, seconds, hops, verdict(cloud))
    heading("dashboard")
    run(cloud, "-m", "analytics.dashboard")
    return outcome


def write_orders(cloud: Cloud, orders: int, seed: int) -> None:
    """Let the generator write the lives of orders while the cloud moves."""
    run(cloud, "data_generator.py", "--orders", str(orders), "--seed", str(seed))


def told_hops(cloud: Cloud) -> tuple[HopCount, ...]:
    """Return what each hop took in, delivered and failed, and print it."""
    heading("the chain, hop by hop")
    hops = tuple(hop for service in cloud.services for hop in service.counts())
    print(hop_table(hops))
    return hops


def heading(text: str) -> None:
    """Print the title of the part of the story that comes next."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def run(cloud: Cloud, *command: str) -> None:
    """Run one of the project's scripts to its end while the cloud moves; it must not fail."""
    if status := exit_status(cloud, *command):
        told = f"python {' '.join(command)} ended with status {status}"
        raise ScriptFailed("\n".join([told, *cloud.service(Iam).denials()]))


def exit_status(cloud: Cloud, *command: str) -> int:
    """Run one of the project's scripts while the cloud moves, and return how it ended."""
    script = subprocess.Popen([sys.executable, *command], cwd=PROJECT)
    try:
        while script.poll() is None:
            if not cloud.tick():
                with suppress(subprocess.TimeoutExpired):
                    script.wait(IDLE)
    finally:
        script.terminate()
        script.wait()
    return script.returncode


def verdict(cloud: Cloud) -> dict[str, object]:
    """Return what operations.verify found, which it also prints."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, "verdict.json")
        # The chain is at rest: what the lake lacks now, no wait would bring.
        verify = ("-m", "operations.verify", "--wait", "0", "--json", str(found))
        status = exit_status(cloud, *verify)
        if not found.exists():
            raise ScriptFailed(f"operations.verify ended with status {status}")
        VERIFIED.parent.mkdir(exist_ok=True)
        shutil.copyfile(found, VERIFIED)
        return json.loads(found.read_text())


def changes(hops: tuple[HopCount, ...]) -> int:
    """Return how many changes the first hop took in."""
    return hops[0].received if hops else 0


def hop_table(hops: tuple[HopCount, ...]) -> str:
    """Return what each hop took in, delivered and failed, a line each.

    Where a part was restarted, a hop's line tells too what that made it forget, and how much
    more it took in than the hop before it knows to have delivered: what came again.
    """
    rows = [("hop", "in", "delivered", "failed", "forgotten", "again")]
    sent = [hop.delivered for hop in hops]
    for hop, before in zip(hops, [None, *sent], strict=False):
        again = 0 if before is None else max(0, hop.received - before)
        counts = (hop.received, hop.delivered, hop.failed, hop.lost_on_restart, again)
        rows.append((hop.hop, *map(str, counts)))
    if all(row[4:] == ("0", "0") for row in rows[1:]):
        rows = [row[:4] for row in rows]
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Return a table's rows as text, all columns but the first flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    )


def pace(cloud: Cloud, hops: tuple[HopCount, ...], seconds: float) -> str:
    """Return how fast the changes went from the generator into the lake, and what was slowest."""
    service, spent = max(cloud.seconds.items(), key=lambda item: item[1])
    return (
        f"{changes(hops)} changes in {seconds:.1f} s: {changes(hops) / seconds:.0f} changes/s; "
        f"most of it, {spent:.1f} s, in {service}"
    )
