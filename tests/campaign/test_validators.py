"""The judges of the campaign: each sabotage is seen by the judge whose business it is."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.campaign import validators
from tests.campaign.evidence import Columns, Evidence
from tests.campaign.records import ACCOUNTS, Road, text_of

ACCOUNT_KEYS = [text_of(account) for account in ACCOUNTS]
TOTAL = 200


def whole() -> Evidence:
    """Return what lies at the ends of a road on which nothing went wrong."""
    road = Road()
    for status in ("placed", "paid", "shipped"):
        for order in ("1", "2"):
            road.put(order, status)
        road.transfer(5)
    road.remove("2")
    road.backfill()
    road.rest()
    return road.found()


WHOLE = whole()


def judgements(found: Evidence) -> set[str]:
    """Return the names of the judges that find a fault."""
    judges: dict[str, Callable[[Evidence], object]] = {
        "conservation": lambda found: list(validators.conservation(found)),
        "order": lambda found: list(validators.order(found)),
        "content": lambda found: list(validators.content(found)),
        "state at every event": lambda found: list(validators.state_at_every_event(found)),
        "before and after": lambda found: list(validators.before_and_after(found)),
        "equality": validators.equality,
        "bank": lambda found: list(validators.bank(found, ACCOUNT_KEYS, TOTAL)),
    }
    return {name for name, judge in judges.items() if judge(found)}


def place(found: Evidence, order: str, status: str) -> int:
    """Return the place of the row by which an order got a status."""
    texts = (text_of(order), f'"status":{{"S":"{status}"}}')
    return next(
        number
        for number, row in enumerate(found.rows)
        if row["cdc_key"] == texts[0]
        and texts[1] in (row["cdc_new_image"] or "")
        and row["cdc_operation"] != "SNAPSHOT"
    )


def edited(number: int, **changes: str | None) -> Evidence:
    """Return the evidence with another row in a place."""
    rows = list(WHOLE.rows)
    rows[number] = {**rows[number], **changes}
    return replace(WHOLE, rows=tuple(rows))


def without(*numbers: int) -> Evidence:
    """Return the evidence without the rows of some places."""
    kept = (row for number, row in enumerate(WHOLE.rows) if number not in numbers)
    return replace(WHOLE, rows=tuple(kept))


def a_change_is_dropped() -> Evidence:
    return without(place(WHOLE, "1", "paid"))


def the_last_change_is_dropped() -> Evidence:
    """Its snapshot is dropped as well: it would tell the same."""
    snapshots = (
        number
        for number, row in enumerate(WHOLE.rows)
        if row["cdc_operation"] == "SNAPSHOT" and row["cdc_key"] == text_of("1")
    )
    return without(place(WHOLE, "1", "shipped"), *snapshots)


def a_digit_is_altered() -> Evidence:
    number = place(WHOLE, "1", "shipped")
    image = WHOLE.rows[number]["cdc_new_image"] or ""
    return edited(number, cdc_new_image=image.replace("shipped", "chipped"))


def an_older_change_takes_the_place_of_a_newer() -> Evidence:
    rows = list(WHOLE.rows)
    rows[place(WHOLE, "1", "shipped")] = rows[place(WHOLE, "1", "placed")]
    return replace(WHOLE, rows=tuple(rows))


def two_changes_have_one_place() -> Evidence:
    row: Columns = {**WHOLE.rows[place(WHOLE, "1", "paid")], "cdc_event_id": "another"}
    return replace(WHOLE, rows=(*WHOLE.rows, row))


def a_duplicate_says_something_else() -> Evidence:
    row: Columns = {**WHOLE.rows[place(WHOLE, "1", "paid")], "status": "unpaid"}
    return replace(WHOLE, rows=(*WHOLE.rows, row))


def two_changes_are_exchanged() -> Evidence:
    first, second = place(WHOLE, "1", "placed"), place(WHOLE, "1", "paid")
    sequences = [WHOLE.rows[number]["cdc_sequence"] for number in (first, second)]
    rows = list(WHOLE.rows)
    for number, sequence in zip((second, first), sequences, strict=True):
        rows[number] = {**rows[number], "cdc_sequence": sequence}
    return replace(WHOLE, rows=tuple(rows))


def neither_stream_nor_lake_tells_a_change() -> Evidence:
    found = without(place(WHOLE, "1", "paid"))
    lost = WHOLE.rows[place(WHOLE, "1", "paid")]["cdc_event_id"]
    return replace(found, written=tuple(t for t in found.written if t.event_id != lost))


def a_transfer_is_half_done() -> Evidence:
    key = ACCOUNT_KEYS[0]
    image = WHOLE.items[key].replace('"85"', '"90"')
    return replace(WHOLE, items={**WHOLE.items, key: image})


def an_item_is_written_past_the_stream() -> Evidence:
    return replace(WHOLE, items={**WHOLE.items, text_of("3"): "{}"})


STATE, CHAIN = "state at every event", "before and after"


def test_of_a_whole_road_no_judge_complains() -> None:
    assert judgements(WHOLE) == set()
    assert judgements(replace(WHOLE, rows=WHOLE.rows[::-1] + WHOLE.rows)) == set()


@pytest.mark.parametrize(
    ("sabotage", "seen"),
    [
        (a_change_is_dropped, {"conservation"}),
        (the_last_change_is_dropped, {"conservation", "equality"}),
        (a_digit_is_altered, {"content", STATE, "equality"}),
        (an_older_change_takes_the_place_of_a_newer, {"conservation", "equality"}),
        (two_changes_have_one_place, {"conservation", "order", STATE, CHAIN}),
        (a_duplicate_says_something_else, {"order"}),
        (two_changes_are_exchanged, {"content", STATE, CHAIN}),
        (neither_stream_nor_lake_tells_a_change, {CHAIN}),
        (a_transfer_is_half_done, {"bank", "equality"}),
        (an_item_is_written_past_the_stream, {"equality"}),
    ],
)
def test_each_sabotage_is_seen(sabotage: Callable[[], Evidence], seen: set[str]) -> None:
    assert judgements(sabotage()) == seen


def test_a_change_in_the_error_store_or_the_dead_letters_is_not_lost() -> None:
    number = place(WHOLE, "1", "paid")
    row, found = WHOLE.rows[number], without(number)
    raw = str(row["cdc_event_id"])
    for kept in (
        replace(found, failed=(f'{{"eventID": "{raw}"}}'.encode(),)),
        replace(found, failed=(f'{{"cdc_event_id": "{raw}"}}'.encode(),)),
        replace(found, buried=frozenset([raw])),
    ):
        assert validators.unaccounted(kept) == set()
        assert validators.faults(kept) == []
    assert validators.unaccounted(replace(found, failed=(b"no JSON", b"[]"))) == {raw}


def test_a_transfer_that_is_torn_in_the_lakes_past_is_seen() -> None:
    first = next(
        number for number, row in enumerate(WHOLE.rows) if '"95"' in (row["cdc_new_image"] or "")
    )
    image = str(WHOLE.rows[first]["cdc_new_image"]).replace('"95"', '"94"')
    assert "bank" in judgements(edited(first, cdc_new_image=image))
