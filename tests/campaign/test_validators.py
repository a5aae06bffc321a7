"""Validators of the campaigns: each kind of sabotage violates exactly the expected invariants."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.campaign import validators
from tests.campaign.evidence import Columns, Evidence
from tests.campaign.in_memory_chain import ACCOUNTS, InMemoryChain, canonical_key

ACCOUNT_KEYS = [canonical_key(account) for account in ACCOUNTS]
TOTAL_BALANCE = 200


def complete_evidence() -> Evidence:
    """Return the evidence of a chain without any fault."""
    chain = InMemoryChain()
    for status in ("placed", "paid", "shipped"):
        for order_id in ("1", "2"):
            chain.put(order_id, status)
        chain.transfer(5)
    chain.remove("2")
    chain.backfill()
    chain.run_until_idle()
    return chain.evidence()


COMPLETE = complete_evidence()


def violated_invariants(evidence: Evidence) -> set[str]:
    """Return the names of the violated invariants."""
    violations = {
        "conservation": list(validators.check_conservation(evidence)),
        "uniqueness": list(validators.check_uniqueness(evidence)),
        "content": list(validators.check_content(evidence)),
        "history": list(validators.check_history(evidence)),
        "continuity": list(validators.check_continuity(evidence)),
        "equality": sorted(validators.differing_keys(evidence)),
        "balances": list(validators.check_balances(evidence, ACCOUNT_KEYS, TOTAL_BALANCE)),
    }
    return {name for name, messages in violations.items() if messages}


def row_index(order_id: str, status: str) -> int:
    """Return the index of the row of the change that gave an order its status."""
    key = canonical_key(order_id)
    attribute = f'"status":{{"S":"{status}"}}'
    return next(
        index
        for index, row in enumerate(COMPLETE.lake_rows)
        if row["cdc_key"] == key
        and attribute in (row["cdc_new_image"] or "")
        and row["cdc_operation"] != "SNAPSHOT"
    )


def edit_row(index: int, **columns: str | None) -> Evidence:
    """Return the complete evidence with other columns in one row."""
    rows = list(COMPLETE.lake_rows)
    rows[index] = {**rows[index], **columns}
    return replace(COMPLETE, lake_rows=tuple(rows))


def drop_rows(*indexes: int) -> Evidence:
    """Return the complete evidence without some rows."""
    rows = (row for index, row in enumerate(COMPLETE.lake_rows) if index not in indexes)
    return replace(COMPLETE, lake_rows=tuple(rows))


def drop_change() -> Evidence:
    return drop_rows(row_index("1", "paid"))


def drop_last_change_and_snapshot() -> Evidence:
    snapshots = (
        index
        for index, row in enumerate(COMPLETE.lake_rows)
        if row["cdc_operation"] == "SNAPSHOT" and row["cdc_key"] == canonical_key("1")
    )
    return drop_rows(row_index("1", "shipped"), *snapshots)


def alter_image() -> Evidence:
    index = row_index("1", "shipped")
    image = COMPLETE.lake_rows[index]["cdc_new_image"] or ""
    return edit_row(index, cdc_new_image=image.replace("shipped", "chipped"))


def replace_newer_change_by_older() -> Evidence:
    rows = list(COMPLETE.lake_rows)
    rows[row_index("1", "shipped")] = rows[row_index("1", "placed")]
    return replace(COMPLETE, lake_rows=tuple(rows))


def add_change_with_same_position() -> Evidence:
    row: Columns = {**COMPLETE.lake_rows[row_index("1", "paid")], "cdc_event_id": "another"}
    return replace(COMPLETE, lake_rows=(*COMPLETE.lake_rows, row))


def add_different_duplicate() -> Evidence:
    row: Columns = {**COMPLETE.lake_rows[row_index("1", "paid")], "status": "unpaid"}
    return replace(COMPLETE, lake_rows=(*COMPLETE.lake_rows, row))


def swap_sequence_numbers() -> Evidence:
    first = row_index("1", "placed")
    second = row_index("1", "paid")
    rows = list(COMPLETE.lake_rows)
    rows[first] = {**rows[first], "cdc_sequence": COMPLETE.lake_rows[second]["cdc_sequence"]}
    rows[second] = {**rows[second], "cdc_sequence": COMPLETE.lake_rows[first]["cdc_sequence"]}
    return replace(COMPLETE, lake_rows=tuple(rows))


def drop_change_from_lake_and_stream() -> Evidence:
    index = row_index("1", "paid")
    dropped_id = COMPLETE.lake_rows[index]["cdc_event_id"]
    changes = tuple(change for change in COMPLETE.changes if change.event_id != dropped_id)
    return replace(drop_rows(index), changes=changes)


def tear_transfer_in_table() -> Evidence:
    key = ACCOUNT_KEYS[0]
    image = COMPLETE.items[key].replace('"85"', '"90"')
    return replace(COMPLETE, items={**COMPLETE.items, key: image})


def add_item_without_change() -> Evidence:
    return replace(COMPLETE, items={**COMPLETE.items, canonical_key("3"): "{}"})


def test_complete_evidence_has_no_violations() -> None:
    assert violated_invariants(COMPLETE) == set()


def test_duplicates_in_any_order_are_valid() -> None:
    rows = COMPLETE.lake_rows[::-1] + COMPLETE.lake_rows
    assert violated_invariants(replace(COMPLETE, lake_rows=rows)) == set()


@pytest.mark.parametrize(
    ("sabotage", "violated"),
    [
        (drop_change, {"conservation"}),
        (drop_last_change_and_snapshot, {"conservation", "equality"}),
        (alter_image, {"content", "history", "equality"}),
        (replace_newer_change_by_older, {"conservation", "equality"}),
        (
            add_change_with_same_position,
            {"conservation", "uniqueness", "history", "continuity"},
        ),
        (add_different_duplicate, {"uniqueness"}),
        (swap_sequence_numbers, {"content", "history", "continuity"}),
        (drop_change_from_lake_and_stream, {"continuity"}),
        (tear_transfer_in_table, {"balances", "equality"}),
        (add_item_without_change, {"equality"}),
    ],
)
def test_each_sabotage_is_detected(sabotage: Callable[[], Evidence], violated: set[str]) -> None:
    assert violated_invariants(sabotage()) == violated


@pytest.mark.parametrize("field", ["eventID", "cdc_event_id", "dead letter"])
def test_a_retained_change_is_not_lost(field: str) -> None:
    index = row_index("1", "paid")
    event_id = str(COMPLETE.lake_rows[index]["cdc_event_id"])
    evidence = drop_rows(index)
    if field == "dead letter":
        retained = replace(evidence, dead_letter_ids=frozenset([event_id]))
    else:
        record = f'{{"{field}": "{event_id}"}}'.encode()
        retained = replace(evidence, failed_records=(record,))
    assert validators.unaccounted_ids(retained) == set()
    assert validators.find_violations(retained) == []


def test_unreadable_records_retain_no_change() -> None:
    index = row_index("1", "paid")
    event_id = str(COMPLETE.lake_rows[index]["cdc_event_id"])
    evidence = replace(drop_rows(index), failed_records=(b"no JSON", b"[]"))
    assert validators.unaccounted_ids(evidence) == {event_id}


def test_a_torn_transfer_in_the_past_is_detected() -> None:
    index, image = next(
        (index, image)
        for index, row in enumerate(COMPLETE.lake_rows)
        if '"95"' in (image := row["cdc_new_image"] or "")
    )
    torn = edit_row(index, cdc_new_image=image.replace('"95"', '"94"'))
    assert "balances" in violated_invariants(torn)


def test_wrong_columns_are_those_of_the_latest_row() -> None:
    columns = ["order_id", "status"]
    key = canonical_key("1")
    latest = row_index("1", "shipped")
    altered = edit_row(latest, status="altered")
    assert validators.wrong_columns(COMPLETE, columns) == (set(), set())
    assert validators.wrong_columns(altered, columns) == ({key}, {key})
    assert validators.wrong_columns(altered, ["order_id"]) == (set(), set())
    older = edit_row(row_index("1", "paid"), status="altered")
    assert validators.wrong_columns(older, columns) == (set(), set())
    with_copy = replace(altered, lake_rows=(*altered.lake_rows, COMPLETE.lake_rows[latest]))
    assert validators.wrong_columns(with_copy, columns) == (set(), {key})
