"""A model of CloudWatch's alarms on sums of records, which moto stores and never evaluates.

An alarm looks at its last periods, which end now; it fires if all of them exceed its threshold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Alarm = Mapping[str, Any]  # The parameters of PutMetricAlarm.
# The times of each operand's records, in seconds. A period without records has no data point.
Records = Mapping[str, Sequence[float]]


def is_firing(alarm: Alarm, records: Records, now: float) -> bool:
    """Return whether an alarm on a metric math expression fires at a time."""
    queries = alarm["Metrics"]
    [expression] = [query["Expression"] for query in queries if query["ReturnData"]]
    [period] = {query["MetricStat"]["Period"] for query in queries if not query["ReturnData"]}
    values = []
    for number in range(alarm["EvaluationPeriods"]):
        end = now - number * period
        sums = {name: _sum(times, end - period, end) for name, times in records.items()}
        values.append(evaluate(expression, sums))
    assert alarm["ComparisonOperator"] == "GreaterThanThreshold"
    is_missing_breaching = alarm["TreatMissingData"] == "breaching"
    return all(
        is_missing_breaching if value is None else value > alarm["Threshold"] for value in values
    )


def _sum(times: Sequence[float], start: float, end: float) -> float | None:
    """Return the number of records in a period, or None without any: AWS publishes no zeros."""
    return sum(start <= time < end for time in times) or None


def evaluate(expression: str, values: Mapping[str, float | None]) -> float | None:
    """Return the value of an expression of FILL, IF, AND and comparisons in one period.

    >>> evaluate("IF(FILL(a, 0) > 0 AND FILL(b, 0) == 0, 1, 0)", {"a": 2.0, "b": None})
    1
    >>> evaluate("IF(a > 0, 1, 0)", {"a": None}) is None
    True
    """
    functions: dict[str, Callable[..., Any]] = {
        "FILL": lambda value, default: default if value is None else value,
        "IF_": lambda condition, then, otherwise: then if condition else otherwise,
    }
    source = re.sub(r"\bIF\(", "IF_(", expression).replace(" AND ", " and ")
    assert re.fullmatch(r"[\w\s(),<>=]+", source), source
    try:
        result: float = eval(source, {"__builtins__": {}}, {**functions, **values})  # noqa: S307
    except TypeError:  # A missing data point makes the result missing.
        return None
    return result
