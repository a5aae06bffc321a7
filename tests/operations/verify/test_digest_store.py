"""Digest store: what differs between two sides, compared with the same in plain dictionaries."""

from collections import defaultdict
from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from operations.lake import LakeRow
from operations.verify.diff import Look
from operations.verify.digest_store import DigestStore, Mismatch
from operations.verify.part import Part

KEYS = st.sampled_from([f"key {number}" for number in range(8)])
DIGESTS = st.sampled_from(["x", "y", "z"])
SIDES = st.dictionaries(KEYS, DIGESTS)
# A key may have more than one digest in the lake, and one of them twice.
LAKE_DIGESTS = st.lists(st.tuples(KEYS, DIGESTS), max_size=12, unique=True)
NOTHING = Look(None, None, None, None, None)
LOOK = Look("t", "l", "ti", "li", "row")


def digests_by_key(pairs: list[tuple[str, str]]) -> dict[str, set[str]]:
    digests: defaultdict[str, set[str]] = defaultdict(set)
    for key, digest in pairs:
        digests[key].add(digest)
    return digests


@given(SIDES, LAKE_DIGESTS, st.integers(1, 4))
def test_keys_that_differ_are_the_mismatches(
    table: dict[str, str], lake: list[tuple[str, str]], batch_size: int
) -> None:
    lake_digests = digests_by_key(lake)
    equal_keys = {key for key, digest in table.items() if lake_digests[key] == {digest}}
    expected = sorted({*table, *(key for key, _ in lake)} - equal_keys)
    with closing(DigestStore()) as store:
        store.add_lake(lake)
        store.match_table(table.items())
        assert store.matched_count == len(equal_keys)
        assert store.mark_unmatched() == store.count_mismatches() == len(expected)
        batches = list(store.mismatches(batch_size))
        mismatches = [mismatch for batch in batches for mismatch in batch]
        assert mismatches == [Mismatch(key, NOTHING, None) for key in expected]
        assert all(len(batch) == batch_size for batch in batches[:-1])
        assert set(store.mismatched_keys(100)) == set(expected)
        assert len(store.mismatched_keys(2)) == min(2, len(expected))


@given(SIDES, SIDES, LAKE_DIGESTS, st.integers(1, 2))
def test_a_part_compares_a_segment_and_a_bucket(
    segment: dict[str, str], others: dict[str, str], lake: list[tuple[str, str]], number: int
) -> None:
    part = Part(number, 2)
    table = others | segment
    lake_digests = digests_by_key(lake)
    bucket = {key for key in lake_digests if part.has_key(key)}
    wrong_keys = {key for key in segment if lake_digests.get(key) != {segment[key]}}
    wrong_keys |= {key for key in bucket - segment.keys() if lake_digests[key] != {table.get(key)}}
    with closing(DigestStore()) as store:
        assert store.add_segment(segment.items()) == len(segment)
        bucket_pairs = sum(part.has_key(key) for key, _ in lake)
        assert store.match_segment(lake, part) == bucket_pairs
        keys = list(store.lake_keys())
        assert keys == sorted(bucket - segment.keys())
        store.match_table((key, table[key]) for key in keys if key in table)
        store.mark_unmatched()
        assert set(store.mismatched_keys(100)) == wrong_keys


def test_keys_may_be_deleted_while_they_are_read() -> None:
    pairs = [(f"{number:05}", "x") for number in range(2500)]
    with closing(DigestStore()) as store:
        store.add_lake(pairs)
        keys = []
        for key in store.lake_keys():
            keys.append(key)
            store.match_table([(key, "x")])
        assert keys == [key for key, _ in pairs]
        assert store.mark_unmatched() == 0


def test_looks_and_rows_belong_to_their_key() -> None:
    row = LakeRow("b", "i", "c", "s", "1", None)
    with closing(DigestStore()) as store:
        store.add_lake([("a", "x"), ("b", "x"), ("c", "x")])
        store.mark_unmatched()
        store.load_lake_rows([LakeRow("a", None, None, None, None, None)])
        store.load_lake_rows([row, LakeRow("other", None, None, None, None, None)])
        store.record_look("a", LOOK)
        assert list(store.mismatches(9)) == [
            [Mismatch("a", LOOK, None), Mismatch("b", NOTHING, row), Mismatch("c", NOTHING, None)]
        ]
        for batch in store.mismatches(1):
            store.delete_mismatch(batch[0].key)
        assert store.count_mismatches() == 0
