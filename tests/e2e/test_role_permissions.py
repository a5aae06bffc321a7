"""Every right that setup gives to a role: without it something fails, and says what is missing."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import count
from typing import Any

import pytest

from local.core.server import ACCOUNT, Cloud
from local.demo import ScriptFailed, run
from local.diagnostics import find_problems
from local.environment import REGION
from local.services.iam.enforcement import denials
from local.services.registry import SERVICES
from tests.support.iam_roles import policy
from tests.support.laptop_cloud import laptop
from tests.support.operator_fixture import (
    OPERATOR,
    Operator,
    actions,
    an_operator,
    operator_policy,
    reduced,
)
from tests.support.operator_fixture import statements as operator_statements
from tests.support.whole_chain import verified

names, policies = map(import_module, ("setup.names", "setup.lib.iam_policies"))

HERE = names.Location("aws", REGION, ACCOUNT)
RIGHTS = policies.rights(HERE)
# AWS's guides want these in the roles, and do not say what fails without them: nothing does here.
UNUSED = {
    "pipe": {"kinesis:PutRecord"},
    "firehose": {
        *("lambda:GetFunctionConfiguration", "s3:AbortMultipartUpload", "s3:GetObject"),
        *("s3:ListBucket", "s3:ListBucketMultipartUploads"),
    },
    "lambda": set(),
    "crawler": {
        *("glue:GetTables", "glue:GetPartition", "glue:GetPartitions", "glue:CreatePartition"),
        "glue:BatchUpdatePartition",  # The call needs the right to UpdatePartition.
    },
}
LEAP = 15  # seconds; most of the cloud's own waits are for the next look into Kinesis
EVERY = [
    (role, action)
    for role, rights in RIGHTS.items()
    for statement in rights["Statement"]
    for action in statement["Action"]
    if action not in UNUSED[role]
]


class Chain:
    """The pipeline as setup built it, and the smallest piece of work in which a role acts."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._numbers = count(1)
        self._pieces: dict[str, Callable[[], None]] = {
            "pipe": self._restarted_pipe,
            "firehose": self._second_delivery,
            "lambda": self._new_process,
            "crawler": self._crawl,
        }

    def use(self, role: str) -> None:
        """Do what takes every right of a role, until it is done or the role is refused."""
        self._pieces[role]()
        self.run_until_idle()

    def run_until_idle(self) -> None:
        """Let the cloud move until it rests, or until a role is refused."""
        while not self.denials():
            if self.cloud.tick():
                continue
            due = [
                at for service in self.cloud.services if (at := service.next_due_at()) is not None
            ]
            if not due:
                return
            self.cloud.clock.advance(max(min(due) - self.cloud.clock.now(), LEAP))

    def denials(self) -> list[str]:
        """Return what the roles were refused."""
        return denials(self.cloud.client("iam"))

    @contextmanager
    def without(self, role: str, *actions: str) -> Iterator[None]:
        """Take actions away from a role for a while."""
        self._grant(role, *reduced(RIGHTS[role]["Statement"], *actions))
        try:
            yield
        finally:
            self._grant(role, *RIGHTS[role]["Statement"])
            self._running_pipe()
            self.run_until_idle()

    @contextmanager
    def distrusting(self, role: str) -> Iterator[None]:
        """Let a role trust another service than its own for a while."""
        self._trust(role, policies.trust("ec2"))
        try:
            yield
        finally:
            self._trust(role, policies.trusts(HERE)[role])
            self._running_pipe()
            self.run_until_idle()

    def _trust(self, role: str, trusted: dict[str, Any]) -> None:
        iam, name = self.cloud.client("iam"), HERE.role_name(role)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trusted))

    def _grant(self, role: str, *statements: dict[str, Any]) -> None:
        where = {"RoleName": HERE.role_name(role), "PolicyName": names.PIPELINE}
        iam = self.cloud.client("iam")
        iam.put_role_policy(**where, PolicyDocument=policy(*statements))

    def _running_pipe(self) -> None:
        pipes = self.cloud.client("pipes")
        if pipes.describe_pipe(Name=names.PIPE)["CurrentState"] != "RUNNING":
            pipes.start_pipe(Name=names.PIPE)

    def _change(self) -> None:
        item = {"order_id": {"S": f"SO-{next(self._numbers)}"}}
        self.cloud.client("dynamodb").put_item(TableName=names.TABLE, Item=item)

    def _restarted_pipe(self) -> None:
        pipes = self.cloud.client("pipes")
        pipes.stop_pipe(Name=names.PIPE)
        pipes.start_pipe(Name=names.PIPE)
        self._change()

    def _second_delivery(self) -> None:
        """Make another stream like the one that there is, which begins to read, and remove it."""
        firehose = self.cloud.client("firehose")
        other = {"DeliveryStreamName": "other"}
        with suppress(firehose.exceptions.InvalidArgumentException):
            firehose.create_delivery_stream(**other, **delivery())
            firehose.delete_delivery_stream(**other)
        poison = {"Data": b"no change", "PartitionKey": "x"}  # Its failure is worth a log line.
        self.cloud.client("kinesis").put_record(StreamName=names.STREAM, **poison)
        self._change()

    def _new_process(self) -> None:
        functions = self.cloud.client("lambda")
        with suppress(functions.exceptions.InvalidParameterValueException):
            functions.update_function_configuration(FunctionName=names.FUNCTION, Timeout=60)
        self._change()

    def _crawl(self) -> None:
        """Let the crawler find a day and a column that it does not know."""
        number = next(self._numbers)
        location = {"Bucket": HERE.bucket(), "Key": f"{names.LAKE}dt=2020-01-01-{number}/x"}
        row = f'{{"found_{number}": "x"}}\n'.encode()
        self.cloud.client("s3").put_object(**location, Body=row)
        self.cloud.client("glue").start_crawler(Name=names.CRAWLER)


