import io
import socket
import sys
from types import SimpleNamespace

import pytest

from terminal.interrupts import half_built_files_unreported

FILE = io.BytesIO()


@pytest.mark.parametrize(
    ("error", "source", "is_reported"),
    [
        (AttributeError("no attribute '_sock'"), FILE, False),
        (OSError("disk full"), FILE, True),
        (AttributeError("no attribute 'name'"), object(), True),
    ],
)
def test_half_built_files_alone_are_ignored(
    error: Exception, source: object, is_reported: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", reports.append)
    unraisable = SimpleNamespace(exc_type=type(error), exc_value=error, object=source)
    with half_built_files_unreported():
        sys.unraisablehook(unraisable)
    assert reports == ([unraisable] if is_reported else [])
    sys.unraisablehook(unraisable)
    assert reports[-1] is unraisable


def test_an_interrupted_connection_is_not_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", reports.append)
    with half_built_files_unreported():
        socket.SocketIO.__new__(socket.SocketIO)
    assert reports == []
