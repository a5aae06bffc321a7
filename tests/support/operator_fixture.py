"""Operator session: the commands of operations/ on the laptop, under the policy of setup."""

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3

from local.core.server import ACCOUNT, Cloud
from local.environment import REGION
from local.services.athena import Athena
from local.services.iam import Iam
from operations.backfill import command as backfill
from operations.compact import command as compact
from operations.compact import compaction
from operations.erase import command as erase
from operations.plan import command as plan
from operations.rates import command as rates
from operations.replay import command as replay
from operations.replay import dead_letters, kinesis_reader
from operations.restore import command as restore
from operations.status import command as status
from operations.verify import command as verify
from setup import names, operator_policy
from setup.lib import drift
from setup.lib.copy_tables import COPIED_UNTIL_PARAMETER, json_parameters
from setup.lib.views import TABLE_MEMBERS
from tests.support.iam_roles import Statement, grant, make_role
from tests.support.laptop_cloud import create_table
from tests.support.service_model import violations

if TYPE_CHECKING:
    from botocore.model import OperationModel
    from types_boto3_sqs.type_defs import MessageTypeDef

HERE = names.Location("aws", REGION, ACCOUNT)
OPERATOR = "operator"


def policy_statements(*commands: str) -> list[Statement]:
    """Return the policy's statements for some commands, or for all."""
    policy = operator_policy.build_policy(HERE, commands or tuple(operator_policy.COMMANDS))
    statements: list[Statement] = policy["Statement"]
    return statements


def policy_actions(*commands: str) -> set[str]:
    """Return the actions that the policy for some commands, or for all, allows."""
    return {action for statement in policy_statements(*commands) for action in statement["Action"]}


def without_actions(statements: Iterable[Statement], *actions: str) -> Iterator[Statement]:
    """Yield the statements without some actions; a statement that would be empty is left out."""
    for statement in statements:
        kept_actions = [action for action in statement["Action"] if action not in actions]
        if kept_actions:
            yield {**statement, "Action": kept_actions}


