"""Demo of `python -m local`: builds the chain, feeds it, queries the lake and verifies it."""

import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from local.core.hop_counts import HopCount
from local.core.server import Cloud
from local.diagnostics import find_problems
from local.services.iam import Iam
from terminal.text import count, format_table

PROJECT = Path(__file__).resolve().parent.parent
QUERIES = ("revenue_by_region", "status_funnel", "changes_per_hour")
IDLE_SECONDS = 0.25  # A pipe polls its stream four times a second.


class ScriptFailed(Exception):
    """A script of the project ended with an exit status other than 0; it has printed why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one run of the chain."""

    orders: int
    seconds: float
    hops: tuple[HopCount, ...]
    verify: dict[str, object]

    @property
    def is_equal(self) -> bool:
        """Whether the lake was proven to equal the table."""
        return bool(self.verify.get("equal"))

    @property
    def changes(self) -> int:
        """The number of changes that the first hop received."""
        return change_count(self.hops)

    def summary(self) -> dict[str, object]:
        """Return the outcome as the JSON that `--summary` writes."""
        hops = [
            {
                "hop": hop.hop,
                "received": hop.received,
                "delivered": hop.delivered,
                "failed": hop.failed,
                "lost": hop.lost_on_restart,
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


def run_demo(cloud: Cloud, orders: int, seed: int) -> Outcome:
    """Build the chain, write orders through it, run three queries and verify the lake."""
    print_heading("setup: the same scripts as on AWS")
    run_script(cloud, "setup")
    print_heading("orders")
    cloud.seconds_by_service.clear()  # Leave setup out of the throughput line.
    started_at = time.monotonic()
    write_orders(cloud, orders, seed)
    cloud.run_until_idle()
    seconds = time.monotonic() - started_at
    hops = print_hop_counts(cloud)
    print(throughput_line(cloud, hops, seconds))
    for problem in find_problems(cloud):
        print(f"problem: {problem}")
    print_heading("crawler")
    run_script(cloud, "setup/10_glue.py", "--crawl")
    for query in QUERIES:
        print_heading(f"Athena: {query}")
        run_script(cloud, "-m", "analytics.run", query)
    print_heading("verification")
    outcome = Outcome(orders, seconds, hops, verify_lake(cloud))
    print_heading("dashboard")
    write_dashboard(cloud, outcome.verify)
    return outcome


def write_orders(cloud: Cloud, orders: int, seed: int) -> None:
    """Run the generator, which writes the history of each order, while the cloud ticks."""
    run_script(cloud, "data_generator.py", "--orders", str(orders), "--seed", str(seed))


def print_hop_counts(cloud: Cloud) -> tuple[HopCount, ...]:
    """Print the record counts of each hop, and return them."""
    print_heading("the chain, hop by hop")
    hops = tuple(hop for service in cloud.services for hop in service.counts())
    print(hop_table(hops))
    return hops


def print_heading(text: str) -> None:
    """Print a section heading, in bold on a terminal."""
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def run_script(cloud: Cloud, *command: str) -> None:
    """Run a script of the project while the cloud ticks; raise ScriptFailed if it fails."""
    if status := call_script(cloud, *command):
        message = f"python {' '.join(command)} failed with exit status {status}"
        raise ScriptFailed("\n".join([message, *cloud.service(Iam).denials()]))


def call_script(cloud: Cloud, *command: str) -> int:
    """Run a script of the project while the cloud ticks, and return its exit status."""
    script = subprocess.Popen([sys.executable, *command], cwd=PROJECT)
    try:
        while script.poll() is None:
            if not cloud.tick():
                with suppress(subprocess.TimeoutExpired):
                    script.wait(IDLE_SECONDS)
    finally:
        script.terminate()
        script.wait()
    return script.returncode


def verify_lake(cloud: Cloud) -> dict[str, object]:
    """Run operations.verify, which prints its result, and return that result."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "verify.json")
        # The chain is idle, so waiting for in-flight changes is pointless.
        command = ("-m", "operations.verify", "--wait", "0", "--json", str(file))
        status = call_script(cloud, *command)
        if not file.exists():
            raise ScriptFailed(f"operations.verify failed with exit status {status}")
        result: dict[str, object] = json.loads(file.read_text())
        return result


def write_dashboard(cloud: Cloud, verify: dict[str, object]) -> None:
    """Run analytics.dashboard with this result of verify; a later run may have left another."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "verify.json")
        file.write_text(json.dumps(verify))
        run_script(cloud, "-m", "analytics.dashboard", "--verified", str(file))


def change_count(hops: tuple[HopCount, ...]) -> int:
    """Return the number of changes that the first hop received."""
    return hops[0].received if hops else 0


def hop_table(hops: tuple[HopCount, ...]) -> str:
    """Return a table of record counts, one line per hop.

    After restarts it has two more columns: the records that a restart lost from memory, and the
    duplicates, which a hop received beyond what the hop before it delivered.
    """
    rows: list[tuple[str, ...]] = [("hop", "received", "delivered", "failed", "lost", "duplicates")]
    delivered_before = [None, *(hop.delivered for hop in hops)]
    for hop, delivered in zip(hops, delivered_before, strict=False):
        duplicates = 0 if delivered is None else max(0, hop.received - delivered)
        counts = (hop.received, hop.delivered, hop.failed, hop.lost_on_restart, duplicates)
        rows.append((hop.hop, *map(str, counts)))
    if all(row[4:] == ("0", "0") for row in rows[1:]):
        return format_table([row[:4] for row in rows])
    return format_table(rows)


def throughput_line(cloud: Cloud, hops: tuple[HopCount, ...], seconds: float) -> str:
    """Return how fast the changes reached the lake, and the service that took longest."""
    changes = change_count(hops)
    slowest, spent = max(cloud.seconds_by_service.items(), key=lambda item: item[1])
    return (
        f"{count(changes, 'change')} in {seconds:.1f} s: {changes / seconds:.0f} changes/s; "
        f"slowest: {slowest}, {spent:.1f} s"
    )
