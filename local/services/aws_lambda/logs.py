"""CloudWatch Logs of invocations, and the metric filters on them.

moto stores metric filters but never applies them.
"""

import json
import math
import operator
import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.services.aws_lambda.process import Function, Outcome

TAIL_BYTES = 4 * 1024  # The part of the log that LogType=Tail returns.
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
JSON_PATTERN = re.compile(r'\{\s*\$\.([\w.]+)\s*(!?=|[<>]=?)\s*("[^"]*"|-?[\d.]+)\s*\}')


def log_lines(function: Function, request_id: str, outcome: Outcome) -> list[str]:
    """Return the log lines of one invocation: the platform's around the function's own."""
    own_lines = outcome.log.removesuffix("\n").split("\n") if outcome.log else []
    milliseconds = outcome.seconds * 1000
    if function.logging["LogFormat"] == "JSON":
        report_record = {
            "requestId": request_id,
            "status": "error" if outcome.is_error else "success",
            "metrics": {
                "durationMs": round(milliseconds, 3),
                "billedDurationMs": math.ceil(milliseconds),
                "memorySizeMB": function.memory,
            },
        }
        start_record = {"requestId": request_id, "version": "$LATEST"}
        start = _platform_event("platform.start", start_record)
        return [start, *own_lines, _platform_event("platform.report", report_record)]
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
        f"Billed Duration: {math.ceil(milliseconds)} ms\tMemory Size: {function.memory} MB\t"
    )
    start = f"START RequestId: {request_id} Version: $LATEST"
    return [start, *own_lines, f"END RequestId: {request_id}", report]


def _platform_event(event_type: str, record: Mapping[str, Any]) -> str:
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return json.dumps({"time": now, "type": event_type, "record": record})


def put_log(logs: Any, group: str, stream: str, lines: Iterable[str]) -> bool:
    """Write lines as log events, and return False if the role lacks the permission.

    moto rejects future timestamps, so they come from the real clock, not the simulated one.
    """
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines if line]
    put = partial(logs.put_log_events, logGroupName=group, logStreamName=stream, logEvents=events)
    try:
        try:
            put()
        except logs.exceptions.ResourceNotFoundException:
            _create_log_stream(logs, group, stream)
            put()
    except (BotoCoreError, ClientError):
        return False
    return True


def _create_log_stream(logs: Any, group: str, stream: str) -> None:
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceNotFoundException:
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)


def filtered_metrics(
    filters: Iterable[Mapping[str, Any]], lines: Iterable[str]
) -> list[tuple[str, str, float]]:
    """Return namespace, name and sum of each metric that the filters extract from log lines.

    Only JSON patterns with one comparison are modelled, such as `{ $.failed > 0 }`; any other
    pattern matches nothing.
    """
    entries = [entry for line in lines if (entry := _json_object(line)) is not None]
    metrics = []
    for metric_filter in filters:
        matches = pattern_test(metric_filter.get("filterPattern", ""))
        matching = [entry for entry in entries if matches(entry)]
        if not matching:
            continue
        for metric in metric_filter["metricTransformations"]:
            total = sum(_metric_value(metric["metricValue"], entry) for entry in matching)
            metrics.append((metric["metricNamespace"], metric["metricName"], total))
    return metrics


def pattern_test(pattern: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return the test of a filter pattern for a decoded JSON log line."""
    parsed = JSON_PATTERN.fullmatch(pattern.strip())
    if parsed is None:
        return lambda entry: False
    path, symbol, literal = parsed.groups()
    expected = literal[1:-1] if literal.startswith('"') else float(literal)
    compare = OPERATORS[symbol]

    def matches(entry: Mapping[str, Any]) -> bool:
        value = _member(entry, path)
        is_same_type = isinstance(value, str) == isinstance(expected, str)
        return value is not None and is_same_type and compare(value, expected)

    return matches


def _metric_value(template: str, entry: Mapping[str, Any]) -> float:
    if template.startswith("$."):
        return float(_member(entry, template[2:]) or 0)
    return float(template)


def _member(entry: Mapping[str, Any], path: str) -> str | float | None:
    value: Any = entry
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str | int | float) else None


def _json_object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        entry: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return entry
