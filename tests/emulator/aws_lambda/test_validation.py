"""Validation by the laptop's Lambda: functions, zip archives and events that AWS rejects."""

import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest

from local.core.server import Cloud
from tests.support.lambda_fixture import HANDLER, deploy, invoke, lambda_cloud
from tests.support.laptop_cloud import aws, error_of, zip_code


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with lambda_cloud() as cloud:
        yield cloud


def zip_with_wrong_headers(offset: int, value: int) -> bytes:
    """Return a zip archive with a wrong byte in both headers of its file."""
    archive = bytearray(zip_code(HANDLER))
    for header in (0, archive.index(b"PK\1\2") + 2):
        archive[header + offset] = value
    return bytes(archive)


FLAGS = 6


METHOD = 8


INVALID_ZIPS = [
    b"no zip",
    zip_with_wrong_headers(FLAGS, 1),  # encrypted
    zip_with_wrong_headers(METHOD, zipfile.ZIP_DEFLATED),
    zip_with_wrong_headers(METHOD, 99),  # an unknown method
]


REJECTIONS = [
    (
        {"Runtime": "python3.9"},
        "InvalidParameterValueException",
        "python3.9 is no longer supported",
    ),
    ({"Runtime": "python4.0"}, "InvalidParameterValueException", "Value python4.0 at 'runtime'"),
    ({"Timeout": 901}, "ValidationException", "Value '901' at 'timeout' failed"),
    ({"MemorySize": 10241}, "ValidationException", "must have value less than or equal to 10240"),
    ({"Handler": "a b"}, "ValidationException", "at 'handler' failed to satisfy constraint"),
    (
        {"Environment": {"Variables": {"AWS_REGION": "x", "A1": "x"}}},
        "InvalidParameterValueException",
        "Reserved keys used in this request: AWS_REGION",
    ),
    (
        {"Environment": {"Variables": {"BIG": "x" * 4096}}},
        "InvalidParameterValueException",
        "exceeded the 4KB limit",
    ),
    ({"Environment": {"Variables": {"1A": "x"}}}, "ValidationException", "Environment"),
    ({"role": "other"}, "InvalidParameterValueException", "cannot be assumed by Lambda."),
    ({"role": "absent"}, "InvalidParameterValueException", "cannot be assumed by Lambda."),
    (
        {"Layers": ["arn:x"]},
        "InvalidParameterValueException",
        "Layers is not modelled",
    ),
]


@pytest.mark.parametrize(("settings", "code", "text"), REJECTIONS)
def test_invalid_functions_are_rejected(
    cloud: Cloud, settings: dict[str, Any], code: str, text: str
) -> None:
    error_code, message = error_of(deploy, name="rejected", **settings)
    assert error_code == code
    assert text.lower() in message.lower()


@pytest.mark.parametrize("code", INVALID_ZIPS)
def test_invalid_zips_are_rejected(cloud: Cloud, code: bytes) -> None:
    error_code, message = error_of(deploy, name="rejected", Code={"ZipFile": code})
    assert error_code == "InvalidParameterValueException"
    assert "Could not unzip uploaded file" in message


def test_updates_are_validated_like_creations(cloud: Cloud) -> None:
    functions = aws("lambda")
    update = functions.update_function_configuration
    assert error_of(update, FunctionName="echo", Timeout=901)[0] == "ValidationException"
    code, _ = error_of(functions.update_function_code, FunctionName="echo", ZipFile=b"no zip")
    assert code == "InvalidParameterValueException"
    assert invoke("echo", {"a": 1}) == ({"a": 1}, None)


def test_absent_function_is_not_found(cloud: Cloud) -> None:
    functions = aws("lambda")
    for name in ("absent", "echo:7"):
        code, message = error_of(functions.invoke, FunctionName=name, Payload=b"{}")
        assert code == "ResourceNotFoundException"
        assert name in message


def test_events_are_json_of_at_most_6_mb(cloud: Cloud) -> None:
    functions = aws("lambda")
    code, _ = error_of(functions.invoke, FunctionName="echo", Payload=b"{")
    assert code == "InvalidRequestContentException"
    large = json.dumps("x" * 6_291_455)
    code, _ = error_of(functions.invoke, FunctionName="echo", Payload=large)
    assert code == "RequestTooLargeException"


def test_logging_configuration_is_kept_and_merged(cloud: Cloud) -> None:
    functions = aws("lambda")
    deploy("kept", LoggingConfig={"LogGroup": "/kept"})
    functions.update_function_configuration(FunctionName="kept", Timeout=7)
    current = functions.get_function_configuration(FunctionName="kept")
    assert (current["Timeout"], current["LoggingConfig"]["LogGroup"]) == (7, "/kept")
