"""Comparison of lake and table in two passes, with a wait for in-flight changes between them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timezone
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

from operations import lake
from operations.table import MAX_KEYS_PER_READ, Table
from operations.verify.diff import classify
from operations.verify.digest_store import DigestStore, Mismatch
from operations.verify.result import Finding, VerifyResult

T = TypeVar("T")
RepairFunction = Callable[[Sequence[Finding]], None]


def compare(
    table: Table,
    keys: Collection[str],
    limit: int | None,
    wait: Callable[[int], None],
    repair: RepairFunction | None = None,
) -> VerifyResult:
    """Compare lake and table, for the given keys or for all.

    `wait` is called between the passes with the number of keys that differ; without any, there is
    no second pass. `repair` receives the findings of the second pass, batch by batch.
    """
    result = VerifyResult(limit)
    with closing(DigestStore()) as store:
        _first_pass(table, keys, store)
        result.count_matched(store.matched_count)
        mismatch_count = store.mark_unmatched()
        if mismatch_count:
            wait(mismatch_count)
            for findings in _second_pass(table, store, mismatch_count):
                if repair:
                    repair(findings)
                for finding in findings:
                    result.add(finding)
    return result


def _first_pass(table: Table, keys: Collection[str], store: DigestStore) -> None:
    store.add_lake(_with_progress(lake.fetch_digests(keys), "lake"))
    items = table.get_items(keys).items() if keys else table.scan_items()
    digests = ((key, lake.digest(item)) for key, item in items)
    store.match_table(_with_progress(digests, "table"))


def _second_pass(table: Table, store: DigestStore, mismatch_count: int) -> Iterator[list[Finding]]:
    """Yield a finding for each mismatch, in batches.

    The lake is read before the table: a repair then ranks below any change made after its read.
    """
    keys = store.mismatched_keys(lake.MAX_KEYS_IN_QUERY + 1)
    store.load_lake_rows(lake.fetch_latest_rows(keys))
    mismatches = iter(_with_progress(store.mismatches(), "second pass", mismatch_count))
    while batch := list(islice(mismatches, MAX_KEYS_PER_READ)):
        read_at = datetime.now(timezone.utc)
        items = table.get_items([mismatch.key for mismatch in batch])
        yield [_finding(mismatch, items.get(mismatch.key), read_at) for mismatch in batch]


def _finding(mismatch: Mismatch, item: str | None, read_at: datetime) -> Finding:
    lake_row = mismatch.lake_row
    kind = classify(
        first_table=mismatch.table_digest,
        second_table=_digest_or_none(item),
        lake=_digest_or_none(lake_row.image if lake_row else None),
    )
    return Finding(mismatch.key, kind, item, lake_row, read_at)


def _digest_or_none(text: str | None) -> str | None:
    return None if text is None else lake.digest(text)


def _with_progress(entries: Iterable[T], label: str, total: int | None = None) -> Iterable[T]:
    """Return the same entries, counted by a progress bar if a terminal shows it."""
    return tqdm(entries, desc=label, total=total, unit=" items", leave=False, disable=None)
