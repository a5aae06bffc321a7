"""Lake objects: readable if their latest version is lines of JSON objects."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from io import BufferedReader, BytesIO, RawIOBase
from typing import TYPE_CHECKING, Any, cast

from hypothesis import given
from hypothesis import strategies as st

from operations import lake_objects
from operations.lake_objects import DELETED, LakeVersions, find_problem

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

ROWS = st.lists(st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=3)), min_size=1)
GOOD = gzip.compress(b"{}\n")
NOW = datetime(2026, 11, 29, tzinfo=UTC)


def problem_of(content: bytes, is_compressed: bool) -> str | None:
    body = BufferedReader(cast("RawIOBase", BytesIO(content)))
    return find_problem(body, is_compressed)


@given(ROWS, st.booleans())
def test_rows_are_readable(rows: list[dict[str, str | None]], is_compressed: bool) -> None:
    content = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
    body = gzip.compress(content) if is_compressed else content
    assert problem_of(body, is_compressed) is None


@given(ROWS, st.data())
def test_a_cut_object_is_damaged(rows: list[dict[str, str | None]], data: st.DataObject) -> None:
    body = gzip.compress("".join(f"{json.dumps(row)}\n" for row in rows).encode())
    length = data.draw(st.integers(0, len(body) - 1))
    assert problem_of(body[:length], is_compressed=True) is not None


@given(ROWS, st.sampled_from([b"[]", b"7", b"null", b"{", b"\xff", b"[" * 9999]), st.data())
def test_a_line_that_is_no_object_is_named(
    rows: list[dict[str, str | None]], line: bytes, data: st.DataObject
) -> None:
    lines = [json.dumps(row).encode() for row in rows]
    position = data.draw(st.integers(0, len(lines)))
    lines.insert(position, line)
    problem = problem_of(b"\n".join(lines), is_compressed=False)
    assert problem == f"line {position + 1} is not a JSON object"


def test_a_line_too_long_for_memory_is_damaged(monkeypatch: Any) -> None:
    monkeypatch.setattr(lake_objects, "MAX_LINE_BYTES", 100)
    assert problem_of(b'{"a":"%s"}\n' % (b"x" * 200), is_compressed=False) is not None


class PagedVersions:
    """A bucket whose versions are listed a few at a time, as S3 does for a long list."""

    def __init__(self, entries: list[dict[str, Any]], page_size: int) -> None:
        self.entries = entries
        self.page_size = page_size

    def get_paginator(self, _: str) -> "PagedVersions":
        return self

    def paginate(self, **_: str) -> list[dict[str, Any]]:
        pages = []
        for start in range(0, len(self.entries), self.page_size):
            entries = self.entries[start : start + self.page_size]
            versions = [entry for entry in entries if "Size" in entry]
            markers = [entry for entry in entries if "Size" not in entry]
            pages.append({"Versions": versions, "DeleteMarkers": markers})
        return pages

    def get_object(self, **_: str) -> dict[str, Any]:
        return {"Body": BytesIO(GOOD)}


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=4), max_size=6), st.integers(1, 5))
def test_a_key_is_judged_by_its_latest_version(histories: list[list[bool]], page_size: int) -> None:
    """A key's versions may be on several pages, and apart from its delete markers."""
    entries = []
    expected = []
    for number, history in enumerate(histories):
        key = f"lake/{number}.gz"
        if not history[-1]:
            expected.append((key, DELETED, any(history)))
        for age, is_version in enumerate(reversed(history)):
            entry: dict[str, Any] = {
                "Key": key,
                "VersionId": str(len(history) - age),
                "IsLatest": age == 0,
                "LastModified": NOW - timedelta(seconds=age // 2),  # to the second, as S3 lists it
            }
            entries.append(entry | {"Size": 1} if is_version else entry)
    s3 = cast("S3Client", PagedVersions(entries, page_size))
    assert [
        (damaged.key, damaged.problem, damaged.good_version is not None)
        for damaged in LakeVersions(s3, "bucket").find_damaged()
    ] == expected
