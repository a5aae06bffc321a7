"""The record that mends a row: it outranks the lake and tells the item, or says why it cannot."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.lake import Held
from operations.table import Table
from operations.verify.repair import Unmendable, mending_record
from operations.verify.result import Finding
from transform import canonical, parse_change
from transform.state import rank

NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc)
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
PAST, PRESENT = f"{ARN}/stream/2026-11-23T10:00:00.000", f"{ARN}/stream/2026-11-24T10:00:00.000"
TABLE = Table(None, "t", {"order_id": "S"}, ARN, PRESENT, 0)
KEY = canonical({"order_id": {"S": "SO-1"}})
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(
    lambda at: at.isoformat(" ", "microseconds")
)
HELD = st.builds(
    Held,
    key=st.just(KEY),
    image=st.none() | st.just('{"order_id":{"S":"SO-1"}}'),
    source=st.sampled_from([None, "", PAST, PRESENT]),
    sequence=st.integers(0, 10**40 - 2).map(lambda number: f"{number:040}"),
    snapshot_at=st.none() | MOMENTS,
)
ITEM = canonical({"order_id": {"S": "SO-1"}, "raw": {"B": "AAE="}, "total": {"N": "19.9"}})


@given(st.none() | HELD, st.none() | st.just(ITEM), st.timedeltas(-timedelta(1), timedelta(1)))
def test_a_mending_record_outranks_the_lake_and_tells_the_item(
    held: Held | None, item: str | None, ahead: timedelta
) -> None:
    finding = Finding(KEY, "different", item, held, NOW + ahead)
    told = parse_change(mending_record(finding, TABLE))
    assert told.key == KEY
    assert (told.new_image and told.new_image.text) == item
    assert told.source in (PAST, PRESENT)
    if held:
        assert rank(told) > rank(held.row)
        next_sequence = f"{int(held.row.sequence) + 1:040}"
        assert not held.source or rank(told) < (held.source, next_sequence, "", "")
    else:
        assert (told.source, told.sequence) == (PRESENT, "0" * 40)


GOOD = Held(KEY, ITEM, PRESENT, "1".zfill(40), None)


@pytest.mark.parametrize(
    ("held", "why"),
    [
        (replace(GOOD, sequence="5"), "a rank that no change can have"),
        (replace(GOOD, sequence=None), "a rank that no change can have"),
        (replace(GOOD, sequence="x"), "a rank that no change can have"),
        (replace(GOOD, snapshot_at="soon"), "a rank that no change can have"),
        (replace(GOOD, snapshot_at="9999-12-31 23:59:59.999999"), "a rank that no change"),
        (replace(GOOD, source=f"{ARN}/stream/2096"), f"its row is of {ARN}/stream/2096"),
        (replace(GOOD, source=f"{ARN}2/stream/2026"), f"its row is of {ARN}2/stream/2026"),
    ],
)
def test_a_row_that_cannot_be_outranked_is_explained(held: Held, why: str) -> None:
    finding = Finding(KEY, "different", ITEM, held, NOW)
    with pytest.raises(Unmendable, match="take its row out of the lake") as caught:
        mending_record(finding, TABLE)
    assert why in str(caught.value)
