"""Drift detection: runs each script's `create()` with writes blocked, and reports each write.

A separate comparison would have to say once more what the scripts make, and would drift from them
itself. Instead `create()` runs as always, since it only writes where AWS differs from what it
wants, while two hooks of boto3's event system stand between it and AWS:

- before-parameter-build keeps the parameters of a call, which are no longer readable later;
- before-call lets operations that read (Describe, Get, List, Head) pass. Any other operation is
  noted as drift and answered with an empty response, without reaching AWS.

After a blocked write the script goes on with what really exists, so its next error may be only a
consequence: a resource that is still missing, or a wait that cannot succeed, is not reported after
a blocked write of the same script. Nothing is waited for. Starting a query is the one write whose
response a script cannot do without, so it ends the script.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from setup.lib.resources import is_missing
from setup.lib.waiters import SetupError, WaitTimeout, max_wait

READ_VERBS = ("Describe", "Get", "List", "Head")
# Any other write means that the resource differs.
PROBLEM_BY_VERB = {"Create": "is missing", "Start": "is not started"}
# Names that are clearer than the operation's own words.
RESOURCE_NAMES = {
    "delivery stream": "Firehose stream",
    "destination": "destination of Firehose stream",
    "tags to stream": "tag of stream",
    "queue attributes": "configuration of queue",
    "continuous backups": "backup configuration of table",
    "time to live": "TTL of table",
    "metric alarm": "alarm",
}
# Parameters of any operation: each has a shape of its own.
Params = Mapping[str, Any]


@dataclass
class DryRunRecorder:
    """Blocks the calls that would change AWS, and records a line of drift for each."""

    script: str = ""
    lines: list[str] = field(default_factory=list)

    def keep_params(self, params: Params, context: dict[str, Any], **_: object) -> None:
        """Keep a call's parameters until it is about to be sent."""
        context["params"] = params

    def block_write(
        self, model: OperationModel, context: dict[str, Any], **_: object
    ) -> tuple[AWSResponse, dict[str, Any]] | None:
        """Return None for a read, which then reaches AWS, and an empty response for a write."""
        if model.name.startswith(READ_VERBS):
            return None
        problem = describe_write(model.name, context["params"])
        line = f"{problem}: run python setup/{self.script}.py"
        if model.name == "StartQueryExecution":
            raise SetupError(line)
        self.lines.append(line)
        return AWSResponse("", 200, HTTPHeaders(), None), {}


def describe_write(operation: str, params: Params) -> str:
    """Return the problem that a script would fix by calling the operation.

    >>> describe_write("CreateTable", {"TableName": "sales-cdc-orders"})
    'table sales-cdc-orders is missing'
    """
    if operation == "StartQueryExecution":
        return f"view {_view_name(params['QueryString'])} differs"
    verb, *words = re.findall("[A-Z][a-z]*", operation)
    kind = " ".join(words).lower()
    problem = PROBLEM_BY_VERB.get(verb, "differs")
    return f"{RESOURCE_NAMES.get(kind, kind)} {_resource_name(params)} {problem}"


def _view_name(statement: str) -> str:
    view = re.search(r"VIEW (\w+)", statement)
    if view is None:
        raise ValueError(f"expected CREATE VIEW, found {statement!r}")
    return view[1]


def _resource_name(params: Params) -> str:
    """Return the name in a call's parameters: a nested `Name`, or else the first text."""
    values = list(params.values())
    nested = [value["Name"] for value in values if isinstance(value, Mapping) and "Name" in value]
    name = next(value for value in nested + values if isinstance(value, str))
    return name.rpartition("/")[2] if name.startswith("http") else name


def find_drift(scripts: Iterable[str]) -> list[str]:
    """Return a line for each difference, with the script that fixes it; change nothing."""
    recorder = DryRunRecorder()
    lines: list[str] = []
    with max_wait(0), _writes_blocked_by(recorder):
        for script in scripts:
            recorder.script = script
            recorder.lines = []
            failures = failure_lines(script, recorder)
            lines += recorder.lines + failures
    return list(dict.fromkeys(lines))  # Each script that requires a resource reports it missing.


@contextmanager
def _writes_blocked_by(recorder: DryRunRecorder) -> Iterator[None]:
    session = boto3.Session()
    # The stubs do not know that a handler of before-call may return a response.
    events: Any = session.events
    events.register("before-parameter-build", recorder.keep_params)
    events.register("before-call", recorder.block_write)
    previous = boto3.DEFAULT_SESSION
    boto3.DEFAULT_SESSION = session
    try:
        yield
    finally:
        boto3.DEFAULT_SESSION = previous


def failure_lines(script: str, recorder: DryRunRecorder) -> list[str]:
    """Run the script, and return its error unless that is a consequence of a blocked write."""
    try:
        import_module(f"setup.{script}").create()
    except SetupError as error:
        if isinstance(error, WaitTimeout) and recorder.lines:
            return []
        fix = "" if "python setup/" in str(error) else f": run python setup/{script}.py"
        return [f"{error}{fix}"]
    except ClientError as error:
        if not (is_missing(error) and recorder.lines):
            raise
    return []
