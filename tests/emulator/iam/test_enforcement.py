"""Each call of a role is judged as AWS judges it: by what the role may do, and who may wear it."""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.iam.enforcement import denials, guard
from local.services.iam.policy_evaluation import NotModelled
from local.services.iam.required_permissions import TOKENS, Place, Tokens, needed
from local.services.iam.roles import assumable
from local.services.iam.service import Iam
from tests.support.iam_roles import allow, grant, policy, trust
from tests.support.laptop_cloud import aws, code_of, empty_account, laptop

ACCOUNT, REGION = "123456789012", "us-east-1"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/changes"


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
    iam = aws("iam")
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
    guard(client, aws("iam"), role, f"{principal}.amazonaws.com", context)
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
        aws("kinesis").create_stream(StreamName="changes", ShardCount=1)
        aws("sqs").create_queue(QueueName="letters")
        aws("s3").create_bucket(Bucket="lake")
        aws("logs").create_log_group(logGroupName="/aws/x")
        glue = aws("glue")
        glue.create_database(DatabaseInput={"Name": "db"})
        glue.create_table(DatabaseName="db", TableInput={"Name": "t"})
        table = aws("dynamodb").create_table(
            TableName="orders",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        self.table_stream = table["TableDescription"]["LatestStreamArn"]
        kinesis, streams = aws("kinesis"), aws("dynamodbstreams")
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
    kinesis = aws("kinesis")
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
    aws("kinesis").create_stream(StreamName="changes", ShardCount=1)
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
    aws("s3").create_bucket(Bucket="lake")
    condition = {"StringLike": {"s3:prefix": "lake/*"}}
    listing = allow("s3:ListBucket", "arn:aws:s3:::lake") | {"Condition": condition}
    client = guarded("s3", made_role(listing))
    assert refusal(client, "list_objects_v2", Bucket="lake", Prefix="lake/dt=1/") == ""
    assert refusal(client, "list_objects_v2", Bucket="lake", Prefix="errors/") != ""
    assert refusal(client, "list_objects_v2", Bucket="lake") != ""


def test_attached_policies_count_as_inline_ones_do(cloud: Cloud) -> None:
    aws("s3").create_bucket(Bucket="lake")
    role = made_role()
    client, iam = guarded("s3", role), aws("iam")
    assert refusal(client, "list_objects_v2", Bucket="lake") != ""
    listing = policy(allow("s3:ListBucket", "arn:aws:s3:::lake"))
    attached = iam.create_policy(PolicyName="listing", PolicyDocument=listing)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="mover", PolicyArn=attached)
    assert refusal(client, "list_objects_v2", Bucket="lake") == ""


def test_a_policy_that_cannot_be_judged_fails_its_role_alone(cloud: Cloud) -> None:
    aws("s3").create_bucket(Bucket="lake")
    client = guarded("s3", made_role(allow("s3:*", "*")))
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    put_permissions(allow("s3:*", "*") | {"Condition": condition})
    assert "aws:PrincipalOrgID is not modelled" in refusal(client, "list_objects_v2", Bucket="lake")
    (told,) = denials(aws("iam"))
    assert told.startswith("role mover lacks a policy that the laptop cloud can judge: ")
    put_permissions(allow("s3:*", "*"))
    assert refusal(client, "list_objects_v2", Bucket="lake") == ""


def test_a_page_is_judged_by_its_query_and_not_by_its_number() -> None:
    place = Place("aws", REGION, ACCOUNT)
    for query in ("own", "foreign"):
        for token in (query, "1000"):
            TOKENS.remember(token, (query,))
    (need,) = needed("athena", "GetQueryResults")
    assert need.resources({"QueryExecutionId": "own", "NextToken": "1000"}, place) == ("own",)


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
    aws("s3").create_bucket(Bucket="lake")
    sentence = refusal(client, "list_objects_v2", Bucket="lake")
    assert sentence == ("" if let_in else sentence)
    assert ("sts:AssumeRole" in sentence) is not let_in


