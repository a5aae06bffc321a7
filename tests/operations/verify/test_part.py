"""verify --part: all parts together find what a verification of the whole table finds."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.table import Table
from operations.verify import command
from operations.verify.coverage import Coverage, PartResult, read_coverage
from operations.verify.part import Part
from setup.lib.lake_identity import LakeIdentity
from tests.support.profile import IS_THOROUGH
from tests.support.verify_fixture import (
    PAID,
    PHASES_WITHOUT_SHRINK,
    SHIPPED,
    VerifyEnvironment,
    history_rows,
    keys_by_kind,
    order_item,
    order_key,
    run_verify,
    verify_env,
)

LAKE = LakeIdentity("lake-1", "id-1")
KEYS = [order_key(number) for number in range(1000)]


@pytest.fixture(scope="module")
def env() -> Iterator[VerifyEnvironment]:
    with verify_env() as env:
        yield env


@given(st.integers(1, 50))
def test_each_key_is_in_one_bucket(total: int) -> None:
    parts = [Part(number, total) for number in range(1, total + 1)]
    for key in KEYS[:50]:
        assert sum(part.has_key(key) for part in parts) == 1


def test_buckets_are_about_equal() -> None:
    sizes = [sum(map(Part(number, 10).has_key, KEYS)) for number in range(1, 11)]
    assert min(sizes) > 70
    assert max(sizes) < 130


@pytest.mark.slow
@settings(
    max_examples=100 if IS_THOROUGH else 5,
    phases=PHASES_WITHOUT_SHRINK,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.sets(st.integers(0, 30)),
    st.sets(st.integers(0, 30)),
    st.sets(st.integers(0, 30)),
    st.integers(1, 4),
)
def test_all_parts_find_what_a_whole_run_finds(
    env: VerifyEnvironment, in_table: set[int], in_lake: set[int], altered: set[int], total: int
) -> None:
    env.set_table_items(*(order_item(number, **PAID) for number in sorted(in_table)))
    rows = [
        history_rows(order_item(number, **(SHIPPED if number in altered else PAID)))
        for number in sorted(in_lake)
    ]
    env.set_lake_objects([row for history in rows for row in history])
    whole = env.compare()
    keys_of_parts: dict[str, set[str]] = defaultdict(set)
    table_items = lake_items = 0
    for number in range(1, total + 1):
        result = env.compare(scope=Part(number, total))
        table_items += result.table_items
        lake_items += result.lake_items
        for kind, keys in keys_by_kind(result).items():
            keys_of_parts[kind] |= set(keys)
    assert keys_of_parts == {kind: set(keys) for kind, keys in keys_by_kind(whole).items()}
    assert (table_items, lake_items) == (whole.table_items, whole.lake_items)


def test_copies_that_differ_are_looked_at_in_a_part(env: VerifyEnvironment) -> None:
    """A digest decides between the copies, so one of these items equals the lake."""
    copies = [history_rows(order_item(1, **attributes)) for attributes in (PAID, SHIPPED)]
    env.set_lake_objects(*copies)
    kinds_found = []
    for attributes in (PAID, SHIPPED):
        env.set_table_items(order_item(1, **attributes))
        parts = [keys_by_kind(env.compare(scope=Part(number, 2))) for number in (1, 2)]
        kinds_found.append({kind for kinds in parts for kind in kinds})
    assert sorted(kinds_found, key=len) == [set(), {"different"}]


def test_only_a_part_may_read_an_older_item(
    env: VerifyEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first pass reads the bucket at half the price, and looks again at what differs."""
    consistency: list[bool] = []
    get_items = Table.get_items

    def record(table: Table, keys: list[str], *, is_consistent: bool = True) -> dict[str, str]:
        consistency.append(is_consistent)
        return get_items(table, keys, is_consistent=is_consistent)

    monkeypatch.setattr(Table, "get_items", record)
    items = [order_item(number, **PAID) for number in range(8)]
    env.set_table_items(*items)
    env.set_lake_objects([row for item in items for row in history_rows(item)])
    for number in (1, 2):
        assert env.compare(scope=Part(number, 2)).status == 0
    assert set(consistency) == {False}
    assert env.compare(scope=[order_key(1)]).status == 0
    assert consistency[-1]


