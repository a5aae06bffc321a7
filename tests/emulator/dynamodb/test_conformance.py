"""The score of the conformance tests: refusals by name are not failures."""

from typing import Any

from local.core.errors import not_modelled_message
from tests.conformance import count_outcomes, format_score, outcomes_of


def results(tier: str, *outcomes: str, message: str = "") -> dict[str, Any]:
    tests = [
        {"status": outcome, "fullName": outcome, "failureMessages": [message]}
        for outcome in outcomes
    ]
    return {"name": f"/suite/tests/{tier}/some.test.ts", "assertionResults": tests}


def test_refusals_are_no_failures() -> None:
    refusal = f"ValidationException: {not_modelled_message('TableClass')}"
    report = {
        "testResults": [
            results("tier1", "passed", "passed", "passed", "failed", "skipped"),
            results("tier2", "failed", message=refusal),
        ]
    }
    scores = count_outcomes(list(outcomes_of(report)))
    assert [format_score(tier, counts) for tier, counts in scores.items()] == [
        "tier1: 3 of 4 pass (75.0%); 0 refused by name, 1 skipped",
        "tier2: 0 of 0 pass (0.0%); 1 refused by name, 0 skipped",
        "all tiers: 3 of 4 pass (75.0%); 1 refused by name, 1 skipped",
    ]
