"""Check results: how a failed call is understood, and how a result is shown."""

import pytest
from botocore.exceptions import ClientError

from operations.status.check import failed_call, is_not_found, with_reason
from operations.status.check_result import CheckResult, Status


def client_error(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetWorkGroup")


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("NoSuchBucket", "", True),
        ("InvalidRequestException", "WorkGroup sales is not found.", True),
        ("InvalidRequestException", "WorkGroup name is invalid.", False),
        ("AccessDeniedException", "key not found or access denied", False),
    ],
)
def test_only_what_does_not_exist_is_not_found(code: str, message: str, expected: bool) -> None:
    assert is_not_found(client_error(code, message)) == expected


def test_a_failed_call_is_named_in_one_line() -> None:
    error = client_error("AccessDenied", "not\nauthorized")
    assert failed_call(error) == "check failed: GetWorkGroup: AccessDenied: not authorized"
    error = client_error("AccessDenied", "x" * 201)
    assert failed_call(error) == f"check failed: GetWorkGroup: AccessDenied: {'x' * 200}"


def test_a_state_comes_with_its_reason_if_any() -> None:
    assert with_reason("RUNNING", "") == "RUNNING"
    assert with_reason("STOPPED", "by a user") == "STOPPED: by a user"


@pytest.mark.parametrize(
    ("status", "remedy", "lines"),
    [
        (Status.OK, "fix", ["  pipe                  message"]),
        (Status.PROBLEM, "", ["! pipe                  message"]),
        (Status.UNKNOWN, "fix", ["? pipe                  message", f"{'':22}  -> fix"]),
    ],
)
def test_the_remedy_is_shown_unless_all_is_well(
    status: Status, remedy: str, lines: list[str]
) -> None:
    result = CheckResult("pipe", "message", status, remedy)
    assert list(result.lines()) == lines
    assert result.document() == {
        "part": "pipe",
        "message": "message",
        "status": status,
        "remedy": remedy,
    }
