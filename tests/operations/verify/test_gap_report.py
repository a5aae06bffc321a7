"""Report of gaps: its counts, its limit, its text, and a result that is not whole."""

import itertools
from collections.abc import Iterator

import pytest

from analytics import athena
from operations.lake import TruncatedResult
from operations.verify.gaps import Gap, GapReport, find_gaps
from tests.support.verify_fixture import (
    PAID,
    SHIPPED,
    STREAM,
    VerifyEnvironment,
    history_rows,
    order_item,
    order_key,
    run_verify,
    snapshot_row,
    verify_env,
)
from transform.gaps import GapKind

KEY = order_key(1)
ROWS_AFTER_GAPS = [
    history_rows(order_item(number, **PAID), order_item(number, **SHIPPED))[1]
    for number in range(3)
]
OPEN_GAP = Gap(GapKind.OPEN, KEY, STREAM, "1", STREAM, "3")


@pytest.fixture(scope="module")
def env() -> Iterator[VerifyEnvironment]:
    with verify_env() as env:
        yield env


@pytest.mark.parametrize("row_count", [0, 3, 4])
def test_a_truncated_list_of_gaps_is_noticed(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch, row_count: int
) -> None:
    env.set_lake_objects(ROWS_AFTER_GAPS)
    stream_rows = athena._stream_rows
    monkeypatch.setattr(
        athena, "_stream_rows", lambda uri: itertools.islice(stream_rows(uri), row_count)
    )
    if row_count < 4:
        with pytest.raises(TruncatedResult):
            list(find_gaps())
    else:
        assert [gap.key for gap in find_gaps()] == [order_key(number) for number in range(3)]


def test_an_option_limits_the_gaps(
    env: VerifyEnvironment, capsys: pytest.CaptureFixture[str]
) -> None:
    env.set_lake_objects(ROWS_AFTER_GAPS)
    assert run_verify("--gaps", "--limit", "2") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["open", "open"]
    assert lines[2] == "… and 1 more: use --limit to list them"


def test_of_equal_repairs_the_latest_event_counts(env: VerifyEnvironment) -> None:
    [change] = history_rows(order_item(1, **PAID))
    repairs = [
        {**snapshot_row(order_item(1, **attributes), 1), "cdc_event_id": event_id}
        for event_id, attributes in (("2", PAID), ("1", SHIPPED))
    ]
    env.set_lake_objects([change, *repairs])
    assert list(find_gaps()) == []
    for repair in repairs:
        repair["cdc_event_id"] = "12"[repair["cdc_event_id"] == "1"]
    env.set_lake_objects([change, *repairs])
    assert [gap.kind for gap in find_gaps()] == [GapKind.BRIDGED]


@pytest.mark.parametrize("limit", [0, 1, 2, 3, None])
def test_the_limit_is_that_of_all_gaps(limit: int | None) -> None:
    gaps = [OPEN_GAP] * 2
    report = GapReport(gaps, limit)
    listed_count = 2 if limit is None else min(limit, 2)
    assert report.listed == gaps[:listed_count]
    assert report.document()["count"] == 2
    assert report.status == 1
    lines = list(report.lines())
    unlisted = [line for line in lines if "--limit" in line]
    expected = [f"… and {2 - listed_count} more: use --limit to list them"]
    assert unlisted == (expected if listed_count < 2 else [])


def test_only_open_gaps_give_status_1() -> None:
    kinds = [GapKind.BRIDGED, GapKind.OLDER]
    report = GapReport([Gap(kind, KEY, STREAM, "1", STREAM, "3") for kind in kinds], None)
    assert report.status == 0
    assert report.document()["count"] == 0
    assert report.document()["counts"] == {"open": 0, "bridged": 1, "older": 1, "erased": 0}
    assert not any("no gaps" in line for line in report.lines())
    assert GapReport([], None).status == 0
    assert list(GapReport([], None).lines()) == [
        "no gaps: every change replaced what the change before it left"
    ]


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (OPEN_GAP, "changes lost between 1 and 3"),
        (Gap(GapKind.OPEN, KEY, None, None, STREAM, "3"), "changes lost before 3"),
        (Gap(GapKind.BRIDGED, KEY, STREAM, "3", STREAM, "3"), "changes lost after 3"),
        (Gap(GapKind.OLDER, KEY, None, None, STREAM, "3"), "no row before 3"),
        (
            Gap(GapKind.BRIDGED, KEY, "older", "3", STREAM, "3"),
            "changes lost between 3 of an older stream and 3",
        ),
    ],
)
def test_a_gap_says_where_changes_were_lost(gap: Gap, text: str) -> None:
    assert str(gap) == f"{gap.kind:7}  {KEY}  {text}"
