"""Records of backfill and repair: they replace older rows, and never newer ones."""

import json
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

import transform
from tests.strategies.records import Item, items, keys, stream_arn, stream_record
from tests.strategies.table_histories import START, lake_rows
from transform.snapshot import backfill_record, repair_record
from transform.state import rank
from transform.timestamps import format_utc

KEY = {"order_id": {"S": "1"}}
OLD_IMAGE, NEW_IMAGE = ({**KEY, "status": {"S": status}} for status in ("placed", "paid"))


@given(keys(), st.none() | items(), st.datetimes(timezones=st.just(UTC)))
def test_snapshot_row_holds_the_item(key: Item, item: Item | None, read_at: datetime) -> None:
    record = backfill_record(key, item, stream_arn(1), read_at)
    (row,) = lake_rows([record])
    assert row.operation == "SNAPSHOT"
    assert row.key == transform.canonical(key)
    assert row.new_image == (None if item is None else transform.canonical(item))
    assert row.old_image is None
    assert row.source == stream_arn(1)
    assert row.sequence == "0" * 40
    assert row.snapshot_at == format_utc(read_at)
    assert row.changed_at == row.snapshot_at[:-3]
    assert lake_rows([record]) == [row]


def test_snapshot_record_is_encoded_exactly() -> None:
    item = {**KEY, "raw": {"B": b"\x00\x01"}, "raws": {"BS": [b"\x02"]}, "name": {"S": "é"}}
    read_at = datetime(2026, 11, 23, 11, 15, 30, 5, timezone(timedelta(hours=1)))
    assert json.loads(backfill_record(KEY, item, "arn", read_at)) == {
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
    assert b"NewImage" not in backfill_record(KEY, None, "arn", read_at)
    assert b", " not in backfill_record(KEY, item, "arn", read_at)


def test_snapshot_time_is_utc_in_any_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    (row,) = lake_rows([backfill_record(KEY, NEW_IMAGE, "arn", START)])
    monkeypatch.undo()
    time.tzset()
    assert row.snapshot_at == "2026-01-01 00:00:00.000000"


def test_snapshot_is_utf8_and_escapes_surrogates() -> None:
    non_ascii = {**KEY, "note": {"S": "é" * 1000}}
    lone_surrogate = {**KEY, "note": {"S": "\ud83d"}}
    assert len(backfill_record(KEY, non_ascii, "arn", START)) < 2300
    record = backfill_record(KEY, lone_surrogate, "arn", START)
    assert b'"\\ud83d"' in record
    assert lake_rows([record])


def test_non_json_value_raises() -> None:
    with pytest.raises(TypeError):
        backfill_record(KEY, {"a": {"N": {5}}}, "arn", START)


def test_backfill_ranks_between_two_streams() -> None:
    older = stream_record("INSERT", KEY, None, OLD_IMAGE, 10**9, source=1)
    newer = stream_record("INSERT", KEY, None, OLD_IMAGE, 0, source=2)
    backfill = backfill_record(KEY, NEW_IMAGE, stream_arn(2), START)
    older_rank, backfill_rank, newer_rank = map(rank, lake_rows([older, backfill, newer]))
    assert older_rank < backfill_rank < newer_rank


def test_repair_ranks_before_the_next_change() -> None:
    first, second = (
        stream_record("MODIFY", KEY, OLD_IMAGE, NEW_IMAGE, number) for number in (1, 2)
    )
    (latest,) = lake_rows([first])
    repaired, next_row = lake_rows([repair_record(KEY, None, latest, latest.source, START), second])
    assert rank(latest) < rank(repaired) < rank(next_row)
    assert (repaired.source, repaired.sequence) == (latest.source, latest.sequence)
    assert repaired.new_image is None


def test_repair_of_an_older_stream_ranks_in_the_new() -> None:
    older = stream_record("INSERT", KEY, None, OLD_IMAGE, 10**9, source=1)
    newer = stream_record("INSERT", KEY, None, OLD_IMAGE, 0, source=2)
    (latest,) = lake_rows([older])
    record = repair_record(KEY, NEW_IMAGE, latest, stream_arn(2), START)
    assert record == repair_record(KEY, NEW_IMAGE, None, stream_arn(2), START)
    repaired, next_row = lake_rows([record, newer])
    assert rank(latest) < rank(repaired) < rank(next_row)


@given(st.integers(-5, 5))
def test_later_repair_wins_despite_clock_skew(skew: int) -> None:
    (latest,) = lake_rows([stream_record("INSERT", KEY, None, OLD_IMAGE)])
    (first,) = lake_rows([repair_record(KEY, OLD_IMAGE, latest, latest.source, START)])
    read_at = START + timedelta(microseconds=skew)
    (second,) = lake_rows([repair_record(KEY, NEW_IMAGE, first, first.source, read_at)])
    assert rank(first) < rank(second)
    assert second.snapshot_at == format_utc(max(read_at, START + timedelta(microseconds=1)))
