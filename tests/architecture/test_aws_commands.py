"""Commands of the AWS CLI in messages and documents: they work with version 1 and version 2.

Both versions derive their commands from botocore's service models. What only one of them has is
listed here, and the text must say so.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import botocore.session
import pytest
from botocore import xform_name

from tests.support.paths import PROJECT

OPTIONS = r"((?: --[a-z-]+(?: (?!--)[^\s`]+)?)*)"
COMMAND = re.compile(rf"\baws ([a-z][a-z0-9]+) ([a-z][a-z0-9-]+){OPTIONS}")
# Commands and options that both versions have besides those of the models.
OF_BOTH_VERSIONS = {("s3", "rm"), ("lambda", "wait")}
OWN_OPTIONS = {"notification-endpoint", "zip-file"}
OF_VERSION_2 = {("sso", "login")}
SESSION = botocore.session.get_session()


def texts() -> Iterator[Path]:
    """Yield the files whose text a user may read."""
    for folder in ("setup", "operations", "analytics", "local"):
        yield from (PROJECT / folder).rglob("*.py")
    yield from PROJECT.glob("*.md")
    yield from (PROJECT / "docs").glob("*.md")


def aws_commands() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return each command: its service, its operation, its options, and the text around it."""
    commands = []
    for path in texts():
        # Adjacent literals of Python are one text.
        text = re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))
        for match in COMMAND.finditer(text):
            options = tuple(re.findall(r"--([a-z-]+)", match[3]))
            around = text[match.start() : match.end() + 50]
            commands.append((match[1], match[2], options, around))
    return commands


@cache
def members_by_command(service: str) -> dict[str, set[str]]:
    """Return the commands of a service, each with its options."""
    model = SESSION.get_service_model("s3" if service == "s3api" else service)
    members = {}
    for name in model.operation_names:
        shape = model.operation_model(name).input_shape
        members[xform_name(name, "-")] = {
            xform_name(member, "-") for member in (shape.members if shape else ())
        }
    return members


@pytest.mark.parametrize("command", aws_commands(), ids=lambda command: " ".join(command[:2]))
def test_commands_work_with_both_versions(
    command: tuple[str, str, tuple[str, ...], str],
) -> None:
    service, operation, options, around = command
    if (service, operation) in OF_VERSION_2:
        assert "version 2" in around
    elif (service, operation) not in OF_BOTH_VERSIONS:
        assert operation in members_by_command(service)
        assert {*options} <= members_by_command(service)[operation] | OWN_OPTIONS


def test_commands_are_found() -> None:
    """The pattern above would pass if it found nothing."""
    services = {service for service, *_ in aws_commands()}
    assert {"pipes", "firehose", "dynamodb", "sso", "logs", "s3api"} <= services
