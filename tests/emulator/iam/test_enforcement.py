"""Permission checks of the laptop cloud: what a role may do, and who may assume it."""

import os
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.core.server import Cloud
from local.services.iam.policy_evaluation import NotModelled
from local.services.iam.service import Iam
from tests.support.iam_client import (
    ACCOUNT,
    REGION,
    Connect,
    create_role,
    denial,
    put_permissions,
)
from tests.support.iam_roles import allow, policy
from tests.support.laptop_cloud import aws

STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/changes"


class Chain:
    """Resources of every kind, and the calls that the services make on them."""

    def __init__(self, connect: Connect) -> None:
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
        shards = aws("kinesis").list_shards(StreamName="changes")["Shards"]
        self.shard = shards[0]["ShardId"]
        response = aws("dynamodbstreams").describe_stream(StreamArn=self.table_stream)
        self.table_shard = response["StreamDescription"]["Shards"][0]["ShardId"]
        self._connect = cache(connect)

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

    def denied_operations(self, role: str) -> dict[str, set[str]]:
        """Make every call once, and return the denied ones by the statement that each needs."""
        denied_operations: dict[str, set[str]] = {}
        for statement, service, operation, params in self._calls():
            if denial(self._connect(service, role), operation, **params):
                denied_operations.setdefault(statement, set()).add(operation)
        return denied_operations

    def _calls(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        kinesis_shard = {"StreamName": "changes", "ShardId": self.shard}
        start = {"ShardIteratorType": "TRIM_HORIZON"}
        queue = f"{os.environ['AWS_ENDPOINT_URL']}/{ACCOUNT}/letters"
        table = {"DatabaseName": "db", "TableName": "T"}
        log = {"logGroupName": "/aws/x", "logStreamName": "s"}
        event = {"timestamp": 0, "message": "x"}
        record = {"Data": b"x", "PartitionKey": "k"}
        yield "read kinesis", "kinesis", "describe_stream_summary", {"StreamARN": STREAM}
        yield "read kinesis", "kinesis", "list_shards", {"StreamName": "changes"}
        yield "read kinesis", "kinesis", "get_shard_iterator", kinesis_shard | start
        put = {"StreamARN": STREAM, "Records": [record]}
        yield "write kinesis", "kinesis", "put_records", put
        yield "read changes", "dynamodbstreams", "describe_stream", {"StreamArn": self.table_stream}
        shard = {"StreamArn": self.table_stream, "ShardId": self.table_shard}
        yield "read changes", "dynamodbstreams", "get_shard_iterator", shard | start
        yield "send", "sqs", "send_message", {"QueueUrl": queue, "MessageBody": "x"}
        yield "invoke", "lambda", "invoke", {"FunctionName": "transform", "Qualifier": "$LATEST"}
        function = {"FunctionName": "transform"}
        yield "configuration", "lambda", "get_function_configuration", function
        new_object = {"Bucket": "lake", "Key": "lake/x", "Body": b""}
        yield "write lake", "s3", "put_object", new_object
        yield "list lake", "s3", "list_objects_v2", {"Bucket": "lake"}
        yield "locate lake", "s3", "get_bucket_location", {"Bucket": "lake"}
        yield "log", "logs", "create_log_stream", log
        yield "log", "logs", "put_log_events", log | {"logEvents": [event]}
        yield "catalog", "glue", "get_table", {"DatabaseName": "db", "Name": "t"}
        yield "catalog", "glue", "update_table", {"DatabaseName": "db", "TableInput": {"Name": "t"}}
        entries = [{"PartitionValueList": ["1"], "PartitionInput": {"Values": ["1"]}}]
        yield "catalog", "glue", "batch_update_partition", table | {"Entries": entries}


def test_removed_statement_denies_only_its_calls(connect: Connect) -> None:
    chain = Chain(connect)
    permissions = chain.permissions()
    role = create_role(*permissions.values())
    assert chain.denied_operations(role) == {}
    put_permissions()
    operations_by_statement = chain.denied_operations(role)
    assert operations_by_statement.keys() == permissions.keys()
    for name in permissions:
        others = {key: statement for key, statement in permissions.items() if key != name}
        put_permissions(*others.values())
        assert chain.denied_operations(role) == {name: operations_by_statement[name]}


def test_denial_messages_match_aws(connect: Connect) -> None:
    role = create_role(
        {"Effect": "Deny", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::lake/secret"}
    )
    actor = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/mover/pipes is not authorized to perform: "
    put = {"StreamARN": STREAM, "Records": [{"Data": b"", "PartitionKey": "k"}]}
    assert denial(connect("kinesis", role), "put_records", **put) == (
        f"{actor}kinesis:PutRecords on resource: {STREAM} "
        "because no identity-based policy allows the kinesis:PutRecords action"
    )
    assert denial(connect("s3", role), "get_object", Bucket="lake", Key="secret") == (
        f'{actor}s3:GetObject on resource: "arn:aws:s3:::lake/secret" '
        "with an explicit deny in an identity-based policy"
    )


@pytest.mark.parametrize(("service", "code"), [("s3", "AccessDenied"), ("sqs", "AccessDenied")])
def test_older_services_shorten_the_error_code(connect: Connect, service: str, code: str) -> None:
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "s3": ("list_objects_v2", {"Bucket": "lake"}),
        "sqs": ("send_message", {"QueueUrl": f"http://x/{ACCOUNT}/q", "MessageBody": "x"}),
    }
    operation, params = calls[service]
    client = connect(service, create_role())
    with pytest.raises(ClientError) as raised:
        getattr(client, operation)(**params)
    assert raised.value.response["Error"]["Code"] == code


def test_unqualified_arn_excludes_latest_version(connect: Connect) -> None:
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:transform"
    client = connect("lambda", create_role(allow("lambda:InvokeFunction", function)), "pipes")
    latest = f"{function}:$LATEST"
    assert denial(client, "invoke", FunctionName="transform") == ""
    assert latest in denial(client, "invoke", FunctionName=latest)
    assert latest in denial(client, "invoke", FunctionName="transform", Qualifier="$LATEST")


def test_table_needs_catalog_and_database(connect: Connect) -> None:
    glue = f"arn:aws:glue:{REGION}:{ACCOUNT}"
    resources = [f"{glue}:catalog", f"{glue}:database/db", f"{glue}:table/db/t"]
    client = connect("glue", create_role(allow("glue:GetTable", *resources)))
    assert denial(client, "get_table", DatabaseName="db", Name="T") == ""
    for missing in resources:
        others = [resource for resource in resources if resource != missing]
        put_permissions(allow("glue:GetTable", *others))
        message = denial(client, "get_table", DatabaseName="db", Name="t")
        assert f"on resource: {missing} because" in message


def test_listing_is_checked_against_its_prefix(connect: Connect) -> None:
    aws("s3").create_bucket(Bucket="lake")
    condition = {"StringLike": {"s3:prefix": "lake/*"}}
    listing = allow("s3:ListBucket", "arn:aws:s3:::lake") | {"Condition": condition}
    client = connect("s3", create_role(listing))
    assert denial(client, "list_objects_v2", Bucket="lake", Prefix="lake/dt=1/") == ""
    assert denial(client, "list_objects_v2", Bucket="lake", Prefix="errors/") != ""
    assert denial(client, "list_objects_v2", Bucket="lake") != ""


def test_attached_policies_count_like_inline_ones(connect: Connect) -> None:
    aws("s3").create_bucket(Bucket="lake")
    role = create_role()
    client = connect("s3", role)
    iam = aws("iam")
    assert denial(client, "list_objects_v2", Bucket="lake") != ""
    listing = policy(allow("s3:ListBucket", "arn:aws:s3:::lake"))
    policy_arn = iam.create_policy(PolicyName="listing", PolicyDocument=listing)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName="mover", PolicyArn=policy_arn)
    assert denial(client, "list_objects_v2", Bucket="lake") == ""


