"""Who runs the verbs on the laptop under the policy that setup prints for an operator."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

import boto3

from analytics import athena
from local.core.server import ACCOUNT, Cloud
from local.environment import REGION
from local.services.athena import Athena
from local.services.iam import Iam
from operations.backfill import __main__ as backfill
from operations.replay import __main__ as replay
from operations.replay import dead_letters
from operations.status import __main__ as status
from operations.verify import __main__ as verify
from tests.support.iam_roles import grant, make_role

names, operator_policy = map(import_module, ("setup.names", "setup.operator_policy"))

HERE = names.Location("aws", REGION, ACCOUNT)
OPERATOR = "operator"
Statements = list[dict[str, Any]]


def statements(*verbs: str) -> Statements:
    """Return what the policy for some verbs, or for all, says."""
    return operator_policy.build_policy(HERE, verbs or tuple(operator_policy.COMMANDS))["Statement"]


def actions(*verbs: str) -> set[str]:
    """Return the actions that it allows."""
    return {action for each in statements(*verbs) for action in each["Action"]}


class Operator:
    """Who runs the verbs under a policy; for each run there is something to do."""

    def __init__(self, cloud: Cloud, checkpoint: Path) -> None:
        self.cloud = cloud
        self.runs: dict[str, Callable[[], int]] = {
            "verify": lambda: verify.main(["--wait", "0"]),
            "gaps": lambda: verify.main(["--gaps"]),
            "repair": self._repair,
            "status": lambda: status.main([]),
            "backfill": lambda: backfill.main(["--checkpoint", str(checkpoint)]),
            "replay": self._replay,
            "interrupted gaps": self._interrupted,
        }
        self._write("small", "\1")
        self._write("large", "\1" * 200_000)
        cloud.run_until_idle()
        self._letter = self._received()[0]["Body"]

    def may(self, allowed: Statements) -> None:
        """Let the operator do this and nothing else."""
        grant(OPERATOR, *allowed)

    def lacks(self) -> list[str]:
        """Return what the operator was refused."""
        return [told.partition(": ")[0] for told in self.cloud.service(Iam).denials()]

    def _repair(self) -> int:
        """Repair an order of which the lake does not know yet."""
        self._write("new", "\1")
        return verify.main(["--repair", "--wait", "0"])

    def _replay(self) -> int:
        """Replay an error object and a dead letter; of each a part can go, and a part cannot."""
        sqs, queue = self.cloud.client("sqs"), self._queue()
        for message in self._received():
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        letter = json.loads(self._letter)
        letter["DDBStreamBatchInfo"] |= {"startSequenceNumber": f"{1:021}", "batchSize": 3}
        sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(letter))
        self._fail("errors/x/whole", change())
        self._fail("errors/x/part", change(), b"no change")
        return replay.main([])

    def _fail(self, key: str, *records: bytes) -> None:
        """Put an error object into the bucket."""
        body = b"\n".join(map(document, records))
        self.cloud.client("s3").put_object(Bucket=names.bucket(), Key=key, Body=body)

    def _interrupted(self) -> int:
        """Look for gaps, and give up while Athena is busy with something else."""
        free = Event()
        self.cloud.service(Athena)._executions._worker.submit(free.wait)
        try:
            with patch.object(athena.time, "sleep", interrupt):
                return verify.main(["--gaps"])
        finally:
            free.set()

    def _write(self, order: str, note: str) -> None:
        item = {"order_id": {"S": order}, "note": {"S": note}}
        self.cloud.client("dynamodb").put_item(TableName=names.TABLE, Item=item)

    def _queue(self) -> str:
        sqs = self.cloud.client("sqs")
        return sqs.get_queue_url(QueueName=names.DEAD_LETTERS)["QueueUrl"]

    def _received(self) -> list[dict[str, Any]]:
        wanted = {"QueueUrl": self._queue(), "MaxNumberOfMessages": 10, "VisibilityTimeout": 0}
        return self.cloud.client("sqs").receive_message(**wanted).get("Messages", [])


def interrupt(_: float) -> None:
    raise KeyboardInterrupt


def change() -> bytes:
    """Return a stream record that the transform accepts."""
    key = {"order_id": {"S": "failed"}}
    told = {"ApproximateCreationDateTime": 1_800_000_000, "Keys": key, "NewImage": key}
    return json.dumps(
        {
            "eventID": "1",
            "eventName": "INSERT",
            "eventSourceARN": HERE.arn("dynamodb", "table/t/stream/2026-01-01T00:00:00.000"),
            "dynamodb": {**told, "SequenceNumber": "1" * 21},
        }
    ).encode()


def document(record: bytes) -> bytes:
    """Return what Firehose writes of a record that failed."""
    raw = base64.b64encode(record).decode()
    return json.dumps({"errorCode": "Lambda.FunctionError", "rawData": raw}).encode()


@contextmanager
def an_operator(cloud: Cloud, checkpoint: Path) -> Iterator[Operator]:
    """Yield an operator of the pipeline on a cloud: on an instance, say, that has a role."""
    role, iam, make = make_role(OPERATOR, "ec2", *statements()), cloud.service(Iam), boto3.client

    @cache
    def guarded(service: str) -> Any:
        client = make(service)
        if service != "sts":  # Who one is, everybody may ask.
            iam.guard_client(client, role, "ec2.amazonaws.com", {})
        return client

    def client(service: str, **options: Any) -> Any:
        return make(service, **options) if options else guarded(service)

    operates = Operator(cloud, checkpoint)
    with patch.object(dead_letters, "WAIT", 0), patch.object(boto3, "client", client):
        yield operates


def reduced(allowed: Statements, *actions: str) -> Iterator[dict[str, Any]]:
    """Yield the statements without some actions; one that allows nothing else goes as a whole."""
    for statement in allowed:
        if left := [each for each in statement["Action"] if each not in actions]:
            yield {**statement, "Action": left}
