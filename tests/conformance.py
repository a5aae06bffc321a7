"""Conformance tests of DynamoDB against the laptop's: python -m tests.conformance SUITE.

SUITE is a clone of https://github.com/nubo-db/dynamodb-conformance in which `npm ci` has run: tests
for Node.js, checked against the service. A test that fails because the laptop cloud refuses a
feature by name is refused, not failed. Exit status 0: at least 92 % of the others pass.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.core.errors import not_modelled_message
from local.core.server import Cloud
from local.services.registry import SERVICES

MIN_RATE = 0.92
REFUSAL = not_modelled_message("A feature").removeprefix("A feature is ")
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": "us-east-1",
}


def main() -> int:
    """Run the suite, print its scores and failures, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("suite", type=Path, metavar="SUITE", help="directory of the suite")
    suite = parser.parse_args().suite
    if not (suite / "node_modules").is_dir():
        print(f"{suite} has no node_modules: clone the suite and run npm ci in it", file=sys.stderr)
        return 2
    outcomes = list(outcomes_of(run_suite(suite)))
    for outcome, _, name in outcomes:
        if outcome == "failed":
            print(f"failed: {name}")
    scores = count_outcomes(outcomes)
    for tier, counts in scores.items():
        print(format_score(tier, counts))
    return 0 if pass_rate(scores["all tiers"]) >= MIN_RATE else 1


def run_suite(suite: Path) -> Any:
    """Return the suite's report on a laptop cloud of its own."""
    cloud = Cloud(SERVICES)
    environment = {**os.environ, **CREDENTIALS, "DYNAMODB_ENDPOINT": cloud.endpoint}
    try:
        with tempfile.TemporaryDirectory() as directory:
            report = Path(directory, "report.json")
            command = ["npx", "vitest", "run", "--reporter=json", f"--outputFile={report}"]
            subprocess.run(command, cwd=suite, env=environment, check=False)
            return json.loads(report.read_text("utf-8"))
    finally:
        cloud.close()


def outcomes_of(report: Any) -> Iterator[tuple[str, str, str]]:
    """Yield the outcome, tier and name of each test of a report."""
    for file in report["testResults"]:
        match = re.search(r"tests/(tier\d)/", file["name"])
        if match is None:
            continue
        for test in file["assertionResults"]:
            outcome = test["status"]
            if outcome == "failed" and REFUSAL in "".join(test["failureMessages"]):
                outcome = "refused"
            yield outcome, match[1], test["fullName"]


def count_outcomes(outcomes: list[tuple[str, str, str]]) -> dict[str, Counter[str]]:
    """Return how many tests had each outcome, by tier and in all."""
    tiers = sorted({tier for _, tier, _ in outcomes})
    scores = {
        tier: Counter(outcome for outcome, of_tier, _ in outcomes if of_tier == tier)
        for tier in tiers
    }
    return {**scores, "all tiers": Counter(outcome for outcome, _, _ in outcomes)}


def pass_rate(counts: Mapping[str, int]) -> float:
    """Return the fraction of passed tests among those that passed or failed."""
    return counts["passed"] / max(1, counts["passed"] + counts["failed"])


def format_score(tier: str, counts: Mapping[str, int]) -> str:
    """Return the score of a tier as text."""
    total = counts["passed"] + counts["failed"]
    return (
        f"{tier}: {counts['passed']} of {total} pass ({pass_rate(counts):.1%}); "
        f"{counts['refused']} refused by name, {counts['skipped']} skipped"
    )


if __name__ == "__main__":
    sys.exit(main())