def test_a_file_collects_the_parts(
    env: VerifyEnvironment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "verified.json"
    env.set_table_items(*(order_item(number, **PAID) for number in range(20)))
    env.set_lake_objects(
        [row for number in range(20) for row in history_rows(order_item(number, **PAID))]
    )
    for number in (1, 3, 2):
        assert run_verify("--part", f"{number}/3", "--json", str(path)) == 0
    document = json.loads(path.read_text())
    coverage = document["coverage"]
    assert (document["scope"], document["part"], coverage["share"]) == ("part", "2/3", 1)
    times = [coverage["parts"][number]["started_at"] for number in "123"]
    assert coverage["verified_through"] == min(times)
    assert sum(part["table"] for part in coverage["parts"].values()) == 20
    assert sum(part["lake"] for part in coverage["parts"].values()) == 20
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("lake equals table in part 1/3: ")
    assert lines[1] == f"verified through {times[0]} UTC: 1 of 3 parts, 33% of the table"
    assert lines[-1] == f"verified through {min(times)} UTC: 3 of 3 parts, 100% of the table"
    assert run_verify("--part", "1/4", "--json", str(path)) == 0
    assert json.loads(path.read_text())["coverage"]["parts"].keys() == {"1"}


def test_parts_add_up_without_a_file(
    env: VerifyEnvironment, last_result: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    env.set_table_items()
    env.set_lake_objects([])
    assert [run_verify("--part", "1/2"), run_verify("--part", "2/2", "--json")] == [0, 0]
    coverage = json.loads(last_result.read_text())["coverage"]
    assert coverage["parts"].keys() == {"1", "2"}
    _, _, text = capsys.readouterr().out.partition("{")
    assert json.loads("{" + text)["coverage"] == coverage


def test_a_wrong_part_is_not_covered(env: VerifyEnvironment, tmp_path: Path) -> None:
    path = tmp_path / "verified.json"
    env.set_table_items(order_item(1, **PAID))
    env.set_lake_objects([])
    statuses = {run_verify("--part", f"{part}/2", "--json", str(path)) for part in (1, 2)}
    assert statuses == {0, 1}
    document = json.loads(path.read_text())
    assert document["coverage"]["share"] == 0.5
    states = sorted(part["state"] for part in document["coverage"]["parts"].values())
    assert states == ["differs", "equal"]


def test_nothing_is_covered_by_wrong_parts() -> None:
    coverage = Coverage(24, {3: PartResult("2026-11-29 10:00:00", "differs", 1, 1)})
    assert (coverage.share, coverage.verified_through) == (0, None)
    assert str(coverage) == "verified: none of 24 parts"


@pytest.mark.parametrize(
    "text", ["", "3", "0/24", "25/24", "1/0", "1/99999", "a/b", "1/2/3", "-1/2"]
)
def test_invalid_parts_exit_with_2(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main([f"--part={text}"])
    assert "a part such as 3/24" in capsys.readouterr().err


@pytest.mark.parametrize("option", [["--gaps"], ["--key", order_key(1)]])
def test_a_part_excludes_other_scopes(option: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(["--part", "1/2", *option])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"bucket": "lake-1"}', "not JSON"])
def test_a_file_without_coverage_starts_anew(tmp_path: Path, text: str) -> None:
    path = tmp_path / "verified.json"
    assert read_coverage(path, LAKE) is None
    path.write_text(text)
    assert read_coverage(path, LAKE) is None
    assert read_coverage(None, LAKE) is None


def test_coverage_of_another_lake_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "verified.json"
    coverage = Coverage(24, {3: PartResult("2026-11-29 10:00:00", "equal", 1, 1)})
    path.write_text(json.dumps({**asdict(LAKE), "coverage": coverage.document()}))
    assert read_coverage(path, LAKE) == coverage
    assert read_coverage(path, LakeIdentity("lake-2", "id-1")) is None
    assert read_coverage(path, LakeIdentity("lake-1", "id-2")) is None
    assert read_coverage(path, LakeIdentity("lake-1", None)) is None
