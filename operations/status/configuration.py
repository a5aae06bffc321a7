"""Configuration: what `python setup --check` knows, as check results."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from operations.status.check import failed_call
from operations.status.check_result import CheckResult, Status
from setup.lib.drift import ScriptDrift, inspect_scripts
from setup.names import PIPELINE

PART = "configuration"


def check_configuration(
    scripts: Collection[str], reported: Collection[CheckResult]
) -> list[CheckResult]:
    """Return a result for each script whose resources differ from what it would create.

    A script that is already the remedy of a reported problem is left out.
    """
    results = [result for drift in inspect_scripts(scripts) for result in drift_results(drift)]
    remedies = {result.remedy for result in reported if result.status == Status.PROBLEM}
    new_results = [result for result in results if result.remedy not in remedies]
    if results:
        return new_results
    message = f"pipeline {PIPELINE} matches the {len(scripts)} scripts of setup"
    return [CheckResult(PART, message)]


def drift_results(drift: ScriptDrift) -> Iterator[CheckResult]:
    """Yield the differences that a script would remove, and the call that hid others."""
    remedy = f"python setup/{drift.script}.py"
    if drift.lines:
        lines = [line.removesuffix(f": run {remedy}") for line in drift.lines]
        yield CheckResult(drift.script, "; ".join(lines), Status.PROBLEM, remedy)
    if drift.error is not None:
        yield CheckResult(drift.script, failed_call(drift.error), Status.UNKNOWN)
