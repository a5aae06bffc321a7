"""What each service may do, as pure functions of the pipeline's names and place."""

import json
from collections.abc import Mapping
from typing import Any

from setup.names import (
    CHANGES,
    DATABASE,
    DEAD_LETTERS,
    DELIVERY_LOGS,
    ERRORS,
    FUNCTION,
    FUNCTION_LOGS,
    LAKE,
    PIPE,
    STREAM,
    TABLE,
    Location,
)

Policy = dict[str, Any]


def pipe(location: Location) -> Policy:
    """Return the pipe's rights: read the table's stream, write to Kinesis, bury dead letters."""
    # A stream's ARN ends in its creation time: a re-created one must be readable too.
    streams = location.arn("dynamodb", f"table/{TABLE}/stream/*")
    read = ("DescribeStream", "GetRecords", "GetShardIterator")
    return document(
        allow("dynamodb", read, streams),
        allow("dynamodb", ("ListStreams",), "*"),  # AWS takes no narrower resource for it.
        allow("kinesis", ("PutRecord", "PutRecords"), location.arn("kinesis", f"stream/{STREAM}")),
        kinesis_key(location, "GenerateDataKey"),
        allow("sqs", ("SendMessage",), location.arn("sqs", DEAD_LETTERS)),
    )


def firehose(location: Location) -> Policy:
    """Return Firehose's rights: read Kinesis, call the function, write the lake and its errors."""
    read = ("DescribeStream", "GetShardIterator", "GetRecords", "ListShards")
    function = location.arn("lambda", f"function:{FUNCTION}")
    folders = [location.bucket_arn(f"{LAKE}*"), location.bucket_arn(f"{ERRORS}*")]
    return document(
        allow("kinesis", read, location.arn("kinesis", f"stream/{STREAM}")),
        kinesis_key(location, "Decrypt"),
        # Firehose calls the function by its qualified name, which the bare ARN does not cover.
        allow("lambda", ("InvokeFunction", "GetFunctionConfiguration"), function, f"{function}:*"),
        allow("s3", ("AbortMultipartUpload", "GetObject", "PutObject"), *folders),
        allow(
            "s3",
            ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads"),
            location.bucket_arn(),
        ),
        allow(
            "logs",
            ("PutLogEvents",),
            location.arn("logs", f"log-group:{DELIVERY_LOGS}:log-stream:*"),
        ),
    )


def function(location: Location) -> Policy:
    """Return the function's rights: its log, and nothing else."""
    logs = location.arn("logs", f"log-group:{FUNCTION_LOGS}:*")
    return document(allow("logs", ("CreateLogStream", "PutLogEvents"), logs))


def crawler(location: Location) -> Policy:
    """Return the crawler's rights: read the lake, and add what it finds to the one table."""
    catalog, database = (
        location.arn("glue", "catalog"),
        location.arn("glue", f"database/{DATABASE}"),
    )
    tables, changes = (
        location.arn("glue", f"table/{DATABASE}/{table}") for table in ("*", CHANGES)
    )
    look = ("GetDatabase", "GetTable", "GetTables", "GetPartition", "GetPartitions")
    write = ("UpdateTable", "CreatePartition", "BatchCreatePartition", "UpdatePartition")
    log = ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
    return document(
        allow("glue", (*look, "BatchGetPartition"), catalog, database, tables),
        allow("glue", (*write, "BatchUpdatePartition"), catalog, database, changes),
        allow("s3", ("GetObject",), location.bucket_arn(f"{LAKE}*")),
        allow("s3", ("GetBucketLocation", "ListBucket"), location.bucket_arn()),
        # All crawlers of an account share one log group.
        allow("logs", log, location.arn("logs", "log-group:/aws-glue/crawlers*")),
    )


def trust(service: str, condition: Policy | None = None) -> Policy:
    """Return who may assume a role: one service, under the condition."""
    statement: Policy = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return document(statement | ({"Condition": condition} if condition else {}))


def trusts(location: Location) -> dict[str, Policy]:
    """Return whom each role trusts, each only on behalf of this account (the confused deputy)."""
    here = {"aws:SourceAccount": location.account}
    pipe_arn = {"aws:SourceArn": location.arn("pipes", f"pipe/{PIPE}")}
    return {
        "pipe": trust("pipes", {"StringEquals": here, "ArnEquals": pipe_arn}),
        "firehose": trust("firehose", {"StringEquals": {"sts:ExternalId": location.account}}),
        "lambda": trust("lambda"),  # Lambda does not say on whose behalf it comes.
        "crawler": trust("glue", {"StringEquals": here}),
    }


def rights(location: Location) -> dict[str, Policy]:
    """Return what each role may do."""
    return {
        "pipe": pipe(location),
        "firehose": firehose(location),
        "lambda": function(location),
        "crawler": crawler(location),
    }


def tls_only(location: Location) -> Policy:
    """Return the bucket's statement: whatever does not come through TLS is refused."""
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [location.bucket_arn(), location.bucket_arn("*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def kinesis_key(location: Location, action: str) -> Policy:
    """Return the use of the account's key for Kinesis, whose id nobody chooses, through Kinesis.

    Kinesis's guide says that its default key needs no such right, Firehose's asks for it in the
    role that reads an encrypted stream. It opens nothing but streams that the role may use anyway.
    """
    key = allow("kms", (action,), location.arn("kms", "key/*"))
    return key | {
        "Condition": {"StringEquals": {"kms:ViaService": location.service_host("kinesis")}}
    }


def allow(service: str, actions: tuple[str, ...], *resources: str) -> Policy:
    """Return the statement that allows a service's actions on the resources."""
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": list(resources),
    }


def document(*statements: Policy) -> Policy:
    """Return the policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def with_statement(policy: Policy, wanted: Policy) -> Policy:
    """Return a policy with this statement in place of the one of its name; the others stay."""
    stated = policy["Statement"]
    statements = stated if isinstance(stated, list) else [stated]  # AWS takes a single one bare.
    others = [each for each in statements if each.get("Sid") != wanted["Sid"]]
    return {**policy, "Statement": [*others, wanted]}


def normalized(policy: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a policy or a statement says, however AWS writes it down.

    It gives lists back in an order of its own, and a single member bare.

    >>> normalized({"Action": ["b", "a"]}) == normalized({"Action": ["a", "b"]})
    True
    >>> normalized({"Action": ["a"]}) == normalized({"Action": "a"}) != normalized({"Action": "b"})
    True
    """
    return {name: _members(value) for name, value in policy.items()}


def _members(value: Any) -> list[str]:
    members = value if isinstance(value, list) else [value]
    said = [normalized(one) if isinstance(one, Mapping) else one for one in members]
    return sorted(json.dumps(one, sort_keys=True) for one in said)