class Operator:
    """A user of the commands; `runs` starts each of them with work to do."""

    def __init__(self, cloud: Cloud, checkpoint: Path) -> None:
        self.cloud = cloud
        self.violations: list[str] = []
        self._numbers = count(1)
        self.runs: dict[str, Callable[[], int]] = {
            "verify": lambda: verify.main(["--wait", "0"]),
            "gaps": self._gaps,
            "repair": self._repair,
            "status": lambda: status.main([]),
            "backfill": lambda: self._backfill(checkpoint),
            "replay": self._replay,
            "restore": self._restore,
            "compact": self._compact,
            "restore-table": self._restore_table,
            "restore-items": self._restore_items,
            "erase": self._erase,
            "plan": lambda: plan.main(["--from-metrics"]),
            "rates": lambda: self._upload_rates(checkpoint.with_name("rates.csv")),
            "interrupted gaps": self._interrupt_gaps,
        }
        self._put_order("small", "\1")
        self._put_order("large", "\1" * 200_000)
        cloud.run_until_idle()
        self._letter = self._receive_letters()[0]["Body"]

    def check_request(self, params: dict[str, Any], model: "OperationModel", **_: object) -> None:
        """Record where a call's parameters violate its service's model."""
        if model.input_shape:
            problems = violations(params, model.input_shape)
            self.violations += [f"{model.name}{problem}" for problem in problems]

    def allow_only(self, statements: Sequence[Statement]) -> None:
        """Replace the operator's policy."""
        grant(OPERATOR, *statements)

    def denials(self) -> list[str]:
        """Return the actions that IAM has denied, each as `role X lacks Y`."""
        return [denial.partition(": ")[0] for denial in self.cloud.service(Iam).denials()]

    def _compact(self) -> int:
        """Copy two days one after the other, gather their parts, and delete what no table has."""
        glue = self.cloud.client("glue")
        table: Any = glue.get_table(DatabaseName=names.DATABASE, Name=names.RECENT)["Table"]
        table["Parameters"] |= json_parameters(names.FIRST_DAY)
        table["Parameters"].pop(COPIED_UNTIL_PARAMETER, None)
        table_input = {member: table[member] for member in TABLE_MEMBERS if member in table}
        glue.update_table(DatabaseName=names.DATABASE, TableInput=table_input)
        with patch.object(compaction, "KEPT_FOR", timedelta(0)):
            return max(self._compact_day(next(self._numbers)) for _ in range(2))

    def _compact_day(self, number: int) -> int:
        day = date.fromisoformat(names.FIRST_DAY) + timedelta(days=number)
        key = f"{names.LAKE}dt={day}/rows.json"
        row = {"cdc_operation": "REMOVE", "cdc_key": '{"order_id":{"S":"old"}}'}
        change = json.loads(change_record())
        row |= {"cdc_source": change["eventSourceARN"], "cdc_sequence": f"{number:040}"}
        row |= {"cdc_event_id": f"{number}", "cdc_changed_at": f"{day} 00:00:00.000"}
        body = json.dumps(row).encode()
        self.cloud.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=body)
        return compact.main(["--rebuild"])  # Other runs may have left an object deleted.

    def _gaps(self) -> int:
        """Find a gap, which is in an object that Firehose did not write."""
        change = json.loads(change_record())
        row = {
            "cdc_operation": "MODIFY",
            "cdc_key": '{"order_id":{"S":"gap"}}',
            "cdc_source": change["eventSourceARN"],
            "cdc_sequence": change["dynamodb"]["SequenceNumber"],
            "cdc_event_id": change["eventID"],
            "cdc_changed_at": "2026-11-29 10:00:00.000",
            "cdc_old_image": '{"order_id":{"S":"gap"}}',
        }
        self._put_row("2026-11-29", row)
        return verify.main(["--gaps"])

    def _repair(self) -> int:
        """Repair an order that has not reached the lake, while other changes have failed."""
        self._put_failed_changes()
        self._put_order(f"new-{next(self._numbers)}", "\1")
        return verify.main(["--repair", "--wait", "0"])

    def _backfill(self, checkpoint: Path) -> int:
        """Run a backfill from its beginning into a lake that has no id yet."""
        checkpoint.unlink(missing_ok=True)
        s3 = self.cloud.client("s3")
        response = s3.list_objects_v2(Bucket=names.bucket(), Prefix=names.LAKE_ID)
        for entry in response.get("Contents", ()):
            s3.delete_object(Bucket=names.bucket(), Key=entry["Key"])
        return backfill.main(["--checkpoint", str(checkpoint)])

    def _upload_rates(self, path: Path) -> int:
        path.write_text("date,currency,rate\n2026-11-23,USD,0.8672\n")
        return rates.main([str(path), "--currency", "EUR"])

    def _replay(self) -> int:
        """Replay two error objects and a dead letter; a part of each cannot be replayed."""
        self._put_failed_changes()
        status = replay.main(["--from-kinesis", "1h", "--no-verify"])
        return max(status, replay.main(["--wait", "0"]))

    def _put_failed_changes(self) -> None:
        sqs = self.cloud.client("sqs")
        queue_url = self._queue_url()
        # Also letters that a denied command has locked; AWS purges at most once a minute.
        with patch("moto.sqs.models.sqs_enforce_strict_queue_purge_behaviour", lambda: False):
            sqs.purge_queue(QueueUrl=queue_url)
        letter = json.loads(self._letter)
        letter["DDBStreamBatchInfo"] |= {"startSequenceNumber": f"{1:021}", "batchSize": 3}
        sqs.send_message(QueueUrl=queue_url, MessageBody=json.dumps(letter))
        self._put_error_object("errors/x/whole", change_record())
        self._put_error_object("errors/x/part", change_record(), b"not a change")

    def _restore(self) -> int:
        """Restore an object that was deleted."""
        s3 = self.cloud.client("s3")
        key = f"{names.LAKE}dt=2026-11-29/deleted.json"
        s3.put_object(Bucket=names.bucket(), Key=key, Body=b"{}\n")
        s3.delete_object(Bucket=names.bucket(), Key=key)
        return restore.main([])

    def _restore_table(self) -> int:
        """Restore an item into another table, once a moment ago may be in flight."""
        table = f"{names.TABLE}-restored-{next(self._numbers)}"
        create_table(self.cloud.client("dynamodb"), table, {"order_id": "S"})
        return self._restore_as_of("--table", table)

    def _restore_items(self) -> int:
        """Restore an item into the table itself."""
        return self._restore_as_of("--table", names.TABLE, "--yes")

    def _erase(self) -> int:
        """Erase an item that is in the lake and in an error object, while others have failed."""
        self._put_failed_changes()
        change = json.loads(change_record())
        row = {
            "cdc_operation": "REMOVE",
            "cdc_key": '{"order_id":{"S":"failed"}}',
            "cdc_source": change["eventSourceARN"],
            "cdc_sequence": "2".rjust(40, "0"),
            "cdc_event_id": change["eventID"],
            "cdc_changed_at": "2026-11-28 10:00:00.000",
            "cdc_old_image": '{"order_id":{"S":"failed"}}',
        }
        self._put_row("2026-11-28", row)
        self._restore()  # So that no object is deleted.
        self.cloud.run_until_idle()  # Erase waits for tombstones of earlier runs.
        return erase.main(["--key", row["cdc_key"]])

    def _restore_as_of(self, *arguments: str) -> int:
        self._put_failed_changes()
        change = json.loads(change_record())
        key = f'{{"order_id":{{"S":"old-{next(self._numbers)}"}}}}'
        row = {
            "cdc_operation": "INSERT",
            "cdc_key": key,
            "cdc_source": change["eventSourceARN"],
            "cdc_sequence": change["dynamodb"]["SequenceNumber"],
            "cdc_event_id": change["eventID"],
            "cdc_changed_at": "2026-11-28 10:00:00.000",
            "cdc_new_image": key,
        }
        self._put_row("2026-11-28", row)
        options = [*arguments, "--key", key]
        recent_status = restore.main(["--as-of", "1m", *options])  # It may be in flight.
        return max(recent_status, restore.main(["--as-of", "2026-11-28T12:00", *options]))

    def _put_row(self, day: str, row: dict[str, str]) -> None:
        key = f"{names.LAKE}dt={day}/row-{next(self._numbers)}.json"
        self.cloud.client("s3").put_object(
            Bucket=names.bucket(), Key=key, Body=f"{json.dumps(row)}\n".encode()
        )

    def _put_error_object(self, key: str, *records: bytes) -> None:
        body = b"\n".join(map(error_document, records))
        self.cloud.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=body)

    def _interrupt_gaps(self) -> int:
        """Interrupt `verify --gaps` while Athena is busy with other queries."""
        is_released = Event()
        threads = self.cloud.service(Athena)._executions._threads
        for _ in range(threads._max_workers):
            threads.submit(is_released.wait)
        try:
            with patch("analytics.athena.time.sleep", _raise_interrupt):
                return verify.main(["--gaps"])
        finally:
            is_released.set()

    def _put_order(self, order_id: str, note: str) -> None:
        item = {"order_id": {"S": order_id}, "note": {"S": note}}
        self.cloud.client("dynamodb").put_item(TableName=names.TABLE, Item=item)

    def _queue_url(self) -> str:
        sqs = self.cloud.client("sqs")
        url: str = sqs.get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]
        return url

    def _receive_letters(self) -> list["MessageTypeDef"]:
        response = self.cloud.client("sqs").receive_message(
            QueueUrl=self._queue_url(), MaxNumberOfMessages=10, VisibilityTimeout=0
        )
        messages: list[MessageTypeDef] = response.get("Messages", [])
        return messages


