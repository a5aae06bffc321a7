"""Savings: what each other setting would save at a load, and what it gives up."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from analytics.cost.load import Load
from analytics.cost.monthly import DEFAULTS, monthly_costs, total
from operations.plan.limits import KINESIS_BYTES, KINESIS_RECORDS


@dataclass(frozen=True, slots=True)
class Saving:
    """What a setting saves in a month; a negative amount is a cost."""

    setting: str
    dollars: float
    gives_up: str


def savings(load: Load) -> list[Saving]:
    """Return what each setting would save, the largest amount first."""
    rate = load.changes_per_second
    shards = math.ceil(max(rate / KINESIS_RECORDS, rate * load.change_bytes / KINESIS_BYTES, 0.01))
    noun = "shard" if shards == 1 else "shards"
    alternatives = (
        (
            f"Kinesis provisioned, {shards} {noun}",
            replace(DEFAULTS, provisioned_shards=shards),
            "shards that AWS adds by itself",
        ),
        (
            "FLUSH_SECONDS 900",
            replace(DEFAULTS, flush_seconds=900),
            "freshness: up to 22 minutes instead of two",
        ),
        (
            "partitions by time of arrival",
            replace(DEFAULTS, is_partitioned=False),
            "correct days: a late change is missed by queries of its day",
        ),
        ("function on arm64", replace(DEFAULTS, is_arm=True), "nothing known"),
        (
            "no point-in-time recovery",
            replace(DEFAULTS, has_recovery=False),
            "restoring the table to any second of 35 days",
        ),
        ("no alarms", replace(DEFAULTS, has_alarms=False), "a warning before changes are lost"),
        (
            "operations.compact every night",
            replace(DEFAULTS, has_copy=True),
            "a change that arrives days late is seen after the next night",
        ),
    )
    before = total(monthly_costs(load))
    all_savings = [
        Saving(setting, before - total(monthly_costs(load, settings)), gives_up)
        for setting, settings, gives_up in alternatives
    ]
    return sorted(all_savings, key=lambda saving: -saving.dollars)
