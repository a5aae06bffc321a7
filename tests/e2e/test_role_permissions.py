"""Role permissions: each is needed, and a failure names the role and the missing permission."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import count
from typing import Any

import pytest

from local.core.server import ACCOUNT, Cloud
from local.demo import ScriptFailed, run_script
from local.diagnostics import find_problems
from local.environment import REGION
from local.services.iam import Iam
from local.services.registry import SERVICES
from setup import names, operator_policy
from setup.lib.iam_policies import Policy, role_policies, trust_policies, trust_policy
from setup.names import Location
from tests.support.iam_roles import policy as policy_json
from tests.support.laptop_cloud import laptop
from tests.support.operator_fixture import (
    OPERATOR,
    Operator,
    operator_session,
    policy_actions,
    policy_statements,
    without_actions,
)
from tests.support.profile import sampled
from tests.support.whole_chain import create_pipeline, empty_chain, run_verify

HERE = Location("aws", REGION, ACCOUNT)
ROLE_POLICIES = role_policies(HERE)
# AWS's guides require these, and do not say what fails without them: here nothing does.
UNUSED_ACTIONS: dict[str, set[str]] = {
    "pipe": {"kinesis:PutRecord"},
    "firehose": {
        "lambda:GetFunctionConfiguration",
        "s3:AbortMultipartUpload",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:ListBucketMultipartUploads",
    },
    "lambda": set(),
    "crawler": {
        "glue:GetTables",
        "glue:GetPartition",
        "glue:GetPartitions",
        "glue:CreatePartition",
        "glue:BatchUpdatePartition",  # The call requires UpdatePartition.
    },
}
MIN_ADVANCE = 15  # seconds; most waits of the cloud are for the next poll of Kinesis
USED_PERMISSIONS = [
    (role, action)
    for role, policy in ROLE_POLICIES.items()
    for statement in policy["Statement"]
    for action in statement["Action"]
    if action not in UNUSED_ACTIONS[role]
]


class Chain:
    """The pipeline as setup creates it, and the smallest task that uses each role's permissions."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._numbers = count(1)
        self._tasks: dict[str, Callable[[], None]] = {
            "pipe": self._restart_pipe,
            "firehose": self._add_delivery_stream,
            "lambda": self._restart_function,
            "crawler": self._crawl,
        }

    def use(self, role: str) -> None:
        """Run the task of a role, until it is done or the role is denied an action."""
        self._tasks[role]()
        self.run_until_idle()

    def run_until_idle(self) -> None:
        """Let the cloud work until it is idle, or until a role is denied an action."""
        while not self.denials():
            if self.cloud.tick():
                continue
            times = [service.next_due_at() for service in self.cloud.services]
            due_times = [time for time in times if time is not None]
            if not due_times:
                return
            self.cloud.clock.advance(max(min(due_times) - self.cloud.clock.now(), MIN_ADVANCE))

    def denials(self) -> list[str]:
        """Return the actions that roles were denied."""
        return self.cloud.service(Iam).denials()

    @contextmanager
    def without(self, role: str, *actions: str) -> Iterator[None]:
        """Remove actions from a role's policy within the block."""
        self._grant(role, *without_actions(ROLE_POLICIES[role]["Statement"], *actions))
        try:
            yield
        finally:
            self._grant(role, *ROLE_POLICIES[role]["Statement"])
            self._ensure_pipe_runs()
            self.run_until_idle()

    @contextmanager
    def distrusting(self, role: str) -> Iterator[None]:
        """Let a role trust another service than its own within the block."""
        self._trust(role, trust_policy("ec2"))
        try:
            yield
        finally:
            self._trust(role, trust_policies(HERE)[role])
            self._ensure_pipe_runs()
            self.run_until_idle()

    def _trust(self, role: str, trust: Policy) -> None:
        self.cloud.client("iam").update_assume_role_policy(
            RoleName=HERE.role_name(role), PolicyDocument=json.dumps(trust)
        )

    def _grant(self, role: str, *statements: Policy) -> None:
        self.cloud.client("iam").put_role_policy(
            RoleName=HERE.role_name(role),
            PolicyName=names.PIPELINE,
            PolicyDocument=policy_json(*statements),
        )

    def _ensure_pipe_runs(self) -> None:
        pipes = self.cloud.client("pipes")
        if pipes.describe_pipe(Name=names.PIPE)["CurrentState"] != "RUNNING":
            pipes.start_pipe(Name=names.PIPE)

    def _write_order(self) -> None:
        item = {"order_id": {"S": f"SO-{next(self._numbers)}"}}
        self.cloud.client("dynamodb").put_item(TableName=names.TABLE, Item=item)

    def _restart_pipe(self) -> None:
        pipes = self.cloud.client("pipes")
        pipes.stop_pipe(Name=names.PIPE)
        pipes.start_pipe(Name=names.PIPE)
        self._write_order()

    def _add_delivery_stream(self) -> None:
        """Create a second stream like the first, so that it begins to read, and delete it."""
        firehose = self.cloud.client("firehose")
        with suppress(firehose.exceptions.InvalidArgumentException):
            firehose.create_delivery_stream(DeliveryStreamName="other", **delivery_params())
            firehose.delete_delivery_stream(DeliveryStreamName="other")
        # A poison record, whose failure is logged.
        self.cloud.client("kinesis").put_record(
            StreamName=names.STREAM, Data=b"no change", PartitionKey="x"
        )
        self._write_order()

    def _restart_function(self) -> None:
        functions = self.cloud.client("lambda")
        with suppress(functions.exceptions.InvalidParameterValueException):
            functions.update_function_configuration(FunctionName=names.FUNCTION, Timeout=60)
        self._write_order()

    def _crawl(self) -> None:
        """Let the crawler find a new day and a new column."""
        number = next(self._numbers)
        key = f"{names.LAKE}dt=2020-01-01-{number}/x"
        row = f'{{"new_{number}": "x"}}\n'.encode()
        self.cloud.client("s3").put_object(Bucket=HERE.bucket(), Key=key, Body=row)
        self.cloud.client("glue").start_crawler(Name=names.CRAWLER)


