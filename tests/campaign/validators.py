"""Invariants of the evidence: every `check_` function yields one message per violation.

All are pure. They compare the rows of the lake with the changes in the table's own streams.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import pairwise

from tests.campaign.evidence import Columns, Evidence, change_id
from transform import Change, flattened
from transform.gaps import find_gaps
from transform.row import CDC_COLUMNS
from transform.state import Row, current_rows, rank

RowIdentity = Callable[[Columns], str]


def find_violations(evidence: Evidence, lost_ids: Collection[str] = ()) -> list[str]:
    """Return all violations of the invariants, except that the changes `lost_ids` are missing."""
    return [
        *check_conservation(evidence, lost_ids),
        *check_uniqueness(evidence),
        *check_content(evidence),
        *check_history(evidence, lost_ids),
        *check_continuity(evidence, lost_ids),
    ]


def check_conservation(evidence: Evidence, lost_ids: Collection[str] = ()) -> Iterator[str]:
    """Every change is in the lake or retained, and the lake contains no other changes."""
    missing_ids = unaccounted_ids(evidence) - set(lost_ids)
    for change in evidence.changes:
        if change.event_id in missing_ids:
            yield f"change {change.event_id} of {change.key} is neither in the lake nor retained"
    stream_ids = {change.event_id for change in evidence.changes}
    for unknown_id in sorted(delivered_ids(evidence) - stream_ids):
        yield f"change {unknown_id} is in the lake but not in any stream"


def check_uniqueness(evidence: Evidence) -> Iterator[str]:
    """Rows with the same position or the same event id are identical duplicates."""
    identities: tuple[RowIdentity, ...] = (_position, _event_id)
    for identity in identities:
        contents_by_identity: defaultdict[str, set[str]] = defaultdict(set)
        for row in _change_rows(evidence):
            contents_by_identity[identity(row)].add(json.dumps(row, sort_keys=True))
        for name, contents in contents_by_identity.items():
            if len(contents) > 1:
                yield f"the lake has {len(contents)} different rows for {name}"


def check_content(evidence: Evidence) -> Iterator[str]:
    """Each row of the lake agrees with its change in the stream."""
    changes = {change.event_id: change for change in evidence.changes}
    for row in _change_rows(evidence):
        change = changes.get(row["cdc_event_id"] or "")
        if change is None:
            continue
        if any(row[name] != value for name, value in _expected_columns(change).items()):
            yield f"the row of change {change.event_id} of {change.key} differs from the stream"


def check_history(evidence: Evidence, lost_ids: Collection[str] = ()) -> Iterator[str]:
    """After each change, the lake up to that change agrees with the table at that time."""
    missing_ids = {*lost_ids, *_undelivered_ids(evidence)}
    rows = iter(distinct_changes(evidence))
    lake: dict[str, str | None] = {}
    for change in evidence.changes:
        if change.event_id in missing_ids:
            continue
        row = next(rows, None)
        if row is None:
            yield f"the lake ends before change {change.event_id} of {change.key}"
            return
        lake[row.key] = row.new_image
        image = change.new_image and change.new_image.text
        if lake.get(change.key) != image or row.key != change.key:
            yield f"after change {change.event_id} the lake has another image of {change.key}"


def check_continuity(evidence: Evidence, lost_ids: Collection[str] = ()) -> Iterator[str]:
    """Each old image is the new image of the change before, unless one in between is missing."""
    missing_ids = {*lost_ids, *_undelivered_ids(evidence)}
    incomplete_keys = {change.key for change in evidence.changes if change.event_id in missing_ids}
    for gap in find_gaps(distinct_changes(evidence) + snapshots(evidence)):
        if gap.before is None or gap.before.source != gap.after.source:
            continue
        if gap.after.key not in incomplete_keys:
            yield f"a change of {gap.after.key} is missing before {gap.after.sequence}"


def check_balances(
    evidence: Evidence, accounts: Collection[str], total_balance: int
) -> Iterator[str]:
    """Transfers keep the total: in the table, in the lake, and in the lake's past.

    In the past the total may differ after the first change of a transfer, but not after both.
    """
    images_by_side: dict[str, Mapping[str, str | None]] = {
        "table": evidence.items,
        "lake": _lake_images(evidence),
    }
    for side, images in images_by_side.items():
        total = sum(_balance(images.get(account)) for account in accounts)
        if total != total_balance:
            yield f"the accounts in the {side} hold {total}, not {total_balance}"
    if not undelivered_keys(evidence).isdisjoint(accounts):
        return
    totals = list(_past_totals(distinct_changes(evidence), accounts))
    if any(total_balance not in pair for pair in pairwise(totals)):
        yield f"the accounts did not hold {total_balance} after every transfer: {totals}"


def unaccounted_ids(evidence: Evidence) -> set[str]:
    """Return the ids of the changes that are neither in the lake nor retained."""
    failed_ids = {change_id(record) for record in evidence.failed_records}
    return _undelivered_ids(evidence) - failed_ids - evidence.dead_letter_ids


def delivered_ids(evidence: Evidence) -> set[str]:
    """Return the ids of the changes that are in the lake."""
    return {_event_id(row) for row in _change_rows(evidence)}


def differing_keys(evidence: Evidence) -> set[str]:
    """Return the keys whose current image in the lake differs from the table's."""
    lake, table = _lake_images(evidence), evidence.items
    return {key for key in lake.keys() | table.keys() if lake.get(key) != table.get(key)}


