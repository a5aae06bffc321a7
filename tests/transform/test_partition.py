"""Partitions: the folder of a row is the UTC day of its change."""

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from transform.partition import date_partition


@given(st.datetimes())
def test_partition_is_the_day_of_the_change(time: datetime) -> None:
    changed_at = time.isoformat(" ", "milliseconds")
    assert date_partition(changed_at) == {"dt": f"{time.date()}"}
