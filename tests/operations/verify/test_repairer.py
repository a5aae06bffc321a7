"""Repairer: what becomes of each finding, and how it is reported."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from operations.kinesis_writer import ITEM_TOO_LARGE, Sender
from operations.verify.diff import KINDS, UNSETTLED
from operations.verify.repair import REPLAY_FIRST, Repairer
from operations.verify.result import Finding
from tests.operations.verify.test_repair_record import NOW, TABLE, VALID_ROW
from transform import canonical, parse_change

if TYPE_CHECKING:
    from types_boto3_kinesis.client import KinesisClient


class Kinesis:
    """Kinesis that accepts every record."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def put_records(self, StreamName: str, Records: list[dict[str, Any]]) -> dict[str, Any]:
        self.records += [record["Data"] for record in Records]
        return {"Records": [{"SequenceNumber": "1"}] * len(Records)}

    @property
    def keys(self) -> list[str]:
        return [parse_change(record).key for record in self.records]


def repairer_to(
    kinesis: Kinesis, failed_keys: set[str] | None = None, limit: int | None = None
) -> Repairer:
    sender = Sender(cast("KinesisClient", kinesis))
    return Repairer(TABLE, sender, failed_keys or set(), limit)


def key(number: int) -> str:
    return canonical({"order_id": {"S": f"SO-{number}"}})


def finding(number: int, kind: str | None = "different", note: str | None = "x") -> Finding:
    """Return a finding; the item does not exist without a note."""
    item = None
    if note is not None:
        item = canonical({"order_id": {"S": f"SO-{number}"}, "note": {"S": note}})
    return Finding(key(number), kind, item, replace(VALID_ROW, key=key(number)), NOW)


@given(
    st.lists(st.tuples(st.sampled_from([None, *KINDS]), st.booleans(), st.booleans()), max_size=9),
    st.none() | st.integers(0, 2),
)
def test_each_wrong_key_is_sent_or_left(
    cases: list[tuple[str | None, bool, bool]], limit: int | None
) -> None:
    findings = []
    failed_keys = set()
    expected: dict[str, list[str]] = {"items": [], "tombstones": [], "left": []}
    for number, (kind, has_item, has_failed) in enumerate(cases):
        findings.append(finding(number, kind, "x" if has_item else None))
        if has_failed:
            failed_keys.add(key(number))
        if kind in (None, UNSETTLED):
            continue
        outcome = "items" if has_item else "tombstones"
        expected["left" if has_failed else outcome].append(key(number))
    kinesis = Kinesis()
    repairer = repairer_to(kinesis, failed_keys, limit)
    repairer.repair(findings)
    sent_keys = [*expected["items"], *expected["tombstones"]]
    assert sorted(kinesis.keys) == sorted(sent_keys)
    assert repairer.sent_count == len(sent_keys)
    document = repairer.document()
    assert document["items"] == expected["items"][:limit]
    assert document["tombstones"] == expected["tombstones"][:limit]
    assert document["left"] == dict.fromkeys(expected["left"][:limit], REPLAY_FIRST)
    assert document["counts"] == {outcome: len(keys) for outcome, keys in expected.items()}
    assert json.loads(json.dumps(document)) == document
    assert bool(list(repairer.lines())) == any(expected.values())


def test_each_outcome_is_a_line() -> None:
    kinesis = Kinesis()
    repairer = repairer_to(kinesis, {key(4)}, limit=1)
    large = finding(3, note="x" * 1024 * 1024)
    findings = [finding(1), finding(2, "extra", None), large, finding(4), finding(5)]
    repairer.repair(findings[:2])
    repairer.repair(findings[2:])
    assert list(repairer.lines()) == [
        f"sent       {key(1)}  the table's current item",
        "sent       … and 1 more: use --limit to list them",
        f"sent       {key(2)}  a tombstone: the table does not have the item",
        f"left       {key(3)}  {ITEM_TOO_LARGE}",
        "left       … and 1 more: use --limit to list them",
        "repair: 2 items, 1 tombstone, 2 left",
    ]
    assert sorted(kinesis.keys) == [key(1), key(2), key(5)]
    assert repairer.document()["counts"] == {"items": 2, "tombstones": 1, "left": 2}


def test_a_key_that_no_record_repairs_is_left() -> None:
    repairer = repairer_to(Kinesis())
    foreign = finding(1)
    repairer.repair([replace(foreign, lake_row=replace(VALID_ROW, key=key(1), sequence="5"))])
    assert repairer.sent_count == 0
    [reason] = cast("dict[str, str]", repairer.document()["left"]).values()
    assert "so no change can repair it: delete its row from the lake" in reason
    assert f"WHERE cdc_key = '{key(1)}')" in reason


def test_a_row_without_a_key_is_left() -> None:
    repairer = repairer_to(Kinesis())
    row = replace(VALID_ROW, key="null")
    repairer.repair([Finding("null", "extra", None, row, NOW)])
    [reason] = cast("dict[str, str]", repairer.document()["left"]).values()
    assert reason.endswith("WHERE cdc_key IS NULL)")


@pytest.mark.parametrize("findings", [[], [finding(1, None)], [finding(1, UNSETTLED)]])
def test_nothing_to_repair_has_no_lines(findings: list[Finding]) -> None:
    kinesis = Kinesis()
    repairer = repairer_to(kinesis)
    repairer.repair(findings)
    assert list(repairer.lines()) == []
    assert kinesis.records == []
