"""Records of backfill and repair: they overwrite nothing newer and mend all that is older."""

import json
import time
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

import transform
from tests.strategies.records import ARN, Item, items, keys, stream_record
from tests.strategies.table_histories import START, rows
from transform.snapshot import backfill_record, repair_record
from transform.state import rank

KEY = {"order_id": {"S": "1"}}
OLD_IMAGE, NEW_IMAGE = ({**KEY, "status": {"S": status}} for status in ("placed", "paid"))


@given(keys(), st.none() | items(), st.datetimes(timezones=st.just(timezone.utc)))
def test_a_snapshot_tells_the_item_that_was_read(
    key: Item, item: Item | None, at: datetime
) -> None:
    record = backfill_record(key, item, ARN.format(1), at)
    (row,) = rows([record])
    assert row.operation == "SNAPSHOT"
    assert row.key == transform.canonical(key)
    assert row.new_image == (None if item is None else transform.canonical(item))
    assert row.old_image is None
    assert row.source == ARN.format(1)
    assert row.sequence == "0" * 40
    assert row.snapshot_at == at.replace(tzinfo=None).isoformat(" ", "microseconds")
    assert row.changed_at == row.snapshot_at[:-3]
    assert rows([record]) == [row]


def test_a_snapshot_is_written_so() -> None:
    item = {**KEY, "raw": {"B": b"\x00\x01"}, "raws": {"BS": [b"\x02"]}, "name": {"S": "é"}}
    at = datetime(2026, 11, 23, 11, 15, 30, 5, timezone(timedelta(hours=1)))
    assert json.loads(backfill_record(KEY, item, "arn", at)) == {
        "eventName": "SNAPSHOT",
        "eventSourceARN": "arn",
        "snapshotAt": "2026-11-23 10:15:30.000005",
        "dynamodb": {
            "Keys": {"order_id": {"S": "1"}},
            "SequenceNumber": "0000000000000000000000000000000000000000",
            "NewImage": {
                "order_id": {"S": "1"},
                "raw": {"B": "AAE="},
                "raws": {"BS": ["Ag=="]},
                "name": {"S": "é"},
            },
        },
    }
    assert b"NewImage" not in backfill_record(KEY, None, "arn", at)
    assert b", " not in backfill_record(KEY, item, "arn", at)


def test_a_time_is_told_in_utc_wherever_the_computer_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    (row,) = rows([backfill_record(KEY, NEW_IMAGE, "arn", START)])
    monkeypatch.undo()
    time.tzset()
    assert row.snapshot_at == "2026-01-01 00:00:00.000000"


def test_a_snapshot_is_no_larger_than_its_text_and_takes_any() -> None:
    wide, odd = ({**KEY, "note": {"S": text}} for text in ("é" * 1000, "\ud83d"))
    assert len(backfill_record(KEY, wide, "arn", START)) < 2300
    assert b'"\\ud83d"' in backfill_record(KEY, odd, "arn", START)
    assert rows([backfill_record(KEY, odd, "arn", START)])


def test_what_json_cannot_say_is_an_error() -> None:
    with pytest.raises(TypeError):
        backfill_record(KEY, {"a": {"N": {5}}}, "arn", START)


def test_a_backfill_ranks_below_its_stream_and_above_an_older_one() -> None:
    older = stream_record("INSERT", KEY, None, OLD_IMAGE, 10**9, source=1)
    newer = stream_record("INSERT", KEY, None, OLD_IMAGE, 0, source=2)
    below, backfilled, above = rows(
        [older, backfill_record(KEY, NEW_IMAGE, ARN.format(2), START), newer]
    )
    assert rank(below) < rank(backfilled) < rank(above)


def test_a_repair_ranks_above_the_lake_and_below_the_next_change() -> None:
    first, second = (
        stream_record("MODIFY", KEY, OLD_IMAGE, NEW_IMAGE, number) for number in (1, 2)
    )
    (known,) = rows([first])
    repaired, after = rows([repair_record(KEY, None, known, START), second])
    assert rank(known) < rank(repaired) < rank(after)
    assert (repaired.source, repaired.sequence) == (known.source, known.sequence)
    assert repaired.new_image is None


@given(st.integers(-5, 5))
def test_a_later_repair_ranks_above_an_earlier_one_whatever_the_clocks(micros: int) -> None:
    (known,) = rows([stream_record("INSERT", KEY, None, OLD_IMAGE)])
    (first,) = rows([repair_record(KEY, OLD_IMAGE, known, START)])
    at = START + timedelta(microseconds=micros)
    (second,) = rows([repair_record(KEY, NEW_IMAGE, first, at)])
    assert rank(first) < rank(second)
    expected = max(at, START + timedelta(microseconds=1))
    assert second.snapshot_at == expected.replace(tzinfo=None).isoformat(" ", "microseconds")