def wrong_columns(evidence: Evidence, columns: Collection[str]) -> tuple[set[str], set[str]]:
    """Return the keys whose attribute columns in the lake are wrong, and those that may be.

    They may be if the latest row has copies, not all of which are wrong: each of them may win.
    """
    rows_by_key: defaultdict[str, list[Columns]] = defaultdict(list)
    for row in evidence.lake_rows:
        rows_by_key[str(row["cdc_key"])].append(row)
    certain: set[str] = set()
    possible: set[str] = set()
    for key, latest in current_rows(map(Row.from_columns, evidence.lake_rows)).items():
        attributes = flattened(json.loads(latest.new_image or "{}"))
        copies = [row for row in rows_by_key[key] if Row.from_columns(row) == latest]
        are_wrong = [
            any(row.get(name) != attributes.get(name) for name in columns) for row in copies
        ]
        if any(are_wrong):
            possible.add(key)
        if all(are_wrong):
            certain.add(key)
    return certain, possible


def undelivered_keys(evidence: Evidence) -> set[str]:
    """Return the keys with changes that are not in the lake."""
    missing_ids = _undelivered_ids(evidence)
    return {change.key for change in evidence.changes if change.event_id in missing_ids}


def distinct_changes(evidence: Evidence) -> list[Row]:
    """Return the lake's changes in order, without duplicates."""
    return sorted({Row.from_columns(row) for row in _change_rows(evidence)}, key=rank)


def snapshots(evidence: Evidence) -> list[Row]:
    """Return the lake's snapshots."""
    return [
        Row.from_columns(row) for row in evidence.lake_rows if row["cdc_operation"] == "SNAPSHOT"
    ]


def _undelivered_ids(evidence: Evidence) -> set[str]:
    return {change.event_id for change in evidence.changes} - delivered_ids(evidence)


def _lake_images(evidence: Evidence) -> dict[str, str | None]:
    """Return the current image of every key in the lake."""
    rows = current_rows(map(Row.from_columns, evidence.lake_rows))
    return {key: row.new_image for key, row in rows.items()}


def _past_totals(rows: list[Row], accounts: Collection[str]) -> Iterator[int]:
    """Yield the total after each change of the last stream, once all accounts are known."""
    balances: dict[str, int] = {}
    for row in rows:
        if row.key in accounts and row.source == rows[-1].source:
            balances[row.key] = _balance(row.new_image)
            if len(balances) == len(accounts):
                yield sum(balances.values())


def _balance(image: str | None) -> int:
    return int(json.loads(image)["balance"]["N"]) if image else 0


def _change_rows(evidence: Evidence) -> list[Columns]:
    return [row for row in evidence.lake_rows if row["cdc_operation"] != "SNAPSHOT"]


def _position(row: Columns) -> str:
    return f"{row['cdc_key']} {row['cdc_source']} {row['cdc_sequence']}"


def _event_id(row: Columns) -> str:
    return str(row["cdc_event_id"])


def _expected_columns(change: Change) -> Columns:
    """Return a change's columns, without its time, which may be the time of its arrival."""
    columns: Columns = {
        "cdc_operation": change.operation,
        "cdc_key": change.key,
        "cdc_source": change.source,
        "cdc_sequence": change.sequence,
        "cdc_expired": "true" if change.expired else "false",
        "cdc_old_image": change.old_image and change.old_image.text,
        "cdc_new_image": change.new_image and change.new_image.text,
    }
    assert columns.keys() <= set(CDC_COLUMNS)
    return columns
