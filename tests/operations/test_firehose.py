"""Firehose's buffers: how long a change waits in them at most."""

from typing import Any

import pytest

from operations.firehose import buffer_seconds


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
