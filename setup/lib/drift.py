"""Drift detection: runs each script's `create()` with writes blocked, and reports each write.

A separate comparison would have to say once more what the scripts make, and would drift from them
itself. Instead `create()` runs as always, since it only writes where AWS differs from what it
wants, while two hooks of boto3's event system stand between it and AWS:

- before-parameter-build keeps the parameters of a call, which are no longer readable later;
- before-call lets operations that read (Describe, Get, List, Head) pass. Any other operation is
  noted as drift, with what the script found to differ right before, and answered with an empty
  response, without reaching AWS.

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
from pathlib import Path
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from setup.lib.comparison import take_noted
from setup.lib.resources import is_missing
from setup.lib.waiters import SetupError, WaitTimeout, max_wait

# The numbered scripts, in their order.
SCRIPTS = sorted(path.stem for path in Path(__file__).parents[1].glob("[0-9][0-9]_*.py"))
READ_VERBS = ("Describe", "Get", "List", "Head")
# By verb or operation; any other write means that the resource differs.
PROBLEMS = {"Create": "is missing", "Start": "is not started", "PutObject": "is missing"}
# Names that are clearer than the operation's own words.
RESOURCE_NAMES = {
    "delivery stream": "Firehose stream",
    "object": "id of the lake in bucket",
    "destination": "destination of Firehose stream",
    "tags to stream": "tag of stream",
    "queue attributes": "configuration of queue",
    "continuous backups": "backup configuration of table",
    "time to live": "TTL of table",
    "metric alarm": "alarm",
    "resource": "tags of",  # TagResource
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
        differences = take_noted()
        is_view = model.name == "StartQueryExecution"  # What differs of a view is its digest.
        if differences and problem.endswith("differs") and not is_view:
            problem = f"{problem} ({differences})"
        line = f"{problem}: run python setup/{self.script}.py"
        if is_view:
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
    problem = PROBLEMS.get(operation) or PROBLEMS.get(verb, "differs")
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


@dataclass(frozen=True)
class ScriptDrift:
    """The differences that a script would remove; `error` is the refused call that ended it."""

    script: str
    lines: list[str]
    error: ClientError | None = None


def find_drift(scripts: Iterable[str]) -> list[str]:
    """Return a line for each difference, with the script that fixes it; change nothing."""
    lines: list[str] = []
    for drift in inspect_scripts(scripts):
        if drift.error is not None:
            raise drift.error
        lines += drift.lines
    return list(dict.fromkeys(lines))  # Each script that requires a resource reports it missing.


def inspect_scripts(scripts: Iterable[str]) -> list[ScriptDrift]:
    """Return what each script would change, and change nothing."""
    with max_wait(0), _writes_blocked() as recorder:
        return [_inspect_script(script, recorder) for script in scripts]


def _inspect_script(script: str, recorder: DryRunRecorder) -> ScriptDrift:
    recorder.script = script
    recorder.lines = []
    take_noted()  # A script before may have ended between a comparison and its write.
    try:
        failures = failure_lines(script, recorder)
    except ClientError as error:
        return ScriptDrift(script, recorder.lines, error)
    return ScriptDrift(script, recorder.lines + failures)


class DryRunSession(boto3.Session):
    """A session whose clients cannot change AWS.

    Each client is created once, since that takes longer than most calls.
    """

    def __init__(self) -> None:
        super().__init__()
        self.recorder = DryRunRecorder()
        self._clients: dict[str, Any] = {}
        # The stubs do not know that a handler of before-call may return a response.
        events: Any = self.events
        events.register("before-parameter-build", self.recorder.keep_params)
        events.register("before-call", self.recorder.block_write)

    # The stubs have one overload for each service.
    def client(self, service_name: Any, *args: Any, **options: Any) -> Any:
        """Return the client of a service; one with options is not shared."""
        if args or options:
            return super().client(service_name, *args, **options)
        if service_name not in self._clients:
            self._clients[service_name] = super().client(service_name)
        return self._clients[service_name]


@contextmanager
def _writes_blocked() -> Iterator[DryRunRecorder]:
    session = DryRunSession()
    previous = boto3.DEFAULT_SESSION
    boto3.DEFAULT_SESSION = session
    try:
        yield session.recorder
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
