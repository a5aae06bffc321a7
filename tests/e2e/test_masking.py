"""Masking on the whole chain: the lake never holds a masked value, and verify still proves it."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.core.server import Cloud
from local.services.aws_lambda.service import Lambda
from local.services.iam import Iam
from local.services.registry import SERVICES
from operations.replay import command as replay_command
from operations.table import Table
from operations.verify import command as verify_command
from operations.verify.compare import Comparison
from operations.verify.result import EQUAL
from setup import names
from setup.lib.masking import ensure_masking_key, fetch_masking
from tests.support.commands import run_json_command
from tests.support.iam_roles import make_role
from tests.support.laptop_cloud import aws, laptop
from tests.support.operator_fixture import policy_statements
from tests.support.setup_fixture import SCRIPTS, clear_location
from tests.support.whole_chain import failed_records, run_setup, run_verify
from transform import canonical_and_flattened

PERSON = "Ada Lovelace"
SCRIPTS_OF_THE_LAKE = [name for name in SCRIPTS if name[:2] not in ("09", "11", "12")]


@pytest.fixture(scope="module")
def chain() -> Iterator[Cloud]:
    """A chain that masks the customer, with one order."""
    rules = {"customer": {"name": "hash", "email": "drop"}}
    with (
        pytest.MonkeyPatch.context() as patch,
        laptop(*SERVICES) as cloud,
    ):
        patch.setattr(names, "MASKED", rules)
        clear_location()
        run_setup(*SCRIPTS_OF_THE_LAKE)
        results = {"OutputLocation": f"s3://{names.bucket()}/{names.QUERIES}"}
        aws("athena").create_work_group(
            Name=names.WORKGROUP, Configuration={"ResultConfiguration": results}
        )
        put_order(cloud, "SO-1", PERSON)
        yield cloud


def order(order_id: str, name: str) -> dict[str, dict[str, object]]:
    """Return an order of a customer."""
    customer = {"name": {"S": name}, "email": {"S": f"{name}@example.com"}, "id": {"S": "C-1"}}
    return {"order_id": {"S": order_id}, "customer": {"M": customer}}


def put_order(cloud: Cloud, order_id: str, name: str) -> None:
    """Put an order into the table, and wait until its change is delivered or has failed."""
    aws("dynamodb").put_item(TableName=names.TABLE, Item=order(order_id, name))
    cloud.run_until_idle()


def lake_keys() -> set[str]:
    """Return the keys of the lake's objects."""
    listing = aws("s3").list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE)
    return {entry["Key"] for entry in listing["Contents"]}


def lake_rows() -> list[dict[str, str | None]]:
    """Return every row of the lake."""
    bodies = [
        aws("s3").get_object(Bucket=names.bucket(), Key=key)["Body"].read() for key in lake_keys()
    ]
    return [json.loads(line) for body in bodies for line in gzip.decompress(body).splitlines()]


def test_the_lake_equals_the_masked_table(chain: Cloud) -> None:
    table = Table.describe(aws("dynamodb"), names.TABLE)
    result = Comparison(table, lambda _: pytest.fail("the first pass differs")).run()
    assert (result.status, result.table_items) == (EQUAL, 1)
    [row] = [row for row in lake_rows() if "SO-1" in str(row["cdc_key"])]
    image, columns = canonical_and_flattened(order("SO-1", PERSON), (), fetch_masking())
    assert row["cdc_new_image"] == image
    assert row["customer__name"] == columns["customer__name"] != PERSON
    assert row["customer__id"] == "C-1"
    assert "Ada" not in json.dumps(lake_rows())


@pytest.mark.slow
def test_a_repair_is_masked_once(chain: Cloud) -> None:
    """Also a verification's report of a difference shows no value that is masked."""
    before = lake_keys()
    put_order(chain, "SO-1", f"{PERSON} II")
    for key in lake_keys() - before:
        aws("s3").delete_object(Bucket=names.bucket(), Key=key)
    status, document = run_verify()
    assert (status, document["counts"]["different"]) == (1, 1)
    [difference] = document["differences"].values()
    assert difference["path"] == "customer.name"
    assert "Ada" not in json.dumps(document)
    run_json_command(verify_command.main, "--wait", "0", "--repair")
    chain.run_until_idle()
    assert run_verify()[0] == 0
    assert "Ada" not in json.dumps(lake_rows())


@pytest.mark.parametrize(
    ("command", "run"), [("verify", lambda: run_verify()[0]), ("status", ensure_masking_key)]
)
def test_operators_may_read_the_secret(
    chain: Cloud, monkeypatch: pytest.MonkeyPatch, command: str, run: Callable[[], int | None]
) -> None:
    role = make_role(f"who-may-{command}", "ec2", *policy_statements(command))
    create_client: Callable[..., Any] = boto3.client  # One overload for each service.

    def guarded_client(service: str) -> Any:
        client = create_client(service, config=Config())  # Not the cached one.
        if service != "sts":  # Everyone may call GetCallerIdentity.
            chain.service(Iam).guard_client(client, role, "ec2.amazonaws.com", {})
        return client

    monkeypatch.setattr(boto3, "client", guarded_client)
    assert not run()
    assert chain.service(Iam).denials() == []


@pytest.mark.slow
def test_without_its_key_no_record_is_delivered(chain: Cloud) -> None:
    manager = aws("secretsmanager")
    key = manager.get_secret_value(SecretId=names.MASKING_KEY)["SecretString"]
    manager.delete_secret(SecretId=names.MASKING_KEY, ForceDeleteWithoutRecovery=True)
    row_count = len(lake_rows())
    put_order(chain, "SO-2", PERSON)
    assert len(lake_rows()) == row_count + 1  # A running function has read the key.
    chain.service(Lambda).restart()
    put_order(chain, "SO-3", PERSON)
    assert len(lake_rows()) == row_count + 1
    [record] = failed_records(chain)
    assert PERSON in record.decode()  # The error store has originals.
    logs = aws("logs").filter_log_events(logGroupName=names.FUNCTION_LOGS)["events"]
    assert any("Secrets Manager can't find the specified secret" in log["message"] for log in logs)
    with redirect_stderr(io.StringIO()) as errors:
        assert verify_command.main(["--wait", "0"]) == 2
    fix = f"secret {names.MASKING_KEY} is missing: run python setup/05_lambda.py"
    assert fix in errors.getvalue()
    manager.create_secret(Name=names.MASKING_KEY, SecretString=key)
    _, document = run_json_command(replay_command.main, "--no-verify")
    assert document["replayed"] == 1
    chain.run_until_idle()
    assert run_verify()[0] == 0
    assert "Ada" not in json.dumps(lake_rows())
