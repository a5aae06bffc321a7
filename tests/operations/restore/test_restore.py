"""Restore on the laptop chain: deleted and damaged objects come back with their history."""

import gzip
from collections.abc import Callable

import pytest

from local.core.server import Cloud
from operations.lake_objects import DELETED, DamagedObject, LakeVersions
from operations.restore import command
from operations.verify import command as verify_command
from setup import names
from tests.support.commands import Document, run_json_command
from tests.support.laptop_cloud import aws
from tests.support.replay_fixture import object_keys, read_object
from tests.support.whole_chain import empty_chain

Damage = Callable[[str], None]


@pytest.fixture
def chain(shared_chain: Cloud) -> Cloud:
    """The chain, with an empty table and lake."""
    empty_chain(shared_chain)
    return shared_chain


def put_versions(cloud: Cloud, order_id: str) -> list[str]:
    """Put three versions of an order, each in an object of its own, and return their keys."""
    keys: list[str] = []
    for version in range(3):
        before = set(object_keys(cloud, names.LAKE))
        item = {"order_id": {"S": order_id}, "version": {"N": str(version)}}
        aws("dynamodb").put_item(TableName=names.TABLE, Item=item)
        cloud.run_until_idle()
        keys += set(object_keys(cloud, names.LAKE)) - before
    assert len(keys) == 3
    return keys


def overwrite(key: str, content: bytes) -> None:
    aws("s3").put_object(Bucket=names.bucket(), Key=key, Body=content)


def delete(key: str) -> None:
    aws("s3").delete_object(Bucket=names.bucket(), Key=key)


def truncate(key: str) -> None:
    body = aws("s3").get_object(Bucket=names.bucket(), Key=key)["Body"].read()
    overwrite(key, body[:-9])


def overwrite_twice_and_delete(key: str) -> None:
    overwrite(key, b"damaged once")
    overwrite(key, b"damaged twice")
    delete(key)


def run_restore(*options: str) -> tuple[int, Document]:
    return run_json_command(command.main, *options)


def find_damaged(cloud: Cloud) -> list[DamagedObject]:
    return list(LakeVersions(cloud.client("s3"), names.bucket()).find_damaged())


def gap_status() -> int:
    return verify_command.main(["--gaps"])


DAMAGES: tuple[tuple[Damage, str], ...] = (
    (delete, DELETED),
    (overwrite_twice_and_delete, DELETED),
    (truncate, "cannot be decompressed: "),
    (lambda key: overwrite(key, b"not gzip"), "cannot be decompressed: "),
    (lambda key: overwrite(key, b""), "has no rows"),
    (lambda key: overwrite(key, gzip.compress(b"")), "has no rows"),
    (lambda key: overwrite(key, gzip.compress(b"{}\n[]\n")), "line 2 is not a JSON object"),
    (lambda key: overwrite(key, gzip.compress(b"\xff\n")), "line 1 is not a JSON object"),
)


@pytest.mark.slow
def test_restored_objects_bring_their_history_back(chain: Cloud) -> None:
    keys = [put_versions(chain, f"SO-{number}")[1] for number in range(len(DAMAGES))]
    contents = [read_object(chain, key) for key in keys]
    assert find_damaged(chain) == []
    for key, (damage, _) in zip(keys, DAMAGES, strict=True):
        damage(key)
    damaged_objects = find_damaged(chain)
    problems = {entry.key: entry.problem for entry in damaged_objects}
    assert problems.keys() == set(keys)
    for key, (_, problem) in zip(keys, DAMAGES, strict=True):
        assert problems[key].startswith(problem)

    number = len(DAMAGES)
    status, document = run_restore("--dry-run")
    assert (status, document["found"], document["restored"]) == (0, number, 0)
    assert find_damaged(chain) == damaged_objects

    status, document = run_restore()
    assert (status, document["found"], document["restored"]) == (0, number, number)
    assert [read_object(chain, key) for key in keys] == contents
    assert verify_command.main([]) == 0
    assert gap_status() == 0
    assert run_restore() == (0, {**document, "found": 0, "restored": 0, "objects": []})


