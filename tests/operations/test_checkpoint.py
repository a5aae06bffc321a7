"""Checkpoint of a backfill: what is read back is what was written, or the file is refused."""

import json
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from operations.backfill.checkpoint import END, START, Checkpoint, InvalidCheckpoint
from operations.backfill.scope import Scope
from operations.table import SEGMENTS, Item, Page, Table
from transform import canonical

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

SCOPE = Scope("table", "stream 1", "sales", "s3://lake with id 1", "kinesis 1", "firehose 1")
READ_AT = datetime(2026, 11, 29, tzinfo=UTC)
TABLE = Table(cast("DynamoDBClient", None), "t", {"order_id": "S"}, "arn", "stream 1", 0)


def key(number: int) -> Item:
    return {"order_id": {"S": f"SO-{number}"}}


PAGES = st.lists(
    st.builds(
        Page,
        segment=st.integers(0, SEGMENTS - 1),
        items=st.lists(st.integers(0, 9).map(key), max_size=3),
        last_key=st.none() | st.integers(0, 9).map(key),
        read_at=st.just(READ_AT),
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PAGES, st.lists(st.sampled_from(["a", "b"]), max_size=3))
def test_a_checkpoint_resumes_where_it_was_written(
    tmp_path: Path, pages: list[Page[Item]], oversized: list[str]
) -> None:
    path = tmp_path / "folder" / "checkpoint.json"
    checkpoint = Checkpoint(SCOPE)
    positions: dict[int, Item | None] = dict.fromkeys(range(SEGMENTS))
    for page in pages:
        if page.segment not in positions:
            continue
        checkpoint = checkpoint.advance(page, oversized)
        if page.last_key:
            positions[page.segment] = page.last_key
        else:
            del positions[page.segment]
    checkpoint.write(path)
    assert Checkpoint.read(path, SCOPE) == checkpoint
    assert checkpoint.start_keys(TABLE) == positions


def test_oversized_items_are_not_counted_as_sent() -> None:
    page = Page(1, [key(1), key(2), key(3)], key(3), READ_AT)
    checkpoint = Checkpoint(SCOPE, sent=5, oversized=("x",)).advance(page, ["y"])
    assert (checkpoint.sent, checkpoint.oversized) == (7, ("x", "y"))
    assert checkpoint.segments == (START, canonical(key(3)), START, START)
    assert replace(checkpoint, segments=(END,)).start_keys(TABLE) == {}


def test_without_a_file_every_segment_starts(tmp_path: Path) -> None:
    checkpoint = Checkpoint.read(tmp_path / "none.json", SCOPE)
    assert checkpoint == Checkpoint(SCOPE, (START,) * SEGMENTS, 0, ())


@pytest.mark.parametrize("member", [field.name for field in fields(Scope)])
def test_a_checkpoint_of_another_scope_is_refused(tmp_path: Path, member: str) -> None:
    path = tmp_path / "checkpoint.json"
    Checkpoint(SCOPE, sent=5).write(path)
    # A value for any member: all are texts.
    changes: dict[str, Any] = {member: "another"}
    with pytest.raises(InvalidCheckpoint) as raised:
        Checkpoint.read(path, replace(SCOPE, **changes))
    message = str(raised.value)
    label = member.replace("_", " ")
    assert f"(its {label} is {getattr(SCOPE, member)}, but this one's is another): " in message
    assert "remove the file to send every item again" in message


VALID = asdict(Checkpoint(SCOPE, sent=5, oversized=("x",)))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "not JSON",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        json.dumps({**VALID, "segments": []}),
        json.dumps({**VALID, "segments": [None]}),
        json.dumps({**VALID, "segments": None}),
        json.dumps({**VALID, "oversized": [1]}),
        json.dumps({**VALID, "sent": "5"}),
        json.dumps({**VALID, "sent": True}),
        json.dumps({**VALID, "sent": 5.0}),
        json.dumps({**VALID, "scope": {"table": "t"}}),
        json.dumps({**VALID, "more": 1}),
    ],
)
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "checkpoint.json"
    path.write_text(content)
    with pytest.raises(InvalidCheckpoint, match="is not a backfill checkpoint of this version"):
        Checkpoint.read(path, SCOPE)
