"""Repair record: it outranks the lake's row and has the table's item, or the error says why not."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.lake import LakeRow
from operations.table import Table
from operations.verify.repair import CannotRepair, repair_record_for
from operations.verify.result import Finding
from transform import canonical, parse_change
from transform.state import rank

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/t"
OLD_STREAM = f"{ARN}/stream/2026-11-23T10:00:00.000"
STREAM = f"{ARN}/stream/2026-11-24T10:00:00.000"
PREDECESSOR = "arn:aws:dynamodb:us-east-1:123456789012:table/zebra/stream/2026-11-22T10:00:00.000"
NO_CLIENT: Any = None
TABLE = Table(NO_CLIENT, "t", {"order_id": "S"}, ARN, STREAM, 0)
KEY = canonical({"order_id": {"S": "SO-1"}})
ITEM = canonical({"order_id": {"S": "SO-1"}, "raw": {"B": "AAE="}, "total": {"N": "19.9"}})
TIMESTAMPS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(
    lambda time: time.isoformat(" ", "microseconds")
)
LAKE_ROWS = st.builds(
    LakeRow,
    key=st.just(KEY),
    image_digest=st.none() | st.just("digest"),
    columns_digest=st.none() | st.just("digest"),
    source=st.sampled_from([None, "", PREDECESSOR, OLD_STREAM, STREAM]),
    sequence=st.integers(0, 10**40 - 2).map(lambda number: f"{number:040}"),
    snapshot_at=st.none() | TIMESTAMPS,
)
VALID_ROW = LakeRow(KEY, "digest", None, STREAM, "1".zfill(40), None)
INVALID_RANK = "its row has an invalid key or rank"


@given(
    st.none() | LAKE_ROWS,
    st.none() | st.just(ITEM),
    st.timedeltas(-timedelta(1), timedelta(1)),
)
def test_repair_outranks_the_lake_and_has_the_item(
    lake_row: LakeRow | None, item: str | None, clock_skew: timedelta
) -> None:
    finding = Finding(KEY, "different", item, lake_row, NOW + clock_skew)
    change = parse_change(repair_record_for(finding, TABLE))
    assert change.key == KEY
    assert (change.new_image and change.new_image.text) == item
    assert change.source == STREAM
    position = "0" * 40
    if lake_row and lake_row.source == STREAM:
        position = lake_row.state_row.sequence
    assert change.sequence == position
    if lake_row:
        assert rank(change) > rank(lake_row.state_row)


@pytest.mark.parametrize(
    ("lake_row", "message"),
    [
        (replace(VALID_ROW, sequence="5"), INVALID_RANK),
        (replace(VALID_ROW, sequence=None), INVALID_RANK),
        (replace(VALID_ROW, sequence="x"), INVALID_RANK),
        (replace(VALID_ROW, snapshot_at="soon"), INVALID_RANK),
        (replace(VALID_ROW, snapshot_at="9999-12-31 23:59:59.999999"), INVALID_RANK),
        (
            replace(VALID_ROW, source=f"{ARN}/stream/2096"),
            f"its row comes from {ARN}/stream/2096",
        ),
        (replace(VALID_ROW, key="null"), INVALID_RANK),
        (replace(VALID_ROW, key='{"order_id":{"S": "SO-1"}}'), INVALID_RANK),
    ],
)
def test_foreign_rows_cannot_be_repaired(lake_row: LakeRow, message: str) -> None:
    finding = Finding(lake_row.key, "different", ITEM, lake_row, NOW)
    with pytest.raises(CannotRepair, match="delete its row from the lake") as raised:
        repair_record_for(finding, TABLE)
    assert message in str(raised.value)


@pytest.mark.parametrize("key", ['{"id":{"N":"7"}}', '{"a":{"B":"AAE="},"b":{"S":"x"}}'])
def test_key_of_a_predecessor_gets_a_tombstone(key: str) -> None:
    lake_row = LakeRow(key, "digest", None, PREDECESSOR, "1".zfill(40), None)
    change = parse_change(repair_record_for(Finding(key, "extra", None, lake_row, NOW), TABLE))
    assert (change.key, change.new_image, change.source) == (key, None, STREAM)
    assert rank(change) > rank(lake_row.state_row)