@pytest.mark.slow
def test_the_repair_of_a_lost_object_does_not_hide_it(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    """A repair restores the state only; restore brings the history back later, too."""
    _, second, third = put_versions(chain, "repaired")
    delete(second)
    delete(third)
    assert verify_command.main(["--repair"]) == 0
    capsys.readouterr()
    assert command.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines[:-1]] == sorted([second, third])
    assert lines[-1].startswith("restored 2 of 2 objects; run python -m operations.verify --gaps")
    assert verify_command.main([]) == 0
    assert gap_status() == 0


@pytest.mark.slow
def test_an_object_without_a_good_version_is_named(
    chain: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    key = f"{names.LAKE}dt=2026-11-28/stray.gz"
    overwrite(key, b"never was good")
    assert command.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{key}  cannot be decompressed: ")
    assert lines[0].endswith("then run python -m operations.verify --repair")
    assert lines[1] == "restored 0 of 1 object; 1 has no good version"
    chain.client("s3").delete_object(Bucket=names.bucket(), Key=key)
    # The versions of an object that is deleted on purpose are deleted, too.
    response = chain.client("s3").list_object_versions(Bucket=names.bucket(), Prefix=key)
    for entry in [*response["Versions"], *response["DeleteMarkers"]]:
        aws("s3").delete_object(Bucket=names.bucket(), Key=key, VersionId=entry["VersionId"])
    assert find_damaged(chain) == []


def test_an_object_of_firehose_is_read_on_demand(chain: Cloud) -> None:
    name = f"{names.DELIVERY}-1-2026-11-28-10-20-30-{'0a1b2c3d' * 4}-abc.gz"
    key = f"{names.LAKE}dt=2026-11-28/{name}"
    overwrite(key, b"not gzip")
    assert find_damaged(chain) == []
    assert run_restore("--read-all", "--dry-run")[1]["found"] == 1
    assert run_restore("--read-all", "--dry-run", "--prefix", "lake/dt=2026-11-27/")[0] == 0
    delete(key)
    assert run_restore("--dry-run", "--prefix", "lake/dt=2026-11-28/")[1]["lost"] == 1
    [version, marker] = [
        entry["VersionId"]
        for kind in ("Versions", "DeleteMarkers")
        for entry in aws("s3").list_object_versions(Bucket=names.bucket(), Prefix=key)[kind]
    ]
    for version_id in (version, marker):
        aws("s3").delete_object(Bucket=names.bucket(), Key=key, VersionId=version_id)


@pytest.mark.parametrize(("name", "content"), [("_SUCCESS", b"x"), (".hidden", b"x"), ("", b"")])
def test_what_athena_ignores_is_not_damaged(chain: Cloud, name: str, content: bytes) -> None:
    overwrite(f"{names.LAKE}dt=2026-11-28/{name}", content)
    assert find_damaged(chain) == []


@pytest.mark.slow
def test_a_killed_restore_reports_what_it_did(
    chain: Cloud, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = put_versions(chain, "killed")
    for key in keys:
        delete(key)
    restore = LakeVersions.restore

    def restore_two(versions: LakeVersions, damaged_object: DamagedObject) -> None:
        if damaged_object.key == max(keys):
            raise KeyboardInterrupt
        restore(versions, damaged_object)

    with monkeypatch.context() as patch_context:
        patch_context.setattr(LakeVersions, "restore", restore_two)
        assert command.main([]) == 130
    assert "restored 2 of 2 objects" in capsys.readouterr().out
    assert run_restore()[1]["restored"] == 1
    assert verify_command.main([]) == 0


@pytest.mark.parametrize("arguments", [["--prefix", "errors/"], ["x"], ["--prefix"]])
def test_invalid_arguments_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        command.main(arguments)