# The parameters of a call of boto3.
def delivery_params() -> dict[str, Any]:
    """Return the parameters with which setup calls CreateDeliveryStream."""
    role = HERE.role_arn("firehose")
    stream = HERE.arn("kinesis", f"stream/{names.STREAM}")
    destination = import_module("setup.06_firehose").destination(role, HERE.bucket_arn())
    return {
        "DeliveryStreamType": "KinesisStreamAsSource",
        "KinesisStreamSourceConfiguration": {"KinesisStreamARN": stream, "RoleARN": role},
        "ExtendedS3DestinationConfiguration": destination,
    }


@pytest.fixture(scope="module")
def chain() -> Iterator[Chain]:
    """The pipeline as setup creates it."""
    with laptop(*SERVICES) as cloud:
        create_pipeline()
        yield Chain(cloud)


def test_no_role_lacks_a_permission(chain: Chain) -> None:
    for role in ROLE_POLICIES:
        chain.use(role)
    assert chain.denials() == []


@pytest.mark.parametrize(("role", "action"), sampled(USED_PERMISSIONS, 12))
def test_a_missing_permission_is_reported(chain: Chain, role: str, action: str) -> None:
    with chain.without(role, action):
        chain.use(role)
        problems = [
            problem for problem in find_problems(chain.cloud) if problem.startswith("role ")
        ]
    reports = [problem.partition(": ")[0] for problem in problems]
    assert reports == [f"role {HERE.role_name(role)} lacks {action}"]


@pytest.mark.parametrize("role", [role for role, unused in UNUSED_ACTIONS.items() if unused])
def test_unused_permissions_are_not_missed(chain: Chain, role: str) -> None:
    with chain.without(role, *UNUSED_ACTIONS[role]):
        chain.use(role)
        assert chain.denials() == []


@pytest.mark.parametrize("role", ROLE_POLICIES)
def test_a_missing_trust_is_reported(chain: Chain, role: str) -> None:
    with chain.distrusting(role):
        chain.use(role)
        [denial] = chain.denials()
    assert denial.startswith(f"role {HERE.role_name(role)} lacks sts:AssumeRole: ")


def test_every_statement_has_a_used_action() -> None:
    for role, policy in ROLE_POLICIES.items():
        for statement in policy["Statement"]:
            assert set(statement["Action"]) - UNUSED_ACTIONS[role], statement


@pytest.mark.slow
def test_a_failed_script_names_the_permission(chain: Chain) -> None:
    empty_chain(chain.cloud)  # A crawl refuses the days of the rows that `_crawl` has written.
    lacks = f"role {HERE.role_name('crawler')} lacks s3:ListBucket: "
    with chain.without("crawler", "s3:ListBucket"), pytest.raises(ScriptFailed, match=lacks):
        run_script(chain.cloud, "setup/10_glue.py", "--crawl")


DELAYING_DENIALS = [
    ("pipe", "kinesis:PutRecords"),
    ("pipe", "kms:GenerateDataKey"),
    ("firehose", "s3:PutObject"),
    ("firehose", "kinesis:GetRecords"),
    ("firehose", "lambda:InvokeFunction"),
    ("firehose", "kms:Decrypt"),
]