def change_record() -> bytes:
    """Return a stream record that the transform accepts."""
    key = {"order_id": {"S": "failed"}}
    return json.dumps(
        {
            "eventID": "1",
            "eventName": "INSERT",
            "eventSourceARN": HERE.arn("dynamodb", "table/t/stream/2026-01-01T00:00:00.000"),
            "dynamodb": {
                "ApproximateCreationDateTime": 1_800_000_000,
                "Keys": key,
                "NewImage": key,
                "SequenceNumber": "1" * 21,
            },
        }
    ).encode()


def error_document(record: bytes) -> bytes:
    """Return the document that Firehose writes for a failed record."""
    raw = base64.b64encode(record).decode()
    return json.dumps({"errorCode": "Lambda.FunctionError", "rawData": raw}).encode()


@contextmanager
def operator_session(cloud: Cloud, checkpoint: Path) -> Iterator[Operator]:
    """Yield an operator whose clients have a role, as on an EC2 instance."""
    iam = cloud.service(Iam)
    role = make_role(OPERATOR, "ec2", *policy_statements())
    create_client: Callable[..., Any] = boto3.client  # one overload for each service

    # The dry run of status has a session of its own, whose clients cannot change anything.
    @cache
    def guarded_client(service: str, _: boto3.Session | None) -> Any:
        client = create_client(service)
        if service != "sts":  # Everyone may call GetCallerIdentity.
            iam.guard_client(client, role, "ec2.amazonaws.com", {})
        client.meta.events.register("before-parameter-build", operator.check_request)
        return client

    def client(service: str, **options: Any) -> Any:
        if options:
            return create_client(service, **options)
        return guarded_client(service, boto3.DEFAULT_SESSION)

    operator = Operator(cloud, checkpoint)
    dry_run_session = drift.DryRunSession()
    with (
        patch.object(dead_letters, "WAIT_SECONDS", 0),
        patch.object(kinesis_reader, "PAUSE", 0),
        patch.object(boto3, "client", client),
        patch.object(drift, "DryRunSession", lambda: dry_run_session),
    ):
        yield operator


def _raise_interrupt(_: float) -> None:
    raise KeyboardInterrupt
