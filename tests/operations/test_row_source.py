"""Where rows are read: no day before the first one of JSON has changed since it was copied."""

import re

import pytest

from operations import row_source
from operations.lake_copy.days import Day
from operations.lake_copy.parts import Part
from operations.row_source import JSON, RowSource, first_json_day

WRONG = "digest of an older listing"


def listed(*numbers: int) -> dict[str, Day]:
    return {day(number): Day(day(number), str(number), 1) for number in numbers}


def day(number: int) -> str:
    return f"2026-03-0{number}"


def part(*numbers: int, changed: int | None = None) -> Part:
    marks = {day(number): WRONG if number == changed else str(number) for number in numbers}
    return Part(f"{numbers}", marks)


@pytest.mark.parametrize(
    ("parts", "lake", "expected"),
    [
        ([part(1, 2), part(3, 4)], [1, 2, 3, 4], 5),
        ([part(1), part(4)], [1, 4, 6], 5),  # Days without rows are copied.
        ([part(1, 2), part(3, 4, changed=4)], [1, 2, 3, 4], 3),  # A part counts as a whole.
        ([part(1, 2), part(3, 4, changed=4), part(4)], [1, 2, 3, 4], 5),  # Copied again.
        ([part(1), part(2), part(4)], [1, 4], 2),  # The lake has lost a day.
        ([part(1, 2), part(3)], [2, 3], None),
        ([part(1, changed=1), part(2)], [1, 2], None),
        ([part(2)], [1, 2], None),
        ([], [1], None),
    ],
)
def test_json_is_read_from_the_first_wrong_day(
    parts: list[Part], lake: list[int], expected: int | None
) -> None:
    assert first_json_day(parts, listed(*lake)) == (expected and day(expected))


def test_each_day_is_read_in_one_place() -> None:
    sql = RowSource(json_from=day(2)).rows_sql(["total"])
    assert re.findall(r"WHERE dt (\S+) (\S+)", sql) == [(">=", f"'{day(2)}'"), ("<", f"'{day(2)}'")]


def test_too_many_names_are_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_source, "MAX_NAMES_LENGTH", 5)
    assert JSON.rows_sql(["total"]).startswith('SELECT "total", ')
    assert JSON.rows_sql(["totals"]).startswith("SELECT *, ")