@pytest.mark.slow
def test_changes_arrive_after_a_denial(chain: Chain) -> None:
    for role, action in sampled(DELAYING_DENIALS, 2):
        with chain.without(role, action):
            chain.use(role)
    status, document = run_verify()
    assert (status, document["equal"]) == (0, True)


@pytest.fixture(scope="module")
def operator(chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """An operator who runs the commands under a role of their own."""
    empty_chain(chain.cloud)
    import_module("setup.10_glue").create()  # Crawls have added columns to one table.
    checkpoint = tmp_path_factory.mktemp("backfill") / "checkpoint.json"
    with operator_session(chain.cloud, checkpoint) as operator:
        yield operator


# Athena uses its caller's permissions on AWS; the laptop does not check these.
ATHENA_ACTIONS = {
    "glue:CreateDatabase",
    "glue:GetDatabase",
    "glue:GetDatabases",
    "glue:GetTable",
    "glue:GetPartitions",
    "s3:GetBucketLocation",
    "s3:ListBucket",
    "s3:PutObject",
    "s3:AbortMultipartUpload",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
}
COMMANDS = tuple(operator_policy.COMMANDS)
UNCHECKED_ACTIONS = {
    command: ATHENA_ACTIONS if command in operator_policy.QUERYING else set()
    for command in COMMANDS
}
# Status calls these itself, too.
UNCHECKED_ACTIONS["status"] = ATHENA_ACTIONS - {
    "glue:GetDatabase",
    "glue:GetTable",
    "s3:ListBucket",
}
# Each action with a command that uses it, the last of these, which uses it earliest.
COMMAND_BY_ACTION = {
    action: command
    for command in (
        "erase",
        "compact",
        "restore-items",
        "restore-table",
        "repair",
        "replay",
        "restore",
        "status",
        "verify",
        "gaps",
        "backfill",
    )
    for action in sorted(policy_actions(command) - UNCHECKED_ACTIONS[command])
}
INTERRUPTED_RUNS = {"athena:StopQueryExecution": "interrupted gaps"}
STATUS_ACTIONS = {action for action, command in COMMAND_BY_ACTION.items() if command == "status"}
OTHER_ACTIONS = [action for action in COMMAND_BY_ACTION if action not in STATUS_ACTIONS]
# A command reports each denial in the same way; only queries are interrupted.
REMOVED_ACTIONS = [
    *INTERRUPTED_RUNS,
    *(
        action
        for command in COMMANDS
        for action in sampled(
            (action for action in OTHER_ACTIONS if COMMAND_BY_ACTION[action] == command), 12
        )
        if action not in INTERRUPTED_RUNS
    ),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_runs_under_its_own_policy(
    operator: Operator, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    operator.allow_only(policy_statements(command))
    assert operator.runs[command]() in (0, 1)  # 1: a change that is too large remains.
    assert "Traceback" not in "".join(capsys.readouterr())
    assert operator.denials() == []
    assert operator.violations == []  # Every request obeys its service's model.


@pytest.mark.parametrize("action", REMOVED_ACTIONS)
def test_a_denied_command_names_the_permission(
    operator: Operator, capsys: pytest.CaptureFixture[str], action: str
) -> None:
    command = COMMAND_BY_ACTION[action]
    operator.allow_only(list(without_actions(policy_statements(command), action)))
    assert operator.runs[INTERRUPTED_RUNS.get(action, command)]() in (1, 2)
    assert named_actions(capsys, {action}) == {action}
    assert operator.denials() == [f"role {OPERATOR} lacks {action}"]


@pytest.mark.slow
def test_status_names_each_missing_permission(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status continues after a denial, so several permissions are removed at once."""
    unnamed = set(STATUS_ACTIONS)
    while unnamed:
        operator.allow_only(list(without_actions(policy_statements("status"), *unnamed)))
        assert operator.runs["status"]() in (1, 2)
        named = named_actions(capsys, unnamed)
        assert set(operator.denials()) == {f"role {OPERATOR} lacks {action}" for action in named}
        assert named, unnamed
        unnamed -= named


def named_actions(capsys: pytest.CaptureFixture[str], actions: set[str]) -> set[str]:
    """Return which of the actions the output says to be missing."""
    output = "".join(capsys.readouterr())
    return {action for action in actions if f"is not authorized to perform: {action} on" in output}


def test_every_operator_permission_was_removed() -> None:
    assert policy_actions() - COMMAND_BY_ACTION.keys() <= ATHENA_ACTIONS
