"""Erasure: content goes; key, rank and time stay, in the row and in what a record makes."""

from hypothesis import given

from tests.strategies.records import Item, stream_records
from tests.support.verify_fixture import row_from_record
from tests.transform.test_row_to_record import snapshots
from transform.erasure import erased_record, erased_row, has_content
from transform.row import CDC_COLUMNS, ERASED
from transform.state import Row, current_rows, rank


@given(stream_records() | snapshots())
def test_an_erased_row_keeps_its_key_and_rank(record: Item) -> None:
    row = row_from_record(record)
    erased = erased_row(row)
    before, after = Row.from_columns(row), Row.from_columns(erased)
    assert set(erased) == set(CDC_COLUMNS)
    assert (after.key, rank(after)) == (before.key, rank(before))
    assert (after.operation, after.changed_at) == (before.operation, before.changed_at)
    assert erased["cdc_expired"] == ERASED
    assert not has_content(erased)
    assert erased_row(erased) == erased
    assert current_rows([after]) == {}


@given(stream_records() | snapshots())
def test_a_row_has_content_if_it_has_an_image(record: Item) -> None:
    row = row_from_record(record)
    has_image = row["cdc_old_image"] is not None or row["cdc_new_image"] is not None
    assert has_content(row) == has_image
    assert has_content({**erased_row(row), "note": ""})
    assert has_content({**erased_row(row), "cdc_changed": "[]"})


@given(stream_records() | snapshots())
def test_an_erased_record_makes_a_row_without_content(record: Item) -> None:
    row, new_row = row_from_record(record), row_from_record(erased_record(record))
    assert not has_content(new_row)
    changed = {name for name in CDC_COLUMNS if new_row[name] != row[name]}
    content = {"cdc_changed", "cdc_old_image", "cdc_new_image"}
    if record["eventName"] == "SNAPSHOT":  # Its event id is a hash of its content.
        content.add("cdc_event_id")
    assert changed <= content


def test_a_record_keeps_all_but_its_images() -> None:
    change = {"Keys": {"id": {"X": "1"}}, "NewImage": {}, "OldImage": 1, "Other": "Image"}
    record = {"eventName": "UPSERT", "dynamodb": change, "userIdentity": None}
    erased = erased_record(record)
    change_without_images = {"Keys": {"id": {"X": "1"}}, "Other": "Image"}
    assert erased == {
        **record,
        "dynamodb": {**change_without_images, "StreamViewType": "KEYS_ONLY"},
    }
    assert "NewImage" in change
