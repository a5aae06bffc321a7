"""Report of a restore: what was brought back, and what cannot be."""

from datetime import UTC, datetime

import pytest

from operations.lake_objects import DamagedObject, ObjectVersion
from operations.restore.report import MAX_LISTED, NEXT_STEPS, NO_VERSION, RestoreReport

TIME = datetime(2026, 11, 29, 10, 11, 12, tzinfo=UTC)


def damaged(number: int, has_version: bool = True) -> DamagedObject:
    version = ObjectVersion(str(number), f"v{number}", TIME, 10, is_latest=False)
    return DamagedObject(str(number), "deleted", version if has_version else None)


@pytest.mark.parametrize(
    ("objects", "is_dry_run", "status", "summary"),
    [
        ([], False, 0, "nothing to restore: no object of the lake is deleted or damaged"),
        ([damaged(1)], False, 0, f"restored 1 of 1 object; {NEXT_STEPS}"),
        ([damaged(1)], True, 0, "would restore 1 of 1 object"),
        (
            [damaged(1), damaged(2, False)],
            False,
            1,
            f"restored 1 of 2 objects; 1 has no good version; {NEXT_STEPS}",
        ),
        ([damaged(1, False)] * 2, False, 1, "restored 0 of 2 objects; 2 have no good version"),
    ],
)
def test_the_last_line_is_the_summary(
    objects: list[DamagedObject], is_dry_run: bool, status: int, summary: str
) -> None:
    report = RestoreReport(is_dry_run, objects)
    assert report.status == status
    assert list(report.lines())[-1] == summary
    document = report.document()
    good_count = sum(entry.good_version is not None for entry in objects)
    assert document["dry_run"] is is_dry_run
    assert document["found"] == len(objects)
    assert document["restored"] == (0 if is_dry_run else good_count)
    assert document["lost"] == len(objects) - good_count


def test_each_object_has_its_outcome() -> None:
    report = RestoreReport(False, [damaged(1), damaged(2, False)])
    assert list(report.lines())[:2] == [
        "1  deleted; last good version of 2026-11-29 10:11:12 UTC",
        f"2  deleted; {NO_VERSION}",
    ]
    assert report.document()["objects"] == [
        {"key": "1", "problem": "deleted", "version": "v1"},
        {"key": "2", "problem": "deleted", "version": None},
    ]


@pytest.mark.parametrize(("number", "unlisted"), [(MAX_LISTED, 0), (MAX_LISTED + 3, 3)])
def test_text_lists_some_objects(number: int, unlisted: int) -> None:
    lines = list(RestoreReport(True, [damaged(n) for n in range(number)]).lines())
    expected = [f"… and {unlisted} more: use --json to list them"] if unlisted else []
    assert lines[MAX_LISTED:-1] == expected
