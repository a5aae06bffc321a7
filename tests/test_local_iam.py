"""Roles are judged as AWS judges them: trust, explicit deny, wildcards, conditions, each call."""

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import example, given
from hypothesis import strategies as st

from local.cloud import Cloud
from local.iam.guard import denials, guard
from local.iam.part import Iam
from local.iam.policies import (
    Decision,
    NotModelled,
    allows,
    decision,
    statements,
    trusts,
)
from local.iam.roles import assumable
from tests.laptop import code_of, empty_account, laptop
from tests.roles import allow, grant, policy, trust

ACCOUNT, REGION = "123456789012", "us-east-1"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/changes"

names = st.text("ab/:.", max_size=6)
patterns = st.text("ab/:.*?", max_size=6)
effects = st.sampled_from(["Allow", "Deny"])


@st.composite
def arns(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> str:
    """Six parts; only the last may hold colons, and no part is a wildcard of the whole."""
    parts = [draw(texts).replace(":", "") for _ in range(5)]
    return ":".join([*parts, draw(texts)])


@st.composite
def policies(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Documents of statements about few actions and resources, so that they often meet."""
    statement = st.fixed_dictionaries(
        {
            "Effect": effects,
            "Action": st.lists(st.sampled_from(["s:A", "s:B", "s:*", "*"]), min_size=1),
            "Resource": st.sampled_from(["*", "a:b:c:d:e:1", "a:b:c:d:e:*"]),
        }
    )
    document = st.builds(lambda each: {"Statement": each}, st.lists(statement, max_size=3))
    return draw(st.lists(document, max_size=3))


def statement(**members: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s:A", "Resource": "*", **members}


def allowed(document_statement: dict[str, Any], context: dict[str, str] | None = None) -> bool:
    return allows([{"Statement": document_statement}], "s:A", STREAM, context or {})


@given(patterns, names)
@example("S:a*", "s:ABC")
def test_an_action_matches_as_a_file_name_does_in_any_case(pattern: str, action: str) -> None:
    documents = [{"Statement": statement(Action=pattern)}]
    assert allows(documents, action, "x", {}) == fnmatchcase(action.lower(), pattern.lower())


@given(arns(patterns), arns(names))
@example("arn:aws:s3:::lake/*", "arn:aws:s3:::lake/a/b:c")
@example("arn:aws:lambda:r:1:function:f", "arn:aws:lambda:r:1:function:f:$LATEST")
@example("*:*:*:*:*:*", "arn:aws:s3:::lake")
@example("arn:a*:c:d:e:f", "arn:ab:c:c:d:e:f")
def test_a_resource_matches_part_by_part(pattern: str, resource: str) -> None:
    pairs = zip(pattern.split(":", 5), resource.split(":", 5), strict=True)
    expected = all(fnmatchcase(found, wanted) for wanted, found in pairs)
    assert allows([{"Statement": statement(Resource=pattern)}], "s:A", resource, {}) == expected


@given(policies(), st.randoms())
def test_the_order_of_statements_does_not_matter(
    documents: list[dict[str, Any]], random: Any
) -> None:
    read = [each for document in documents for each in statements(document)]
    shuffled = random.sample(read, len(read))
    question = ("s:A", "a:b:c:d:e:1", {})
    assert decision(read, *question) is decision(shuffled, *question)


@given(policies())
def test_a_deny_beats_every_allow(documents: list[dict[str, Any]]) -> None:
    denied = [{"Statement": statement(Effect="Deny")}, *documents]
    assert not allows(denied, "s:A", "a:b:c:d:e:1", {})


@given(policies())
def test_what_no_statement_mentions_is_not_allowed(documents: list[dict[str, Any]]) -> None:
    without = [
        {"Statement": [each for each in document["Statement"] if each["Effect"] == "Deny"]}
        for document in documents
    ]
    assert not allows(without, "s:A", "a:b:c:d:e:1", {})
    assert decision([], "s:A", "*", {}) is Decision.UNMENTIONED


@given(patterns, names)
def test_not_action_covers_exactly_what_action_does_not(pattern: str, action: str) -> None:
    positive = {"Statement": statement(Action=pattern)}
    negative = {"Statement": {"Effect": "Allow", "NotAction": pattern, "Resource": "*"}}
    assert allows([positive], action, "x", {}) != allows([negative], action, "x", {})


@given(arns(patterns), arns(names))
def test_not_resource_covers_exactly_what_resource_does_not(pattern: str, resource: str) -> None:
    positive = {"Statement": statement(Resource=pattern)}
    negative = {"Statement": {"Effect": "Allow", "Action": "*", "NotResource": pattern}}
    assert allows([positive], "s:A", resource, {}) != allows([negative], "s:A", resource, {})


@pytest.mark.parametrize(
    ("operator", "wanted", "fits", "differs"),
    [
        ("StringEquals", "lake/", "lake/", "Lake/"),
        ("StringEqualsIgnoreCase", "lake/", "LAKE/", "lake"),
        ("StringLike", "lake/*", "lake/dt=1/", "errors/"),
        ("StringLike", ["a", "lake/?"], "lake/x", "lake/xy"),
        ("StringLike", "Lake", "Lake", "lake"),
        ("ArnLike", "arn:aws:pipes:*:1:pipe/p*", "arn:aws:pipes:r:1:pipe/p1", "arn:aws:sns:r:1:p"),
        ("ArnEquals", "arn:aws:pipes:*:1:pipe/p*", "arn:aws:pipes:r:1:pipe/p", "arn:aws:sns:r:1:p"),
        ("Bool", True, "true", "false"),
        ("Bool", "false", "false", "true"),
    ],
)
def test_a_condition_holds_for_what_fits_and_its_negation_for_the_rest(
    operator: str, wanted: Any, fits: str, differs: str
) -> None:
    conditional = statement(Condition={operator: {"s3:prefix": wanted}})
    assert allowed(conditional, {"s3:prefix": fits})
    assert allowed(conditional, {"S3:Prefix": fits})
    assert not allowed(conditional, {"s3:prefix": differs})
    assert not allowed(conditional)
    assert allowed(statement(Condition={f"{operator}IfExists": {"s3:prefix": wanted}}))
    if operator != "Bool":
        negation = operator.replace("String", "StringNot").replace("Arn", "ArnNot")
        negated = statement(Condition={negation: {"s3:prefix": wanted}})
        assert not allowed(negated, {"s3:prefix": fits})
        assert allowed(negated, {"s3:prefix": differs})
        assert allowed(negated)


def test_all_conditions_of_a_statement_must_hold() -> None:
    both = {"StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}}
    assert allowed(statement(Condition=both), {"s3:prefix": "a", "s3:delimiter": "/"})
    assert not allowed(statement(Condition=both), {"s3:prefix": "a", "s3:delimiter": "|"})


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"Condition": {"NumericLessThan": {"s3:prefix": "1"}}}, "NumericLessThan"),
        ({"Condition": {"ForAnyValue:StringEquals": {"s3:prefix": "1"}}}, "ForAnyValue"),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o"}}}, "aws:PrincipalOrgID"),
        ({"Condition": {"StringEquals": {"s3:prefix": "${aws:username}"}}}, "username"),
        ({"Resource": "arn:aws:s3:::${aws:username}"}, "username"),
        ({"Resource": "arn:aws:s3"}, "six parts"),
        ({"NotPrincipal": "*"}, "NotPrincipal"),
    ],
)
def test_what_cannot_be_judged_is_refused_by_name(members: dict[str, Any], named: str) -> None:
    with pytest.raises(NotModelled, match=named):
        statements({"Statement": [statement(**members)]})


@pytest.mark.parametrize(
    ("members", "trusted"),
    [
        ({}, True),
        ({"Principal": {"Service": ["lambda.amazonaws.com", "glue.amazonaws.com"]}}, True),
        ({"Principal": "*"}, True),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, False),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, False),
        ({"Action": "sts:TagSession"}, False),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": ACCOUNT}}}, True),
        ({"Condition": {"StringEquals": {"aws:SourceAccount": "210987654321"}}}, False),
        ({"Condition": {"StringEquals": {"sts:ExternalId": ACCOUNT}}}, False),
    ],
)
def test_a_role_is_trusted_to_the_service_it_names(members: dict[str, Any], trusted: bool) -> None:
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "glue.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **members,
    }
    read = statements({"Statement": trust})
    assert trusts(read, "glue.amazonaws.com", {"aws:SourceAccount": ACCOUNT}) is trusted


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(Iam) as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    """An empty account."""
    empty_account()
    return running


def made_role(*permissions: dict[str, Any], trust_policy: str = "") -> str:
    """Make the role `mover` with one inline policy, and return its ARN."""
    iam = boto3.client("iam")
    trusted = trust_policy or trust("pipes")
    role = iam.create_role(RoleName="mover", AssumeRolePolicyDocument=trusted)
    put_permissions(*permissions)
    return role["Role"]["Arn"]


def put_permissions(*permissions: dict[str, Any]) -> None:
    """Let the role `mover` do exactly this."""
    unrelated = allow("ec2:RunInstances", "*")  # AWS takes no policy without a statement.
    grant("mover", unrelated, *permissions)


def guarded(service: str, role: str, principal: str = "pipes", **context: str) -> Any:
    client = boto3.client(service)
    guard(client, boto3.client("iam"), role, f"{principal}.amazonaws.com", context)
    return client


def refusal(client: Any, operation: str, **params: Any) -> str:
    """Return the AccessDenied sentence of a call; "" when it was let through."""
    try:
        getattr(client, operation)(**params)
    except ClientError as error:
        found = error.response["Error"]
        return found["Message"] if found["Code"].startswith("AccessDenied") else ""
    return ""


class Chain:
    """Resources of every kind, and the calls that the moving parts make on them."""

    def __init__(self) -> None:
        boto3.client("kinesis").create_stream(StreamName="changes", ShardCount=1)
        boto3.client("sqs").create_queue(QueueName="letters")
        boto3.client("s3").create_bucket(Bucket="lake")
        boto3.client("logs").create_log_group(logGroupName="/aws/x")
        glue = boto3.client("glue")
        glue.create_database(DatabaseInput={"Name": "db"})
        glue.create_table(DatabaseName="db", TableInput={"Name": "t"})
        table = boto3.client("dynamodb").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.table_stream = table["TableDescription"]["LatestStreamArn"]
        kinesis, streams = boto3.client("kinesis"), boto3.client("dynamodbstreams")
        shards = kinesis.list_shards(StreamName="changes")["Shards"]
        self.shard = shards[0]["ShardId"]
        self._acting = cache(guarded)
        described = streams.describe_stream(StreamArn=self.table_stream)["StreamDescription"]
        self.table_shard = described["Shards"][0]["ShardId"]

    def permissions(self) -> dict[str, dict[str, Any]]:
        glue = f"arn:aws:glue:{REGION}:{ACCOUNT}"
        function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:transform"
        log_group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/x:*"
        return {
            "read kinesis": allow(
                "kinesis:DescribeStreamSummary kinesis:ListShards kinesis:Get*", STREAM
            ),
            "write kinesis": allow("kinesis:PutRecords", STREAM),
            "read changes": allow(
                "dynamodb:DescribeStream dynamodb:GetShardIterator dynamodb:GetRecords",
                f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/orders/stream/*",
            ),
            "send": allow("sqs:SendMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:letters"),
            "invoke": allow("lambda:InvokeFunction", f"{function}:*"),
            "configuration": allow("lambda:GetFunctionConfiguration", function),
            "write lake": allow("s3:PutObject", "arn:aws:s3:::lake/lake/*"),
            "list lake": allow("s3:ListBucket", "arn:aws:s3:::lake"),
            "locate lake": allow("s3:GetBucketLocation", "arn:aws:s3:::lake"),
            "log": allow("logs:CreateLogStream logs:PutLogEvents", log_group),
            "catalog": allow(
                "glue:GetTable glue:UpdateTable glue:UpdatePartition",
                f"{glue}:catalog",
                f"{glue}:database/db",
                f"{glue}:table/db/t",
            ),
        }

    def refused(self, role: str) -> dict[str, set[str]]:
        """Make every call once, and return which statement each of the refused ones needs."""
        refused: dict[str, set[str]] = {}
        for needs, service, operation, params in self._calls():
            if refusal(self._acting(service, role), operation, **params):
                refused.setdefault(needs, set()).add(operation)
        return refused

    def _calls(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        place = {"StreamName": "changes", "ShardId": self.shard}
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        queue = f"{os.environ['AWS_ENDPOINT_URL']}/{ACCOUNT}/letters"
        table = {"DatabaseName": "db", "TableName": "T"}
        log = {"logGroupName": "/aws/x", "logStreamName": "s"}
        event = {"timestamp": 0, "message": "x"}
        record = {"Data": b"x", "PartitionKey": "k"}
        yield "read kinesis", "kinesis", "describe_stream_summary", {"StreamARN": STREAM}
        yield "read kinesis", "kinesis", "list_shards", {"StreamName": "changes"}
        yield "read kinesis", "kinesis", "get_shard_iterator", place | start
        put = {"StreamARN": STREAM, "Records": [record]}
        yield "write kinesis", "kinesis", "put_records", put
        yield "read changes", "dynamodbstreams", "describe_stream", {"StreamArn": self.table_stream}
        shard = {"StreamArn": self.table_stream, "ShardId": self.table_shard}
        yield "read changes", "dynamodbstreams", "get_shard_iterator", shard | start
        yield "send", "sqs", "send_message", {"QueueUrl": queue, "MessageBody": "x"}
        yield "invoke", "lambda", "invoke", {"FunctionName": "transform", "Qualifier": "$LATEST"}
        configured = {"FunctionName": "transform"}
        yield "configuration", "lambda", "get_function_configuration", configured
        entry = {"Bucket": "lake", "Key": "lake/x", "Body": b""}
        yield "write lake", "s3", "put_object", entry
        yield "list lake", "s3", "list_objects_v2", {"Bucket": "lake"}
        yield "locate lake", "s3", "get_bucket_location", {"Bucket": "lake"}
        yield "log", "logs", "create_log_stream", log
        yield "log", "logs", "put_log_events", log | {"logEvents": [event]}
        yield "catalog", "glue", "get_table", {"DatabaseName": "db", "Name": "t"}
        yield "catalog", "glue", "update_table", {"DatabaseName": "db", "TableInput": {"Name": "t"}}
        entries = [{"PartitionValueList": ["1"], "PartitionInput": {"Values": ["1"]}}]
        yield "catalog", "glue", "batch_update_partition", table | {"Entries": entries}


def test_turning_one_statement_off_breaks_exactly_its_calls(cloud: Cloud) -> None:
    chain = Chain()
    permissions = chain.permissions()
    role = made_role(*permissions.values())
    assert chain.refused(role) == {}
    put_permissions()
    every_call = chain.refused(role)
    assert every_call.keys() == permissions.keys()
    for name in permissions:
        put_permissions(*(each for key, each in permissions.items() if key != name))
        assert chain.refused(role) == {name: every_call[name]}


def test_records_are_judged_by_the_stream_that_the_iterator_reads(cloud: Cloud) -> None:
    kinesis = boto3.client("kinesis")
    for name in ("changes", "secrets"):
        kinesis.create_stream(StreamName=name, ShardCount=1)
    anywhere = allow("kinesis:GetShardIterator", "*")
    client = guarded("kinesis", made_role(anywhere, allow("kinesis:GetRecords", STREAM)))
    refusals = {}
    for name in ("changes", "secrets"):
        place = {"StreamName": name, "ShardId": "shardId-000000000000"}
        iterator = client.get_shard_iterator(**place, ShardIteratorType="LATEST")["ShardIterator"]
        refusals[name] = refusal(client, "get_records", ShardIterator=iterator)
    assert refusals["changes"] == ""
    assert f"{ACCOUNT}:stream/secrets" in refusals["secrets"]


def test_a_later_iterator_reads_the_stream_of_the_first(cloud: Cloud) -> None:
    boto3.client("kinesis").create_stream(StreamName="changes", ShardCount=1)
    client = guarded("kinesis", made_role(allow("kinesis:Get*", STREAM)))
    place = {"StreamName": "changes", "ShardId": "shardId-000000000000"}
    iterator = client.get_shard_iterator(**place, ShardIteratorType="LATEST")["ShardIterator"]
    for _ in range(3):
        iterator = client.get_records(ShardIterator=iterator)["NextShardIterator"]
    put_permissions(allow("kinesis:GetShardIterator", STREAM))
    assert STREAM in refusal(client, "get_records", ShardIterator=iterator)


def test_a_refusal_says_what_aws_says(cloud: Cloud) -> None:
    role = made_role(
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/secret"}
    )
    who = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/mover/pipes is not authorized to perform: "
    put = {"StreamARN": STREAM, "Records": [{"Data": b"", "PartitionKey": "k"}]}
    assert refusal(guarded("kinesis", role), "put_records", **put) == (
        f"{who}kinesis:PutRecords on resource: {STREAM} "
        "because no identity-based policy allows the kinesis:PutRecords action"
    )
    assert refusal(guarded("s3", role), "get_object", Bucket="lake", Key="secret") == (
        f'{who}s3:GetObject on resource: "arn:aws:s3:::lake/secret" '
        "with an explicit deny in an identity-based policy"
    )


@pytest.mark.parametrize(("service", "code"), [("s3", "AccessDenied"), ("sqs", "AccessDenied")])
def test_older_services_shorten_the_code(cloud: Cloud, service: str, code: str) -> None:
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "s3": ("list_objects_v2", {"Bucket": "lake"}),
        "sqs": ("send_message", {"QueueUrl": f"http://x/{ACCOUNT}/q", "MessageBody": "x"}),
    }
    operation, params = calls[service]
    client = guarded(service, made_role())
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**params)
    assert refused.value.response["Error"]["Code"] == code


def test_the_bare_function_arn_does_not_allow_its_latest_version(cloud: Cloud) -> None:
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:transform"
    client = guarded("lambda", made_role(allow("lambda:InvokeFunction", function)), "pipes")
    latest = f"{function}:$LATEST"
    assert refusal(client, "invoke", FunctionName="transform") == ""
    assert latest in refusal(client, "invoke", FunctionName=latest)
    assert latest in refusal(client, "invoke", FunctionName="transform", Qualifier="$LATEST")


def test_a_table_is_asked_for_with_all_that_it_lies_in(cloud: Cloud) -> None:
    glue = f"arn:aws:glue:{REGION}:{ACCOUNT}"
    lies_in = [f"{glue}:catalog", f"{glue}:database/db", f"{glue}:table/db/t"]
    client = guarded("glue", made_role(allow("glue:GetTable", *lies_in)))
    assert refusal(client, "get_table", DatabaseName="db", Name="T") == ""
    for lacking in lies_in:
        put_permissions(allow("glue:GetTable", *(set(lies_in) - {lacking})))
        sentence = refusal(client, "get_table", DatabaseName="db", Name="t")
        assert f"on resource: {lacking} because" in sentence


def test_a_listing_is_judged_by_its_prefix(cloud: Cloud) -> None:
    boto3.client("s3").create_bucket(Bucket="lake")
    condition = {"StringLike": {"s3:prefix": "lake/*"}}
    listing = allow("s3:ListBucket", "arn:aws:s3:::lake") | {"Condition": condition}
    client = guarded("s3", made_role(listing))
    assert refusal(client, "list_objects_v2", Bucket="lake", Prefix="lake/dt=1/") == ""
    assert refusal(client, "list_objects_v2", Bucket="lake", Prefix="errors/") != ""
    assert refusal(client, "list_objects_v2", Bucket="lake") != ""


def test_attached_policies_count_as_inline_ones_do(cloud: Cloud) -> None:
    boto3.client("s3").create_bucket(Bucket="lake")
    role = made_role()
    client, iam = guarded("s3", role), boto3.client("iam")
    assert refusal(client, "list_objects_v2", Bucket="lake") != ""
    listing = policy(allow("s3:ListBucket", "arn:aws:s3:::lake"))
    attached = iam.create_policy(PolicyName="listing", PolicyDocument=listing)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="mover", PolicyArn=attached)
    assert refusal(client, "list_objects_v2", Bucket="lake") == ""


def test_a_call_that_the_table_does_not_know_is_refused_loudly(cloud: Cloud) -> None:
    with pytest.raises(NotModelled, match="s3:DeleteBucket"):
        guarded("s3", made_role(allow("*", "*"))).delete_bucket(Bucket="lake")


def test_an_iterator_of_unknown_origin_is_refused_loudly(cloud: Cloud) -> None:
    with pytest.raises(NotModelled, match="token"):
        guarded("kinesis", made_role(allow("*", "*"))).get_records(ShardIterator="somebody's")


EXTERNAL = {"Condition": {"StringEquals": {"sts:ExternalId": ACCOUNT}}}
FROM_PIPE = {
    "Condition": {"ArnLike": {"aws:SourceArn": f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/p"}}
}


@pytest.mark.parametrize(
    ("trusted", "condition", "principal", "source", "let_in"),
    [
        ("pipes", {}, "pipes", "", True),
        ("pipes", {}, "firehose", "", False),
        ("firehose", EXTERNAL, "firehose", "", True),
        ("pipes", EXTERNAL, "pipes", "", False),
        ("pipes", FROM_PIPE, "pipes", f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/p", True),
        ("pipes", FROM_PIPE, "pipes", f"arn:aws:pipes:{REGION}:{ACCOUNT}:pipe/other", False),
        ("pipes", FROM_PIPE, "pipes", "", False),
    ],
)
def test_only_the_trusted_service_acts_as_the_role(
    cloud: Cloud, trusted: str, condition: Any, principal: str, source: str, let_in: bool
) -> None:
    role = made_role(allow("s3:*", "*"), trust_policy=trust(trusted, **condition))
    context = {"aws:SourceArn": source} if source else {}
    client = guarded("s3", role, principal, **context)
    boto3.client("s3").create_bucket(Bucket="lake")
    sentence = refusal(client, "list_objects_v2", Bucket="lake")
    assert sentence == ("" if let_in else sentence)
    assert ("sts:AssumeRole" in sentence) is not let_in


@pytest.mark.parametrize("role", ["mover", f"arn:aws:iam::{ACCOUNT}:role/mover"])
def test_a_role_that_does_not_exist_cannot_be_assumed(cloud: Cloud, role: str) -> None:
    iam, service = boto3.client("iam"), "pipes.amazonaws.com"
    assert not assumable(iam, role, service, {})
    made_role()
    assert assumable(iam, role, service, {})
    assert not assumable(iam, f"arn:aws:iam::{ACCOUNT}:role/path/mover", service, {})
    assert not assumable(iam, role, "glue.amazonaws.com", {})


def test_a_deleted_role_stops_its_service_at_once(cloud: Cloud) -> None:
    boto3.client("s3").create_bucket(Bucket="lake")
    client, iam = guarded("s3", made_role(allow("s3:*", "*"))), boto3.client("iam")
    assert refusal(client, "list_objects_v2", Bucket="lake") == ""
    iam.delete_role_policy(RoleName="mover", PolicyName="p")
    iam.delete_role(RoleName="mover")
    assert "sts:AssumeRole" in refusal(client, "list_objects_v2", Bucket="lake")


def test_reading_a_role_costs_nothing_while_nobody_changes_it(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.iam.roles.PATIENCE", 0.0)  # No change escapes this process.
    boto3.client("s3").create_bucket(Bucket="lake")
    role = made_role(allow("s3:*", "*"))
    iam, client, asked = boto3.client("iam"), boto3.client("s3"), []
    iam.meta.events.register("before-call", lambda model, **_: asked.append(model.name))
    guard(client, iam, role, "pipes.amazonaws.com")
    for _ in range(5):
        client.list_objects_v2(Bucket="lake")
    assert sorted(asked) == sorted(set(asked))


def test_where_nobody_sees_iam_change_a_role_is_read_again_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("local.iam.roles.PATIENCE", 60.0)
    with laptop():  # Its IAM is as blind as one in another process.
        boto3.client("s3").create_bucket(Bucket="lake")
        client, iam = guarded("s3", made_role(allow("s3:*", "*"))), boto3.client("iam")
        assert refusal(client, "list_objects_v2", Bucket="lake") == ""
        iam.delete_role_policy(RoleName="mover", PolicyName="p")
        assert refusal(client, "list_objects_v2", Bucket="lake") == ""
        monkeypatch.setattr("local.iam.roles.PATIENCE", 0.0)
        assert "s3:ListBucket" in refusal(client, "list_objects_v2", Bucket="lake")


@pytest.mark.parametrize(
    ("context", "keys", "refuses"),
    [
        ({}, ["*"], ""),
        ({"kms:ViaService": f"kinesis.{REGION}.amazonaws.com"}, ["*"], ""),
        ({"kms:ViaService": f"s3.{REGION}.amazonaws.com"}, ["*"], "kms:GenerateDataKey"),
        ({}, [], "kms:GenerateDataKey"),
    ],
)
def test_an_encrypted_stream_takes_a_right_to_its_key(
    cloud: Cloud, context: dict[str, str], keys: list[str], refuses: str
) -> None:
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="changes", ShardCount=1)
    uses = allow("kms:GenerateDataKey", *[f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{k}" for k in keys])
    conditional = uses | ({"Condition": {"StringEquals": context}} if context else {})
    role = made_role(allow("kinesis:PutRecords", STREAM), *([conditional] if keys else []))
    put = {"StreamName": "changes", "Records": [{"Data": b"x", "PartitionKey": "k"}]}
    assert refusal(guarded("kinesis", role), "put_records", **put) == ""
    kinesis.start_stream_encryption(
        StreamName="changes", EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    refused = kms_refusal(guarded("kinesis", role), put)
    assert refused == refuses or f"{refuses} on resource: arn:aws:kms" in refused


def kms_refusal(kinesis: Any, put: dict[str, Any]) -> str:
    """Return why a put is refused for want of its key, or nothing."""
    try:
        kinesis.put_records(**put)
    except kinesis.exceptions.KMSAccessDeniedException as error:
        return str(error)
    return ""


def test_refusals_are_told_until_iam_changes(cloud: Cloud) -> None:
    iam, client = boto3.client("iam"), boto3.client("sqs")
    guard(client, iam, made_role(), "pipes.amazonaws.com", {})
    url = client.meta.endpoint_url + f"/{ACCOUNT}/letters"
    for _ in range(2):
        refusal(client, "send_message", QueueUrl=url, MessageBody="x")
    (told,) = denials(iam)
    assert told.startswith("role mover lacks sqs:SendMessage: User: arn:aws:sts::")
    put_permissions(allow("sqs:SendMessage", "*"))
    assert denials(iam) == []


def test_roles_and_policies_keep_to_the_limits_of_aws(cloud: Cloud) -> None:
    iam, trusted = boto3.client("iam"), trust("pipes")
    new = {"AssumeRolePolicyDocument": trusted}
    assert code_of(iam.create_role, RoleName="r" * 65, **new) == "ValidationError"
    made_role()
    assert code_of(iam.create_role, RoleName="Mover", **new) == "EntityAlreadyExists"
    long = policy(allow("s3:GetObject", *[f"arn:aws:s3:::{number:0500}" for number in range(19)]))
    put = {"RoleName": "mover", "PolicyDocument": long}
    iam.put_role_policy(PolicyName="p", **put)
    assert code_of(iam.put_role_policy, PolicyName="q", **put) == "LimitExceeded"
