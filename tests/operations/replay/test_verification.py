"""Verification at the end of a replay: keys whose state is older than the table's are named."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.core.server import Cloud
from operations.kinesis_writer import OutgoingRecord
from operations.replay import command, verification
from operations.replay.report import ReplayReport
from operations.replay.text_set import SentKeys
from operations.replay.verification import SentKeysResult
from operations.verify import command as verify_command
from operations.verify.damage import RESTORE
from operations.verify.result import VerifyResult
from setup import names
from tests.support.commands import Document, run_json_command
from tests.support.profile import sampled
from tests.support.replay_fixture import deploy, object_keys, redeploy
from tests.support.whole_chain import (
    create_pipeline,
    empty_chain,
    laptop_that_runs_in_waits,
    raising_function,
)


@pytest.fixture(scope="module")
def shared_chain() -> Iterator[Cloud]:
    """A chain on which waiting lets the cloud run."""
    with laptop_that_runs_in_waits(command) as cloud:
        create_pipeline()
        yield cloud


@pytest.fixture
def chain(shared_chain: Cloud) -> Cloud:
    """The chain, with an empty table and lake."""
    empty_chain(shared_chain)
    return shared_chain


def put_order(cloud: Cloud, order_id: str, version: int) -> None:
    """Put a version of an order, and run the cloud."""
    item = {"order_id": {"S": order_id}, "version": {"N": str(version)}}
    cloud.client("dynamodb").put_item(TableName=names.TABLE, Item=item)
    cloud.run_until_idle()


def fail_change(cloud: Cloud, order_id: str, version: int) -> None:
    """Put a version whose change ends in the error store."""
    deploy(cloud, raising_function())
    put_order(cloud, order_id, version)
    redeploy(cloud)


def lose_change(cloud: Cloud, order_id: str, version: int) -> None:
    """Put a version, and delete the object that brings it into the lake."""
    before = set(object_keys(cloud, names.LAKE))
    put_order(cloud, order_id, version)
    for key in set(object_keys(cloud, names.LAKE)) - before:
        cloud.client("s3").delete_object(Bucket=names.bucket(), Key=key)


def run_replay(*options: str) -> tuple[int, Document]:
    """Return the exit status and the verification of a replay."""
    status, document = run_json_command(command.main, *options)
    return status, document["verification"]


def canonical_key(order_id: str) -> str:
    return f'{{"order_id":{{"S":"{order_id}"}}}}'


@pytest.mark.slow
@pytest.mark.parametrize("last_version", sampled([1, 3], step=2))
def test_an_older_change_on_top_is_named(
    chain: Cloud, capsys: pytest.CaptureFixture[str], last_version: int
) -> None:
    """Regression: replay put an older state on top, and said that all was well.

    With version 1 as the last, the lake is right until what was replayed arrives.
    """
    order_id = f"late-{last_version}"
    put_order(chain, order_id, 1)
    fail_change(chain, order_id, 2)
    fail_change(chain, f"right-{last_version}", 1)
    lose_change(chain, order_id, last_version)
    assert command.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith(f"different  {canonical_key(order_id)}  version: table has ")
    assert lines[-1] == (
        "lake differs from table for 1 of 2 replayed keys: run python -m operations.verify --repair"
    )
    assert verify_command.main(["--repair"]) == 0


def test_a_replay_that_is_right_says_so(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    fail_change(chain, "right", 1)
    assert command.main([]) == 0
    output = capsys.readouterr()
    assert "until the replayed changes are in the lake" in output.err
    assert output.out.endswith("\nlake equals table for 1 replayed key\n")


def test_what_is_not_verified_is_not_called_right(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_change(chain, "unverified", 1)
    assert command.main(["--no-verify"]) == 0
    output = capsys.readouterr()
    assert output.err == ""
    assert output.out.endswith("\nwhat was sent is not verified: run python -m operations.verify\n")
    chain.run_until_idle()


@pytest.mark.slow
def test_too_early_a_look_finds_the_key_missing(chain: Cloud) -> None:
    fail_change(chain, "early", 1)
    status, document = run_replay("--wait", "0")
    assert (status, document["wrong"]) == (1, {"missing": [canonical_key("early")]})
    chain.run_until_idle()


@pytest.mark.slow
def test_many_keys_are_compared_with_the_whole_table(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verification, "MAX_KEYS", 1)
    fail_change(chain, "many-1", 1)
    fail_change(chain, "many-2", 1)
    lose_change(chain, "many-1", 2)
    lose_change(chain, "not-sent", 1)
    status, document = run_replay()
    assert (status, document["keys"]) == (1, 2)
    assert document["wrong"] == {"different": [canonical_key("many-1")]}
    assert verify_command.main(["--repair"]) == 0


@pytest.mark.slow
def test_a_failed_verification_reports_the_replay(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "TABLE", "absent")
    fail_change(chain, "reported", 1)
    assert command.main([]) == 1
    output = capsys.readouterr()
    assert "replayed 1 of 1 record" in output.out
    assert "run python setup/01_dynamodb.py" in output.err
    chain.run_until_idle()


@pytest.mark.slow
def test_a_damaged_object_is_named(chain: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    """Regression: the error of Athena's query was printed, without the object and the fix."""
    put_order(chain, "damaged", 1)
    [key] = object_keys(chain, names.LAKE)
    chain.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=b"no rows")
    fail_change(chain, "sent", 1)
    assert command.main([]) == 1
    output = capsys.readouterr()
    assert "replayed 1 of 1 record" in output.out
    assert f"Athena cannot read 1 object of the lake, such as {key} (" in output.err
    assert output.err.endswith(f"): {RESTORE}\n")


@pytest.mark.slow
def test_a_dry_run_verifies_nothing(chain: Cloud) -> None:
    fail_change(chain, "dry", 1)
    status, document = run_json_command(command.main, "--dry-run")
    assert (status, document["verification"]) == (0, None)
    assert run_replay()[0] == 0


@pytest.mark.parametrize(
    ("kinds", "status"),
    [([], 0), (["unsettled"], 2), (["missing"], 1), (["unsettled", "extra"], 1)],
)
def test_the_status_has_the_meaning_of_verify(kinds: list[str], status: int) -> None:
    result = SentKeysResult(3)
    with closing(SentKeys()) as sent_keys:
        list(sent_keys.note([OutgoingRecord("sent", b"")]))
        verify_result = VerifyResult()
        for kind in kinds:
            verify_result.keys[kind] += ["sent", "not sent"]
        result.add(verify_result, sent_keys)
    assert result.wrong_keys == {kind: ["sent"] for kind in kinds}
    assert ReplayReport(is_dry_run=False, verification=result).status == status


@given(st.lists(st.text(max_size=2)), st.integers(1, 5))
def test_sent_keys_are_a_set(keys: list[str], size: int) -> None:
    with closing(SentKeys()) as sent_keys:
        records = [OutgoingRecord(key, b"") for key in keys]
        assert list(sent_keys.note(records)) == records
        assert sent_keys.count == len(set(keys))
        batches = list(sent_keys.batches(size))
        assert [key for batch in batches for key in batch] == sorted(
            set(keys), key=lambda key: key.encode("utf-8", "surrogatepass")
        )
        assert all(1 <= len(batch) <= size for batch in batches)
        assert all(sent_keys.includes(key) for key in keys)
