"""Lake against table in two looks, with a wait between them for what is on its way.

A fault is what the second look still sees of a key whose item did not change between the two.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timezone
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

from operations import lake
from operations.table import BATCH, Table
from operations.verify.diff import digest, kind
from operations.verify.digest_store import Doubt, Ledger
from operations.verify.result import Finding, Verdict

Entry = TypeVar("Entry")
Mend = Callable[[Sequence[Finding]], None]


def verdict(
    table: Table,
    keys: Collection[str],
    limit: int | None,
    wait: Callable[[int], None],
    mend: Mend | None = None,
) -> Verdict:
    """Return what lake and table say of each other, of all keys or of the given ones.

    `wait` is called between the two looks, with the number of keys in doubt; where none is, the
    first look is enough. `mend` is given what the second look finds, as it finds it.
    """
    found = Verdict(limit)
    with closing(Ledger()) as ledger:
        _first_look(table, keys, ledger)
        found.agree(ledger.agreed)
        if doubts := ledger.doubt_the_rest():
            wait(doubts)
            for findings in _second_look(table, ledger, doubts):
                if mend:
                    mend(findings)
                for finding in findings:
                    found.add(finding)
    return found


def _first_look(table: Table, keys: Collection[str], ledger: Ledger) -> None:
    ledger.enter(_watched(lake.digests(keys), "lake"))
    items = table.items_of(keys).items() if keys else table.items()
    ledger.strike(_watched(((key, digest(text)) for key, text in items), "table"))


def _second_look(table: Table, ledger: Ledger, count: int) -> Iterator[list[Finding]]:
    """Return what comes of each doubt: the lake is read first, so that its rank is the older."""
    ledger.hold(lake.held(ledger.doubted_keys(lake.ASKED + 1)))
    doubts = iter(_watched(ledger.doubts(), "second look", count))
    while part := list(islice(doubts, BATCH)):
        read_at = datetime.now(timezone.utc)
        items = table.items_of([doubt.key for doubt in part])
        yield [_finding(doubt, items.get(doubt.key), read_at) for doubt in part]


def _finding(doubt: Doubt, item: str | None, read_at: datetime) -> Finding:
    image = doubt.held.image if doubt.held else None
    now, held = (text and digest(text) for text in (item, image))
    return Finding(doubt.key, kind(doubt.before, now, held), item, doubt.held, read_at)


def _watched(entries: Iterable[Entry], what: str, count: int | None = None) -> Iterable[Entry]:
    """Return the same entries; a person at a terminal sees their number grow."""
    return tqdm(entries, desc=what, total=count, unit=" items", leave=False, disable=None)