@pytest.mark.parametrize("role", ["mover", f"arn:aws:iam::{ACCOUNT}:role/mover"])
def test_a_role_that_does_not_exist_cannot_be_assumed(cloud: Cloud, role: str) -> None:
    iam, service = aws("iam"), "pipes.amazonaws.com"
    assert not assumable(iam, role, service, {})
    made_role()
    assert assumable(iam, role, service, {})
    assert not assumable(iam, f"arn:aws:iam::{ACCOUNT}:role/path/mover", service, {})
    assert not assumable(iam, role, "glue.amazonaws.com", {})


def test_a_deleted_role_stops_its_service_at_once(cloud: Cloud) -> None:
    aws("s3").create_bucket(Bucket="lake")
    client, iam = guarded("s3", made_role(allow("s3:*", "*"))), aws("iam")
    assert refusal(client, "list_objects_v2", Bucket="lake") == ""
    iam.delete_role_policy(RoleName="mover", PolicyName="p")
    iam.delete_role(RoleName="mover")
    assert "sts:AssumeRole" in refusal(client, "list_objects_v2", Bucket="lake")


def test_reading_a_role_costs_nothing_while_nobody_changes_it(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("local.services.iam.roles.PATIENCE", 0.0)  # No change escapes this process.
    aws("s3").create_bucket(Bucket="lake")
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
    monkeypatch.setattr("local.services.iam.roles.PATIENCE", 60.0)
    with laptop():  # Its IAM is as blind as one in another process.
        boto3.client("s3").create_bucket(Bucket="lake")
        client, iam = guarded("s3", made_role(allow("s3:*", "*"))), boto3.client("iam")
        assert refusal(client, "list_objects_v2", Bucket="lake") == ""
        iam.delete_role_policy(RoleName="mover", PolicyName="p")
        assert refusal(client, "list_objects_v2", Bucket="lake") == ""
        monkeypatch.setattr("local.services.iam.roles.PATIENCE", 0.0)
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
    kinesis = aws("kinesis")
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
    iam, client = aws("iam"), aws("sqs")
    guard(client, iam, made_role(), "pipes.amazonaws.com", {})
    url = client.meta.endpoint_url + f"/{ACCOUNT}/letters"
    for _ in range(2):
        refusal(client, "send_message", QueueUrl=url, MessageBody="x")
    (told,) = denials(iam)
    assert told.startswith("role mover lacks sqs:SendMessage: User: arn:aws:sts::")
    put_permissions(allow("sqs:SendMessage", "*"))
    assert denials(iam) == []


@pytest.mark.parametrize("region", [REGION, "cn-north-1", "us-gov-west-1"])
def test_roles_and_policies_keep_to_the_limits_of_aws(cloud: Cloud, region: str) -> None:
    iam, trusted = boto3.client("iam", region_name=region), trust("pipes")
    new = {"AssumeRolePolicyDocument": trusted}
    assert code_of(iam.create_role, RoleName="r" * 65, **new) == "ValidationError"
    iam.create_role(RoleName="mover", **new)
    assert code_of(iam.create_role, RoleName="Mover", **new) == "EntityAlreadyExists"
    long = policy(allow("s3:GetObject", *[f"arn:aws:s3:::{number:0500}" for number in range(19)]))
    put = {"RoleName": "mover", "PolicyDocument": long}
    iam.put_role_policy(PolicyName="p", **put)
    assert code_of(iam.put_role_policy, PolicyName="q", **put) == "LimitExceeded"


def test_a_token_in_use_is_not_forgotten_however_many_come() -> None:
    given_again, used = Tokens(most=2), Tokens(most=2)
    for token in ("iterator", "page", "iterator", "another page"):
        given_again.remember(token, ("stream",))
    assert given_again.resources("iterator") == ("stream",)
    for token in ("iterator", "page", "another page"):
        used.remember(token, ("stream",))
        assert used.resources("iterator") == ("stream",)
