"""Sabotage: whatever part of the chain is broken, status does not exit 0, and names the part."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from operations.backfill import command as backfill
from setup import names
from tests.support.laptop_cloud import aws
from tests.support.profile import IS_THOROUGH, sampled
from tests.support.status_fixture import StatusChain, status_chain
from tests.support.status_sabotage import OTHER_SABOTAGES, SABOTAGES, Sabotage, recreate

# Each sabotage alone, or several that do not hide each other; by default every other group.
GROUP_COUNT = 6
GROUPS = (
    [(sabotage,) for sabotage in SABOTAGES + OTHER_SABOTAGES]
    if IS_THOROUGH
    else sampled((SABOTAGES[number::GROUP_COUNT] for number in range(GROUP_COUNT)), 2)
)


@pytest.fixture(scope="module")
def chain() -> Iterator[StatusChain]:
    with status_chain() as chain:
        yield chain


@pytest.mark.slow
def test_an_idle_pipeline_is_healthy(chain: StatusChain) -> None:
    assert chain.find_faults() == []


@pytest.mark.parametrize(
    "sabotages", GROUPS, ids=lambda group: "-".join(sabotage.__name__ for sabotage in group)
)
def test_sabotage_is_named(chain: StatusChain, sabotages: tuple[Sabotage, ...]) -> None:
    with ExitStack() as stack:
        expected_texts = [stack.enter_context(sabotage(chain.cloud)) for sabotage in sabotages]
        faults = "\n".join(chain.find_faults())
    assert [text for text in expected_texts if text not in faults] == []


@pytest.mark.slow
def test_the_restored_pipeline_is_healthy(chain: StatusChain) -> None:
    assert chain.find_faults() == []


@pytest.mark.slow
def test_a_new_stream_is_named_until_it_is_backfilled(
    chain: StatusChain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    set_stream(StreamEnabled=False)
    assert f"table: {names.TABLE} has no stream" in chain.find_faults()[0]
    set_stream(StreamEnabled=True, StreamViewType="NEW_AND_OLD_IMAGES")
    assert "which is no longer the table's stream" in "".join(chain.find_faults())
    aws("pipes").delete_pipe(Name=names.PIPE)
    recreate("07_pipe", "08_start_pipe")
    chain.poll()
    [fault] = chain.find_faults()
    assert fault.startswith(f"backfill: none was completed, but {names.TABLE} has items")
    assert backfill.main(["--checkpoint", str(tmp_path / "checkpoint.json")]) == 0
    for _ in range(3):
        chain.poll()
    assert chain.find_faults() == []


def set_stream(**specification: Any) -> None:
    aws("dynamodb").update_table(TableName=names.TABLE, StreamSpecification=specification)
