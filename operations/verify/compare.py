"""Comparison of lake and table: a first pass over everything, then two looks at what differs.

A key may differ only because a change of it is in flight. So there is a wait before each of the
two looks, of the longest time that a change may take, and only what both looks saw is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

from operations import lake
from operations.columns import DeclaredColumns
from operations.lake import LakeRow
from operations.row_source import JSON, RowSource
from operations.table import MAX_KEYS_PER_READ, Table
from operations.verify.descriptions import describe_differences
from operations.verify.diff import Look, classify
from operations.verify.digest_store import DigestStore, Mismatch
from operations.verify.part import Part
from operations.verify.result import Finding, VerifyResult
from operations.verify.table_digests import TableDigests, TableItem
from setup.lib.masking import fetch_masking

T = TypeVar("T")
RepairFunction = Callable[[Sequence[Finding]], None]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of a table with the lake, whose rows it reads from a source.

    `wait` is called before each further look with the number of keys that differ; without any,
    there is no further look. `repair` receives the findings of the last look, batch by batch. A
    result lists at most `limit` keys of each kind.
    """

    table: Table
    wait: Callable[[int], None]
    limit: int | None = None
    repair: RepairFunction | None = None
    source: RowSource = JSON

    def run(self, scope: Collection[str] | Part = ()) -> VerifyResult:
        """Compare lake and table, for a part or for the given keys; without keys, for all."""
        items = TableDigests(self.table, DeclaredColumns.fetch(), fetch_masking())
        part = scope if isinstance(scope, Part) else None
        result = VerifyResult(self.limit, part, self.source)
        with closing(DigestStore()) as store:
            if isinstance(scope, Part):
                _first_pass_of_part(items, scope, store, result)
            else:
                _first_pass(items, scope, store, self.source)
                result.count_matched(store.matched_count)
            if mismatch_count := store.mark_unmatched():
                self.wait(mismatch_count)
                _second_look(items, store, result)
            if mismatch_count := store.count_mismatches():
                self.wait(mismatch_count)
                self._last_look(items, store, result)
        describe_differences(result, items)
        return result

    def _last_look(self, items: TableDigests, store: DigestStore, result: VerifyResult) -> None:
        """Look at what the second look found different, and repair and count the findings."""
        for findings in _findings(items, store, result.source):
            if self.repair:
                self.repair(findings)
            for finding in findings:
                result.add(finding)


def _first_pass(
    items: TableDigests, keys: Collection[str], store: DigestStore, source: RowSource
) -> None:
    store.add_lake(_with_progress(lake.fetch_digests(items.columns, keys, source), "lake"))
    digests = items.of_keys(keys) if keys else items.scan()
    store.match_table(_with_progress(digests, "table"))


def _first_pass_of_part(
    items: TableDigests, part: Part, store: DigestStore, result: VerifyResult
) -> None:
    """Compare a segment of the table with the lake, and a bucket of the lake with the table."""
    result.table_items = store.add_segment(_with_progress(items.scan(part), "table"))
    lake_digests = lake.fetch_digests(items.columns, source=result.source)
    result.lake_items = store.match_segment(_with_progress(lake_digests, "lake"), part)
    # Consistent reads would cost twice as much; what differs is looked at again.
    bucket_items = items.of_keys(store.lake_keys(), is_consistent=False)
    store.match_table(_with_progress(bucket_items, "bucket"))


def _second_look(items: TableDigests, store: DigestStore, result: VerifyResult) -> None:
    """Look at what differed in the first pass, and keep in the store what still differs."""
    for finding, _, look in _look(items, store, result.source, "second look"):
        if look.table == look.lake:
            result.add(finding)
            store.delete_mismatch(finding.key)
        else:
            store.record_look(finding.key, look)


def _findings(
    items: TableDigests, store: DigestStore, source: RowSource
) -> Iterator[list[Finding]]:
    """Look at what the second look found different, and yield the findings in batches."""
    looks = iter(_look(items, store, source, "last look"))
    while batch := list(islice(looks, MAX_KEYS_PER_READ)):
        yield [
            replace(finding, kind=classify(mismatch.before, look))
            for finding, mismatch, look in batch
        ]


def _look(
    items: TableDigests, store: DigestStore, source: RowSource, label: str
) -> Iterator[tuple[Finding, Mismatch, Look]]:
    """Look at each key that differs, and yield what is there, as a finding without a kind.

    The lake is read before the table: a repair then ranks below any change made after its read.
    """
    keys = store.mismatched_keys(lake.MAX_KEYS_IN_QUERY + 1)
    store.load_lake_rows(lake.fetch_latest_rows(items.columns, keys, source.refreshed()))
    for batch in _with_progress(store.mismatches(MAX_KEYS_PER_READ), label):
        read_at = datetime.now(UTC)
        table_items = items.get_items([mismatch.key for mismatch in batch])
        for mismatch in batch:
            item = table_items.get(mismatch.key)
            lake_row = mismatch.lake_row
            finding = Finding(mismatch.key, None, item.text if item else None, lake_row, read_at)
            yield finding, mismatch, _look_at(item, lake_row)


def _look_at(item: TableItem | None, lake_row: LakeRow | None) -> Look:
    return Look(
        table=item.digest if item else None,
        lake=lake_row.item_digest if lake_row else None,
        table_image=item.image_digest if item else None,
        lake_image=lake_row.image_digest if lake_row else None,
        lake_row=lake_row.fingerprint if lake_row else None,
    )


def _with_progress(entries: Iterable[T], label: str) -> Iterable[T]:
    """Return the same entries, counted by a progress bar if a terminal shows it."""
    return tqdm(entries, desc=label, unit=" items", leave=False, disable=None)
