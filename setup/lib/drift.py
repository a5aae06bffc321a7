"""Where what exists differs from what the scripts would make: they run, but may only ask."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import boto3
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError

from setup.lib.resources import is_missing
from setup.lib.waiters import PATIENCE, SetupError, WaitTimeout

ASKING = ("Describe", "Get", "List", "Head")
# Of any other verb the thing differs.
WRONG = {"Create": "is missing", "Start": "is not started", "StartQueryExecution": "differs"}
# What the words of an operation do not say clearly.
THINGS = {
    "delivery stream": "Firehose stream",
    "destination": "destination of Firehose stream",
    "tags to stream": "tags of stream",
    "query execution": "view",
    "metric alarm": "alarm",
}


@dataclass
class Watch:
    """Lets pass what only asks AWS; notes and holds back what would change something."""

    script: str = ""
    noted: list[str] = field(default_factory=list)

    def remember(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        """Keep a call's parameters until it is about to be sent."""
        context["asked"] = params

    def hold_back(
        self, model: Any, context: dict[str, Any], **_: Any
    ) -> tuple[AWSResponse, dict[str, Any]] | None:
        """Return None for a question, and for anything else an answer in place of AWS's."""
        if model.name.startswith(ASKING):
            return None
        line = f"{difference(model.name, context['asked'])}: run python setup/{self.script}.py"
        if model.name == "StartQueryExecution":  # No script can go on without this answer.
            raise SetupError(line)
        self.noted.append(line)
        return AWSResponse("", 200, {}, None), {}


def difference(operation: str, params: Mapping[str, Any]) -> str:
    """Return what is wrong where a script would call the operation.

    >>> difference("CreateTable", {"TableName": "sales-cdc-orders"})
    'table sales-cdc-orders is missing'
    """
    verb, *words = re.findall("[A-Z][a-z]*", operation)
    thing, wrong = " ".join(words).lower(), WRONG.get(operation, WRONG.get(verb, "differs"))
    return f"{THINGS.get(thing, thing)} {subject(params)} {wrong}"


def subject(params: Mapping[str, Any]) -> str:
    """Return the name of what a call is about."""
    if view := re.search(r"VIEW (\w+)", params.get("QueryString", "")):
        return view[1] if "Name" not in params else params["Name"]
    inner = [
        value["Name"] for value in params.values() if isinstance(value, Mapping) and "Name" in value
    ]
    first = next(value for value in (*inner, *params.values()) if isinstance(value, str))
    return first.rpartition("/")[2] if first.startswith("http") else first


def differences(scripts: Iterable[str]) -> list[str]:
    """Return a line for each difference, with the script that mends it; change nothing."""
    PATIENCE.seconds = 0
    boto3.setup_default_session()
    watch, found = Watch(), []
    boto3.DEFAULT_SESSION.events.register("before-parameter-build", watch.remember)
    boto3.DEFAULT_SESSION.events.register("before-call", watch.hold_back)
    for script in scripts:
        watch.script, watch.noted = script, []
        refused = refusal(script, watch)
        found += [*watch.noted, *refused]
    return list(dict.fromkeys(found))  # What is missing is told by all that need it.


def refusal(script: str, watch: Watch) -> list[str]:
    """Return why the script cannot go on, unless it is for what was held back."""
    try:
        import_module(f"setup.{script}").create()
    except SetupError as reason:
        if isinstance(reason, WaitTimeout) and watch.noted:
            return []
        told = "" if "python setup/" in str(reason) else f": run python setup/{script}.py"
        return [f"{reason}{told}"]
    except ClientError as error:
        if not (is_missing(error) and watch.noted):
            raise
    return []
