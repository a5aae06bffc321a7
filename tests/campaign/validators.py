"""What must be true of what lies in the cloud: each validator yields a sentence for each fault.

All are pure. They go by the rows of the lake as they are, and by the changes that the table's own
stream tells.
"""

import json
from collections.abc import Collection, Iterator
from itertools import groupby, pairwise

from tests.campaign.evidence import Columns, Evidence, id_of
from transform import Change
from transform.row import CDC_COLUMNS
from transform.state import Row, current_rows, find_gaps, rank

Balances = dict[str, int]


def faults(found: Evidence, excused: Collection[str] = ()) -> list[str]:
    """Return what is wrong, whatever has happened; `excused` are the ids of changes known lost."""
    return [
        *conservation(found, excused),
        *order(found),
        *content(found),
        *state_at_every_event(found, excused),
        *before_and_after(found, excused),
    ]


def conservation(found: Evidence, excused: Collection[str] = ()) -> Iterator[str]:
    """Each written change lies somewhere, and nothing lies there that was not written."""
    missing = unaccounted(found) - set(excused)
    for told in found.written:
        if told.event_id in missing:
            yield f"change {told.event_id} of {told.key} is neither in the lake nor kept"
    for lost in sorted(delivered(found) - {told.event_id for told in found.written}):
        yield f"change {lost} is in the lake, but no stream tells it"


def unaccounted(found: Evidence) -> set[str]:
    """Return the ids of the written changes that lie nowhere."""
    kept = {id_of(raw) for raw in found.failed}
    written = {told.event_id for told in found.written}
    return written - delivered(found) - kept - found.buried


def delivered(found: Evidence) -> set[str | None]:
    """Return the ids of the changes that are in the lake."""
    return {row["cdc_event_id"] for row in _changes(found.rows)}


def order(found: Evidence) -> Iterator[str]:
    """Of each place in a key's order there is one change: duplicates are the same to the letter."""
    for of in (_place, _identity):
        for what, rows in groupby(sorted(_changes(found.rows), key=of), of):
            if len({json.dumps(row, sort_keys=True) for row in rows}) > 1:
                yield f"the lake has different rows of {what}"


def content(found: Evidence) -> Iterator[str]:
    """Each row of the lake says what the stream says of its change."""
    written = {told.event_id: told for told in found.written}
    for row in _changes(found.rows):
        told = written.get(row["cdc_event_id"] or "")
        if told and any(row[name] != text for name, text in _columns(told).items()):
            yield f"the row of change {told.event_id} of {told.key} says something else"


def state_at_every_event(found: Evidence, excused: Collection[str] = ()) -> Iterator[str]:
    """After each change the lake, read up to it, holds what the table held then."""
    absent = {*excused, *({told.event_id for told in found.written} - delivered(found))}
    rows = iter(distinct(found))
    held: dict[str, str | None] = {}
    for told in found.written:
        if told.event_id in absent:
            continue
        row = next(rows, None)
        if row is None:
            yield f"the lake ends before change {told.event_id} of {told.key}"
            return
        held[row.key] = row.new_image
        truth = told.new_image and told.new_image.text
        if held.get(told.key) != truth or row.key != told.key:
            yield f"after change {told.event_id} the lake does not hold {told.key} as the table did"


def before_and_after(found: Evidence, excused: Collection[str] = ()) -> Iterator[str]:
    """Each old image is what the change before it left, unless a change between them is absent."""
    absent = {*excused, *({told.event_id for told in found.written} - delivered(found))}
    suspects = {told.key for told in found.written if told.event_id in absent}
    for gap in find_gaps(distinct(found) + snapshots(found)):
        streams = {gap.after.source, gap.before.source if gap.before else gap.after.source}
        if gap.after.key not in suspects and len(streams) == 1 and gap.before:
            yield f"{gap.after.key} changed unseen before {gap.after.sequence}"


def equality(found: Evidence) -> set[str]:
    """Return the keys of which the lake says, by the law of state, what the table does not."""
    held, items = _held(found), found.items
    return {key for key in held.keys() | items.keys() if held.get(key) != items.get(key)}


def _held(found: Evidence) -> dict[str, str | None]:
    """Return what the lake holds, by the law of state."""
    return {
        key: row.new_image for key, row in current_rows(map(Row.from_columns, found.rows)).items()
    }


def bank(found: Evidence, accounts: Collection[str], total: int) -> Iterator[str]:
    """Transfers keep the sum: in table and lake now, and in the lake's past but within one."""
    for where, images in (("table", found.items), ("lake", _held(found))):
        if (now := _sum({key: _balance(images.get(key)) for key in accounts})) != total:
            yield f"the accounts in the {where} hold {now}, not {total}"
    if absent_keys(found).isdisjoint(accounts):
        sums = list(_sums(distinct(found), accounts))
        if any(first != total and second != total for first, second in pairwise(sums)):
            yield f"the accounts did not hold {total} at the end of a transfer: {sums}"


def absent_keys(found: Evidence) -> set[str]:
    """Return the keys of the written changes that are not in the lake."""
    arrived = delivered(found)
    return {told.key for told in found.written if told.event_id not in arrived}


def distinct(found: Evidence) -> list[Row]:
    """Return the lake's changes in their order, each once."""
    return sorted({Row.from_columns(row) for row in _changes(found.rows)}, key=rank)


def snapshots(found: Evidence) -> list[Row]:
    """Return the lake's snapshots."""
    return [Row.from_columns(row) for row in found.rows if row["cdc_operation"] == "SNAPSHOT"]


def _sums(rows: list[Row], accounts: Collection[str]) -> Iterator[int]:
    """Yield what the accounts held after each change of the last stream, once that told of all."""
    held: Balances = {}
    for row in rows:
        if row.key in accounts and row.source == rows[-1].source:
            held[row.key] = _balance(row.new_image)
            if len(held) == len(accounts):
                yield _sum(held)


def _sum(balances: Balances) -> int:
    return sum(balances.values())


def _balance(image: str | None) -> int:
    return int(json.loads(image)["balance"]["N"]) if image else 0


def _changes(rows: tuple[Columns, ...]) -> list[Columns]:
    return [row for row in rows if row["cdc_operation"] != "SNAPSHOT"]


def _place(row: Columns) -> tuple[str, ...]:
    return tuple(str(row[name]) for name in ("cdc_key", "cdc_source", "cdc_sequence"))


def _identity(row: Columns) -> str:
    return str(row["cdc_event_id"])


def _columns(told: Change) -> Columns:
    """Return the columns that a change has in the lake; its time may be that of its arrival."""
    columns: Columns = {
        "cdc_operation": told.operation,
        "cdc_key": told.key,
        "cdc_source": told.source,
        "cdc_sequence": told.sequence,
        "cdc_expired": "true" if told.expired else "false",
        "cdc_old_image": told.old_image and told.old_image.text,
        "cdc_new_image": told.new_image and told.new_image.text,
    }
    assert columns.keys() <= set(CDC_COLUMNS)
    return columns