def delivery() -> dict[str, Any]:
    """Return what setup gives to CreateDeliveryStream."""
    role, stream = HERE.role_arn("firehose"), HERE.arn("kinesis", f"stream/{names.STREAM}")
    destination = import_module("setup.06_firehose").destination(role, HERE.bucket_arn())
    return {
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {"KinesisStreamARN": stream, "RoleARN": role},
        "ExtendedS3DestinationConfiguration": destination,
    }


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """The pipeline as setup makes it."""
    with laptop(*SERVICES) as cloud:
        run(cloud, "setup")
        yield Chain(cloud)


def test_the_chain_asks_for_no_right_that_setup_does_not_give(chain: Chain) -> None:
    for role in RIGHTS:
        chain.use(role)
    assert chain.denials() == []


@pytest.mark.parametrize(("role", "action"), EVERY)
def test_without_a_right_its_role_is_named_and_what_it_lacks(
    chain: Chain, role: str, action: str
) -> None:
    with chain.without(role, action):
        chain.use(role)
        told = [each for each in find_problems(chain.cloud) if each.startswith("role ")]
    lacked = [each.partition(": ")[0] for each in told]
    assert lacked == [f"role {HERE.role_name(role)} lacks {action}"]


@pytest.mark.parametrize("role", [role for role, unused in UNUSED.items() if unused])
def test_without_the_rights_that_nothing_uses_nothing_is_lacking(chain: Chain, role: str) -> None:
    with chain.without(role, *UNUSED[role]):
        chain.use(role)
        assert chain.denials() == []


@pytest.mark.parametrize("role", RIGHTS)
def test_a_role_that_does_not_trust_its_service_is_named(chain: Chain, role: str) -> None:
    with chain.distrusting(role):
        chain.use(role)
        (told,) = chain.denials()
    assert told.startswith(f"role {HERE.role_name(role)} lacks sts:AssumeRole: ")


def test_every_statement_allows_something_that_a_part_does() -> None:
    for role, rights in RIGHTS.items():
        for statement in rights["Statement"]:
            assert set(statement["Action"]) - UNUSED[role], statement


def test_a_script_that_fails_for_want_of_a_right_is_told_which(chain: Chain) -> None:
    lacks = f"role {HERE.role_name('crawler')} lacks s3:ListBucket: "
    with chain.without("crawler", "s3:ListBucket"), pytest.raises(ScriptFailed, match=lacks):
        run(chain.cloud, "setup/10_glue.py", "--crawl")


def test_what_was_refused_for_a_while_arrives_when_it_is_allowed(chain: Chain) -> None:
    for action in ("kinesis:PutRecords", "kms:GenerateDataKey"):
        with chain.without("pipe", action):
            chain.use("pipe")
    for action in ("kinesis:GetRecords", "kms:Decrypt", "s3:PutObject", "lambda:InvokeFunction"):
        with chain.without("firehose", action):
            chain.use("firehose")
    status, verdict = verified()
    assert (status, verdict["equal"]) == (0, True)


# Who operates the pipeline.


@pytest.fixture(scope="module")
def operator(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """Whoever runs the verbs, under a role of their own."""
    checkpoint = tmp_path_factory.mktemp("backfill") / "checkpoint.json"
    with an_operator(chain.cloud, checkpoint) as operates:
        yield operates


# Athena acts as whoever asks it, says AWS; the laptop's asks for no rights of its own.
ATHENA = {
    *("glue:GetDatabase", "glue:GetTable", "glue:GetPartitions", "s3:GetBucketLocation"),
    *("s3:ListBucket", "s3:PutObject", "s3:AbortMultipartUpload"),
}
VERBS = tuple(operator_policy.VERBS)
UNSEEN = {verb: ATHENA if verb in ("verify", "gaps", "repair") else set() for verb in VERBS}
# In the order of how soon a verb has asked.
ASKED = {
    action: verb
    for verb in ("repair", "replay", "status", "verify", "gaps", "backfill")
    for action in sorted(actions(verb) - UNSEEN[verb])
}
INTERRUPTED = {"athena:StopQueryExecution": "interrupted gaps"}
# Status goes on where it is refused: all is taken from it at once but what it would ask later.
LATER = {
    *("cloudwatch:GetMetricData", "sqs:GetQueueAttributes", "kms:Decrypt"),
    *("kinesis:ListShards", "kinesis:GetShardIterator", "kinesis:GetRecords"),
}
AT_ONCE = {action for action, verb in ASKED.items() if verb == "status"} - LATER
TAKEN = [{action} for action in ASKED if action not in AT_ONCE] + [AT_ONCE]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_runs_under_its_own_policy(operator: Operator, verb: str) -> None:
    operator.may(operator_statements(verb))
    assert operator.runs[verb]() in (0, 1)  # Something is left: a change that is too large.
    assert operator.lacks() == []


@pytest.mark.parametrize("taken", TAKEN, ids=lambda taken: min(taken))
def test_without_a_right_a_verb_fails_and_says_which(
    operator: Operator, capsys: pytest.CaptureFixture[str], taken: set[str]
) -> None:
    verb = ASKED[min(taken)]
    operator.may(list(reduced(operator_statements(verb), *taken)))
    assert operator.runs[INTERRUPTED.get(min(taken), verb)]() in (1, 2)
    said = "".join(capsys.readouterr())
    assert all(f"is not authorized to perform: {action} on" in said for action in taken)
    assert set(operator.lacks()) == {f"role {OPERATOR} lacks {action}" for action in taken}


def test_every_right_of_the_operator_was_taken_away_or_is_athenas() -> None:
    assert actions() - ASKED.keys() <= ATHENA
