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
    Place,
)

Policy = dict[str, Any]


def pipe(place: Place) -> Policy:
    """Return the pipe's rights: read the table's stream, write to Kinesis, bury dead letters."""
    # A stream's ARN ends in its creation time: a re-created one must be readable too.
    streams = place.arn("dynamodb", f"table/{TABLE}/stream/*")
    read = ("DescribeStream", "GetRecords", "GetShardIterator")
    return document(
        allow("dynamodb", read, streams),
        allow("dynamodb", ("ListStreams",), "*"),  # AWS takes no narrower resource for it.
        allow("kinesis", ("PutRecord", "PutRecords"), place.arn("kinesis", f"stream/{STREAM}")),
        kinesis_key(place, "GenerateDataKey"),
        allow("sqs", ("SendMessage",), place.arn("sqs", DEAD_LETTERS)),
    )


def firehose(place: Place) -> Policy:
    """Return Firehose's rights: read Kinesis, call the function, write the lake and its errors."""
    read = ("DescribeStream", "GetShardIterator", "GetRecords", "ListShards")
    function = place.arn("lambda", f"function:{FUNCTION}")
    folders = [place.in_bucket(f"{LAKE}*"), place.in_bucket(f"{ERRORS}*")]
    return document(
        allow("kinesis", read, place.arn("kinesis", f"stream/{STREAM}")),
        kinesis_key(place, "Decrypt"),
        # Firehose calls the function by its qualified name, which the bare ARN does not cover.
        allow("lambda", ("InvokeFunction", "GetFunctionConfiguration"), function, f"{function}:*"),
        allow("s3", ("AbortMultipartUpload", "GetObject", "PutObject"), *folders),
        allow(
            "s3",
            ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads"),
            place.in_bucket(),
        ),
        allow(
            "logs", ("PutLogEvents",), place.arn("logs", f"log-group:{DELIVERY_LOGS}:log-stream:*")
        ),
    )


def function(place: Place) -> Policy:
    """Return the function's rights: its log, and nothing else."""
    logs = place.arn("logs", f"log-group:{FUNCTION_LOGS}:*")
    return document(allow("logs", ("CreateLogStream", "PutLogEvents"), logs))


def crawler(place: Place) -> Policy:
    """Return the crawler's rights: read the lake, and add what it finds to the one table."""
    catalog, database = place.arn("glue", "catalog"), place.arn("glue", f"database/{DATABASE}")
    tables, changes = (place.arn("glue", f"table/{DATABASE}/{table}") for table in ("*", CHANGES))
    look = ("GetDatabase", "GetTable", "GetTables", "GetPartition", "GetPartitions")
    write = ("UpdateTable", "CreatePartition", "BatchCreatePartition", "UpdatePartition")
    log = ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
    return document(
        allow("glue", (*look, "BatchGetPartition"), catalog, database, tables),
        allow("glue", (*write, "BatchUpdatePartition"), catalog, database, changes),
        allow("s3", ("GetObject",), place.in_bucket(f"{LAKE}*")),
        allow("s3", ("GetBucketLocation", "ListBucket"), place.in_bucket()),
        # All crawlers of an account share one log group.
        allow("logs", log, place.arn("logs", "log-group:/aws-glue/crawlers*")),
    )


def trust(service: str, condition: Policy | None = None) -> Policy:
    """Return who may assume a role: one service, under the condition."""
    statement: Policy = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    return document(statement | ({"Condition": condition} if condition else {}))


def trusts(place: Place) -> dict[str, Policy]:
    """Return whom each role trusts, each only on behalf of this account (the confused deputy)."""
    here = {"aws:SourceAccount": place.account}
    pipe_arn = {"aws:SourceArn": place.arn("pipes", f"pipe/{PIPE}")}
    return {
        "pipe": trust("pipes", {"StringEquals": here, "ArnEquals": pipe_arn}),
        "firehose": trust("firehose", {"StringEquals": {"sts:ExternalId": place.account}}),
        "lambda": trust("lambda"),  # Lambda does not say on whose behalf it comes.
        "crawler": trust("glue", {"StringEquals": here}),
    }


def rights(place: Place) -> dict[str, Policy]:
    """Return what each role may do."""
    return {
        "pipe": pipe(place),
        "firehose": firehose(place),
        "lambda": function(place),
        "crawler": crawler(place),
    }


def tls_only(place: Place) -> Policy:
    """Return the bucket's statement: whatever does not come through TLS is refused."""
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [place.in_bucket(), place.in_bucket("*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def kinesis_key(place: Place, action: str) -> Policy:
    """Return the use of the account's key for Kinesis, whose id nobody chooses, through Kinesis.

    Kinesis's guide says that its default key needs no such right, Firehose's asks for it in the
    role that reads an encrypted stream. It opens nothing but streams that the role may use anyway.
    """
    key = allow("kms", (action,), place.arn("kms", "key/*"))
    return key | {"Condition": {"StringEquals": {"kms:ViaService": place.via("kinesis")}}}


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


def meaning(policy: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a policy or a statement says, however AWS writes it down.

    It gives lists back in an order of its own, and a single member bare.

    >>> meaning({"Action": ["b", "a"]}) == meaning({"Action": ["a", "b"]})
    True
    >>> meaning({"Action": ["a"]}) == meaning({"Action": "a"}) != meaning({"Action": "b"})
    True
    """
    return {name: _members(value) for name, value in policy.items()}


def _members(value: Any) -> list[str]:
    members = value if isinstance(value, list) else [value]
    said = [meaning(one) if isinstance(one, Mapping) else one for one in members]
    return sorted(json.dumps(one, sort_keys=True) for one in said)
