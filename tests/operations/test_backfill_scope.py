"""Scope of a backfill: a resource that was made again under its name is another one.

Found by killing a backfill, deleting the pipeline with its data and building it again: the backfill
resumed, exited with 0, and half of the items were missing from the new lake.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest

from local.core.server import Cloud
from local.services.registry import SERVICES
from operations.backfill import command
from operations.backfill.checkpoint import Checkpoint
from operations.backfill.completion import is_completed
from operations.backfill.scope import Scope, describe_scope
from operations.table import Table
from setup import names
from setup.lib.lake_identity import find_lake_id
from tests.support.laptop_cloud import aws, laptop
from tests.support.replay_fixture import delete_bucket, object_keys
from tests.support.whole_chain import create_pipeline, run_setup


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A laptop cloud with a chain, and orders that no change has brought into the lake."""
    with laptop(*SERVICES) as cloud:
        create_pipeline()
        for number in range(60):
            item = {"order_id": {"S": f"SO-{number}"}}
            aws("dynamodb").put_item(TableName=names.TABLE, Item=item)
        yield cloud


def describe_table() -> Table:
    return Table.describe(aws("dynamodb"), names.TABLE)


def current_scope() -> Scope:
    """Return the scope of a backfill that starts now."""
    return describe_scope(describe_table(), is_dry_run=False)


def differing_members(scope: Scope, other: Scope) -> set[str]:
    """Return the names of the members in which two scopes differ."""
    members = asdict(other)
    return {name for name, value in asdict(scope).items() if value != members[name]}


def recreate_bucket(cloud: Cloud) -> None:
    delete_bucket(cloud)
    run_setup("03_s3")


def recreate_kinesis(cloud: Cloud) -> None:
    aws("kinesis").delete_stream(StreamName=names.STREAM)
    run_setup("02_kinesis")


def recreate_firehose(cloud: Cloud) -> None:
    aws("firehose").delete_delivery_stream(DeliveryStreamName=names.DELIVERY)
    cloud.run_until_idle()
    run_setup("06_firehose")


def edit_bucket_policy(cloud: Cloud) -> None:
    aws("s3").delete_bucket_policy(Bucket=names.bucket())
    run_setup("03_s3")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (edit_bucket_policy, set()),
        (recreate_bucket, {"lake"}),
        (recreate_kinesis, {"kinesis_stream"}),
        (recreate_firehose, {"firehose_stream"}),
    ],
)
def test_a_recreated_resource_changes_the_scope(
    chain: Cloud, change: Callable[[Cloud], None], expected: set[str]
) -> None:
    before = current_scope()
    change(chain)
    assert differing_members(before, current_scope()) == expected


def test_a_dry_run_gives_the_lake_no_id(chain: Cloud) -> None:
    for key in object_keys(chain, names.LAKE_ID):
        aws("s3").delete_object(Bucket=names.bucket(), Key=key)
    assert command.main(["--dry-run"]) == 0
    assert find_lake_id() is None
    current_scope()
    assert find_lake_id() is not None


def test_a_backfill_does_not_resume_into_a_new_lake(
    chain: Cloud, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path_factory.mktemp("backfill") / "checkpoint.json"
    Checkpoint(current_scope(), sent=30).write(path)
    recreate_bucket(chain)
    assert command.main(["--checkpoint", str(path)]) == 1
    error = capsys.readouterr().err
    assert "belongs to another backfill (its lake is s3://" in error
    assert "remove the file to send every item again" in error
    path.unlink()
    assert command.main(["--checkpoint", str(path)]) == 0
    assert "sent 60 items" in capsys.readouterr().out
    assert not path.exists()
    stream = describe_table().require_stream()
    assert is_completed(stream)
    assert not is_completed(stream[:-1])
