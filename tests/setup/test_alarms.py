"""The alarms: which silence they notice, and what they do not take for silence."""

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from setup import names
from setup.lib.dashboard import dashboard_body
from tests.support.alarm_model import is_firing

MODULE: Any = import_module("setup.09_alarms")
HERE = names.Location("aws", "eu-west-1", "111122223333")
SILENCE = {alarm["AlarmName"]: alarm for alarm in MODULE.silence_alarms()}
THRESHOLDS = {alarm["AlarmName"]: alarm for alarm in MODULE.threshold_alarms()}
MINUTE = 60
HOUR = 60 * MINUTE
MAX_DELAY = 24 * MINUTE  # With FLUSH_SECONDS = 900: 1 s, 1.5 times 10 s, 1.5 times 900 s.

silent_alarm = pytest.mark.parametrize("alarm", SILENCE.values(), ids=list(SILENCE))


@silent_alarm
@given(
    st.lists(st.tuples(st.floats(0, 6 * HOUR), st.floats(0, MAX_DELAY)), max_size=30),
    st.floats(0, 7 * HOUR),
)
def test_a_delay_is_not_silence(
    alarm: dict[str, Any], records: list[tuple[float, float]], now: float
) -> None:
    came_in = [time for time, _ in records if time < now]
    passed = [time + delay for time, delay in records if time + delay < now]
    assert not is_firing(alarm, {"came_in": came_in, "passed": passed}, now)


@silent_alarm
@given(st.floats(30, 25 * MINUTE), st.integers(0, 20))
def test_silence_is_noticed_within_an_hour(
    alarm: dict[str, Any], interval: float, read_count: int
) -> None:
    """A metric of the reader would be missing, and no alarm on it would fire."""
    times = [number * interval for number in range(400)]
    passed = times[:read_count]
    silent_since = passed[-1] if passed else 0.0
    records = {"came_in": times, "passed": passed}
    assert is_firing(alarm, records, silent_since + HOUR + 1)


@silent_alarm
def test_an_idle_table_is_not_silent(alarm: dict[str, Any]) -> None:
    assert not is_firing(alarm, {"came_in": [], "passed": []}, HOUR)


def test_a_missing_heartbeat_is_breaching() -> None:
    breaching = {
        name for name, alarm in THRESHOLDS.items() if alarm["TreatMissingData"] == "breaching"
    }
    assert breaching == {f"{names.PIPELINE}-kinesis-late"}
    # AWS ignores missing data of this namespace, whatever the alarm says.
    assert not any(alarm["Namespace"] == "AWS/DynamoDB" for alarm in THRESHOLDS.values())


def test_the_dashboard_shows_every_alarmed_metric() -> None:
    body = dashboard_body(HERE, MODULE.ALARM_NAMES)
    graphed = {
        tuple(metric)
        for widget in body["widgets"]
        for metric in widget["properties"].get("metrics", ())
    }
    for alarm in THRESHOLDS.values():
        dimensions = [text for pair in alarm["Dimensions"] for text in pair.values()]
        assert (alarm["Namespace"], alarm["MetricName"], *dimensions) in graphed
    for _, *metrics in MODULE.SILENCE_ALARMS:
        assert {(space, name, *dimension) for space, name, dimension in metrics} <= graphed


def test_the_widgets_of_the_dashboard_do_not_overlap() -> None:
    cells = [
        (x, y)
        for widget in dashboard_body(HERE, ["a"])["widgets"]
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
