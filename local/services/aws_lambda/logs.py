"""What an invocation leaves in CloudWatch Logs, and what metric filters make of it.

moto keeps metric filters and never applies them.
"""

import json
import math
import operator
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local.services.aws_lambda.process import Function, Outcome

TAIL = 4 * 1024  # bytes of the log that an invocation with LogType=Tail answers with
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
    """Return the lines of one invocation: the platform's own around what the function wrote."""
    written = outcome.log.removesuffix("\n").split("\n") if outcome.log else []
    milliseconds = outcome.seconds * 1000
    if function.logging["LogFormat"] == "JSON":
        done = {
            "requestId": request_id,
            "status": "error" if outcome.failed else "success",
            "metrics": {
                "durationMs": round(milliseconds, 3),
                "billedDurationMs": math.ceil(milliseconds),
                "memorySizeMB": function.memory,
            },
        }
        start = {"requestId": request_id, "version": "$LATEST"}
        return [_event("platform.start", start), *written, _event("platform.report", done)]
    report = (
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
        f"Billed Duration: {math.ceil(milliseconds)} ms\tMemory Size: {function.memory} MB\t"
    )
    start = f"START RequestId: {request_id} Version: $LATEST"
    return [start, *written, f"END RequestId: {request_id}", report]


def _event(kind: str, record: Mapping[str, Any]) -> str:
    at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    return json.dumps({"time": at, "type": kind, "record": record})


def put_log(logs: Any, group: str, stream: str, lines: Iterable[str]) -> bool:
    """Write lines as events, and return whether that worked: a role may lack the permission.

    Logs has its own sense of time and refuses events of a future that the demo has skipped to.
    """
    now = int(time.time() * 1000)
    events = [{"timestamp": now, "message": line} for line in lines if line]
    wanted = {"logGroupName": group, "logStreamName": stream, "logEvents": events}
    try:
        try:
            logs.put_log_events(**wanted)
        except logs.exceptions.ResourceNotFoundException:
            _make_stream(logs, group, stream)
            logs.put_log_events(**wanted)
    except (BotoCoreError, ClientError):
        return False
    return True


def _make_stream(logs: Any, group: str, stream: str) -> None:
    try:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    except logs.exceptions.ResourceNotFoundException:
        logs.create_log_group(logGroupName=group)
        logs.create_log_stream(logGroupName=group, logStreamName=stream)


def filtered_metrics(
    filters: Iterable[Mapping[str, Any]], lines: Iterable[str]
) -> list[tuple[str, str, float]]:
    """Return namespace, name and sum of each metric that metric filters draw from log lines.

    Only JSON patterns of one comparison are known, such as `{ $.failed > 0 }`; another draws
    nothing.
    """
    entries = [entry for line in lines if (entry := _json_object(line)) is not None]
    found = []
    for each in filters:
        matches = matcher(each.get("filterPattern", ""))
        matched = [entry for entry in entries if matches(entry)]
        for metric in each["metricTransformations"] if matched else ():
            total = sum(_value(metric["metricValue"], entry) for entry in matched)
            found.append((metric["metricNamespace"], metric["metricName"], total))
    return found


def matcher(pattern: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return the test that a filter's pattern puts to a JSON log line."""
    parsed = JSON_PATTERN.fullmatch(pattern.strip())
    if parsed is None:
        return lambda entry: False
    path, sign, literal = parsed.groups()
    wanted = literal[1:-1] if literal.startswith('"') else float(literal)
    compare = OPERATORS[sign]

    def matches(entry: Mapping[str, Any]) -> bool:
        value = _member(entry, path)
        same_kind = isinstance(value, str) == isinstance(wanted, str)
        return value is not None and same_kind and compare(value, wanted)

    return matches


def _value(template: str, entry: Mapping[str, Any]) -> float:
    return (
        float(_member(entry, template[2:]) or 0) if template.startswith("$.") else float(template)
    )


def _member(entry: Mapping[str, Any], path: str) -> str | float | None:
    value: Any = entry
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str | int | float) else None


def _json_object(line: str) -> dict[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        return json.loads(line)
    except ValueError:
        return None
