"""Configuration: what `python setup --check` knows, as check results."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from operations.status.check import failed_call
from operations.status.check_result import CheckResult, Status
from setup.lib.drift import ScriptDrift, inspect_scripts
from setup.names import PIPELINE

PART = "configuration"
# Of setup's errors: the caller may not see a resource, or AWS is still changing it.
INCONCLUSIVE_TEXTS = ("access denied", "timed out after")


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
        status = Status.UNKNOWN if all(map(_is_inconclusive, lines)) else Status.PROBLEM
        yield CheckResult(drift.script, "; ".join(lines), status, remedy)
    if drift.error is not None:
        yield CheckResult(drift.script, failed_call(drift.error), Status.UNKNOWN)


def _is_inconclusive(line: str) -> bool:
    """Return whether a line says why a script could not compare, instead of a difference."""
    return any(text in line for text in INCONCLUSIVE_TEXTS)
