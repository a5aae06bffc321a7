"""Lambda fixture: functions of the laptop cloud, and short forms of the calls on them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.core.server import Cloud
from local.services.aws_lambda.service import Lambda
from local.services.iam.service import Iam
from local.services.secrets_manager.service import SecretsManager
from tests.support.iam_roles import allow, make_role
from tests.support.laptop_cloud import aws, laptop, zip_code

LOGS = "logs:CreateLogGroup logs:CreateLogStream logs:PutLogEvents"
HANDLER = """
import logging, os, sys, time

def handler(event, context):
    print("got", event)
    exec(event.get("code", ""))
    return eval(event.get("result", "event"))
"""


@contextmanager
def lambda_cloud() -> Iterator[Cloud]:
    """A laptop cloud with Lambda, and two roles: `fn` may write logs, `mute` may do nothing."""
    with laptop(Iam, Lambda, SecretsManager) as cloud:
        make_role("fn", "lambda", allow(LOGS, "*"))
        make_role("mute", "lambda", allow("sqs:SendMessage", "*"))
        make_role("other", "glue", allow(LOGS, "*"))
        deploy("echo")
        yield cloud


def deploy(name: str, code: str = HANDLER, **settings: Any) -> dict[str, Any]:
    """Create a function from its source, or from the zip archive in `Code`."""
    params = {
        "Runtime": "python3.13",
        "Role": f"arn:aws:iam::123456789012:role/{settings.pop('role', 'fn')}",
        "Handler": "main.handler",
        "Code": {"ZipFile": zip_code(code)},
        "Timeout": 30,
        **settings,
    }
    response: dict[str, Any] = aws("lambda").create_function(FunctionName=name, **params)
    return response


def invoke(name: str, event: Any = None, **settings: Any) -> tuple[Any, str | None]:
    """Invoke a function, and return its decoded payload and its error kind, if any."""
    payload = json.dumps(event or {})
    response = aws("lambda").invoke(FunctionName=name, Payload=payload, **settings)
    return json.loads(response["Payload"].read()), response.get("FunctionError")


def invocation_error(name: str, event: Any = None) -> tuple[str, str]:
    """Invoke a function, and return the type and message of its error."""
    payload, kind = invoke(name, event)
    assert kind == "Unhandled"
    message = payload["errorMessage"]
    return payload["errorType"], message.partition("Error: ")[2] or message


def log_lines(group: str) -> list[str]:
    """Return the lines of a log group."""
    events = aws("logs").filter_log_events(logGroupName=group)["events"]
    return [event["message"] for event in events]
