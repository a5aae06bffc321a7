"""Cost so far: an estimate from list prices, the time since the first change, and the changes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from analytics.cost.load import DAYS, ENVELOPE_BYTES, Load
from analytics.cost.monthly import costs_at_rest, costs_of_changes, total

HOURS_PER_DAY = 24
HOUR_FORMAT = "%Y-%m-%d %H"


def estimate_cost(facts: Mapping[str, Mapping[str, Any]], now: datetime) -> dict[str, Any] | None:
    """Return what the pipeline has cost in US dollars; None if the facts do not say.

    Questions, the table itself, free tiers and discounts are not known, and not in it.
    """
    hours = facts["changes"]["hour"]["texts"]
    (sized_changes,) = facts["change_sizes"]["changes"]
    if not hours or not sized_changes:
        return None
    (characters,) = facts["change_sizes"]["characters"]
    first_hour = min(hours)
    started_at = datetime.strptime(first_hour[:13], HOUR_FORMAT).replace(tzinfo=UTC)
    days = max((now - started_at).total_seconds() / 86_400, 1 / HOURS_PER_DAY)
    change_count = sum(facts["changes"]["changes"])
    load = Load(
        changes_per_day=change_count / days,
        item_bytes=0,
        active_hours=min(HOURS_PER_DAY, max(1, len(hours) / days)),
        record_bytes=ENVELOPE_BYTES + characters / sized_changes,
    )
    months = days / DAYS
    return {
        "since": first_hour[:10],
        "at_rest": f"{months * total(costs_at_rest()):.4f}",
        "moving": f"{months * total(costs_of_changes(load)):.4f}",
        "changes": change_count,
        "record_bytes": round(load.change_bytes),
    }