def test_unmodelled_policy_denies_only_its_role(cloud: Cloud, connect: Connect) -> None:
    aws("s3").create_bucket(Bucket="lake")
    client = connect("s3", create_role(allow("s3:*", "*")))
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    put_permissions(allow("s3:*", "*") | {"Condition": condition})
    assert "aws:PrincipalOrgID is not modelled" in denial(client, "list_objects_v2", Bucket="lake")
    (message,) = cloud.service(Iam).denials()
    assert message.startswith("role mover lacks a policy that the laptop cloud can evaluate: ")
    put_permissions(allow("s3:*", "*"))
    assert denial(client, "list_objects_v2", Bucket="lake") == ""


def test_call_without_known_permission_raises(connect: Connect) -> None:
    with pytest.raises(NotModelled, match="s3:DeleteBucket"):
        connect("s3", create_role(allow("*", "*"))).delete_bucket(Bucket="lake")


@pytest.mark.parametrize(
    ("context", "keys", "denied_action"),
    [
        ({}, ["*"], ""),
        ({"kms:ViaService": f"kinesis.{REGION}.amazonaws.com"}, ["*"], ""),
        ({"kms:ViaService": f"s3.{REGION}.amazonaws.com"}, ["*"], "kms:GenerateDataKey"),
        ({}, [], "kms:GenerateDataKey"),
    ],
)
def test_encrypted_stream_needs_key_permission(
    connect: Connect, context: dict[str, str], keys: list[str], denied_action: str
) -> None:
    kinesis = aws("kinesis")
    kinesis.create_stream(StreamName="changes", ShardCount=1)
    permissions = [allow("kinesis:PutRecords", STREAM)]
    if keys:
        key_arns = [f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{key}" for key in keys]
        use_key = allow("kms:GenerateDataKey", *key_arns)
        if context:
            use_key["Condition"] = {"StringEquals": context}
        permissions.append(use_key)
    role = create_role(*permissions)
    put = {"StreamName": "changes", "Records": [{"Data": b"x", "PartitionKey": "k"}]}
    assert denial(connect("kinesis", role), "put_records", **put) == ""
    kinesis.start_stream_encryption(
        StreamName="changes", EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )
    message = kms_denial(connect("kinesis", role), put)
    assert message == denied_action or f"{denied_action} on resource: arn:aws:kms" in message


def kms_denial(kinesis: Any, put: dict[str, Any]) -> str:
    """Return the message that denies a put the use of the stream's key; "" if it is allowed."""
    try:
        kinesis.put_records(**put)
    except kinesis.exceptions.KMSAccessDeniedException as error:
        return str(error)
    return ""


def test_denials_are_kept_until_iam_changes(cloud: Cloud, connect: Connect) -> None:
    iam = cloud.service(Iam)
    client = connect("sqs", create_role())
    url = client.meta.endpoint_url + f"/{ACCOUNT}/letters"
    for _ in range(2):
        denial(client, "send_message", QueueUrl=url, MessageBody="x")
    (message,) = iam.denials()
    assert message.startswith("role mover lacks sqs:SendMessage: User: arn:aws:sts::")
    put_permissions(allow("sqs:SendMessage", "*"))
    assert iam.denials() == []


@pytest.mark.parametrize("action", ["GetObject", "GetObjectVersion"])
def test_a_version_needs_its_own_action(connect: Connect, action: str) -> None:
    aws("s3").create_bucket(Bucket="lake")
    enabled: Any = {"Status": "Enabled"}
    aws("s3").put_bucket_versioning(Bucket="lake", VersioningConfiguration=enabled)
    version = aws("s3").put_object(Bucket="lake", Key="a?b", Body=b"x")["VersionId"]
    objects = "arn:aws:s3:::lake/*"
    role = create_role(allow(f"s3:{action}", objects), allow("s3:PutObject", objects))
    client = connect("s3", role)
    current = {"Bucket": "lake", "Key": "a?b"}
    of_version = {**current, "VersionId": version}
    for source, required in ((current, "GetObject"), (of_version, "GetObjectVersion")):
        denials = [
            denial(client, "get_object", **source),
            denial(client, "copy_object", Bucket="lake", Key="copy", CopySource=source),
        ]
        is_denied = [f"s3:{required} on resource" in message for message in denials]
        assert is_denied == [required != action] * 2
