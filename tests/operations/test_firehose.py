"""Firehose: whether it is active, and how long a change waits in its buffers at most."""

from typing import Any

import pytest

from operations import firehose
from operations.firehose import PipelineNotReady, buffer_seconds, require_active
from setup.names import DELIVERY


def processor(kind: str, interval: int | None = None) -> dict[str, Any]:
    """Return a processor as Firehose describes it."""
    if interval is None:
        return {"Type": kind}
    name = "BufferIntervalInSeconds"
    return {
        "Type": kind,
        "Parameters": [{"ParameterName": name, "ParameterValue": str(interval)}],
    }


@pytest.mark.parametrize(
    ("is_enabled", "processors", "expected"),
    [
        (True, [], 90),
        (True, [processor("Lambda", 10)], 105),
        (True, [processor("Lambda")], 180),
        (True, [processor("AppendDelimiterToRecord", 900), processor("Lambda", 10)], 105),
        (True, [processor("Lambda", 20), processor("Lambda", 10)], 120),
        (False, [processor("Lambda", 10)], 90),
    ],
)
def test_buffers_are_waited_for_one_after_the_other(
    is_enabled: bool, processors: list[dict[str, Any]], expected: float
) -> None:
    """Both intervals count one and a half times, since AWS calls them hints."""
    destination: Any = {
        "BufferingHints": {"IntervalInSeconds": 60},
        "ProcessingConfiguration": {"Enabled": is_enabled, "Processors": processors},
    }
    assert buffer_seconds(destination) == expected


@pytest.mark.parametrize("state", ["CREATING", "DELETING", "CREATING_FAILED"])
def test_only_an_active_stream_is_sent_to(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    monkeypatch.setattr(firehose, "_describe", lambda: {"DeliveryStreamStatus": "ACTIVE"})
    require_active()
    monkeypatch.setattr(firehose, "_describe", lambda: {"DeliveryStreamStatus": state})
    message = f"delivery stream {DELIVERY} is {state}: run python setup/06_firehose.py"
    with pytest.raises(PipelineNotReady, match=message):
        require_active()
