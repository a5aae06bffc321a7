"""IAM policies: what each service may do, as pure functions of names and location."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from setup import names
from setup.lib.comparison import Difference
from setup.names import (
    CHANGES,
    DATABASE,
    DEAD_LETTERS,
    DELIVERY_LOGS,
    ERRORS,
    FUNCTION,
    FUNCTION_LOGS,
    LAKE,
    MASKING_KEY,
    PIPE,
    STREAM,
    TABLE,
    Location,
)

Policy = dict[str, Any]  # A policy or a statement: JSON of IAM's grammar.

# Athena works with its caller's permissions. Its guide requires these of every caller: on the
# catalog and the default database, which Athena creates if a region has none, and on the objects of
# results, which may be written in parts.
DEFAULT_DATABASE_ACTIONS = ("GetDatabase", "GetDatabases", "CreateDatabase")
DEFAULT_DATABASE = ("catalog", "database/default")
# AWS ends the ARN of a secret with six random characters; one that does not exist has none.
MASKING_SECRET = f"secret:{MASKING_KEY}*"
RESULT_ACTIONS = ("GetObject", "PutObject", "AbortMultipartUpload", "ListMultipartUploadParts")


def pipe_policy(location: Location, table: str, stream: str) -> Policy:
    """Return what the pipe may do: read the table's stream, write to Kinesis, send dead letters."""
    # A stream's ARN ends in its creation time, and a recreated stream must be readable too.
    table_streams = f"{table}/stream/*"
    read = ("DescribeStream", "GetRecords", "GetShardIterator")
    write = ("PutRecord", "PutRecords")
    return policy_document(
        allow("dynamodb", read, table_streams),
        allow("dynamodb", ("ListStreams",), "*"),  # AWS supports no narrower resource for it.
        allow("kinesis", write, stream),
        allow_kinesis_key(location, "GenerateDataKey"),
        allow("sqs", ("SendMessage",), location.arn("sqs", DEAD_LETTERS)),
        *allow_own_key("GenerateDataKey", "Decrypt"),  # To send to an encrypted queue.
    )


def firehose_policy(location: Location, stream: str) -> Policy:
    """Return what Firehose may do: read Kinesis, call the function, write rows and failures."""
    read = ("DescribeStream", "GetShardIterator", "GetRecords", "ListShards")
    write = ("AbortMultipartUpload", "GetObject", "PutObject")
    list_bucket = ("GetBucketLocation", "ListBucket", "ListBucketMultipartUploads")
    function = location.arn("lambda", f"function:{FUNCTION}")
    prefixes = [location.bucket_arn(f"{LAKE}*"), location.bucket_arn(f"{ERRORS}*")]
    log_streams = location.arn("logs", f"log-group:{DELIVERY_LOGS}:log-stream:*")
    return policy_document(
        allow("kinesis", read, stream),
        allow_kinesis_key(location, "Decrypt"),
        # Firehose calls the function by its qualified name, which the bare ARN does not match.
        allow("lambda", ("InvokeFunction", "GetFunctionConfiguration"), function, f"{function}:*"),
        allow("s3", write, *prefixes),
        allow("s3", list_bucket, location.bucket_arn()),
        allow("logs", ("PutLogEvents",), log_streams),
        *allow_own_key("GenerateDataKey", "Decrypt"),  # To write to an encrypted bucket, in parts.
    )


def function_policy(location: Location) -> Policy:
    """Return what the function may do: write its own log, and read the key of the masking."""
    log_streams = location.arn("logs", f"log-group:{FUNCTION_LOGS}:*")
    write_log = allow("logs", ("CreateLogStream", "PutLogEvents"), log_streams)
    if not names.MASKED:
        return policy_document(write_log)
    secret = location.arn("secretsmanager", MASKING_SECRET)
    read_key = allow("secretsmanager", ("GetSecretValue",), secret)
    return policy_document(write_log, read_key, *allow_own_key("Decrypt"))


def crawler_policy(location: Location) -> Policy:
    """Return what the crawler may do: read the lake, and change its one table."""
    catalog = location.arn("glue", "catalog")
    database = location.arn("glue", f"database/{DATABASE}")
    all_tables = location.arn("glue", f"table/{DATABASE}/*")
    changes_table = location.arn("glue", f"table/{DATABASE}/{CHANGES}")
    read = (
        "GetDatabase",
        "GetTable",
        "GetTables",
        "GetPartition",
        "GetPartitions",
        "BatchGetPartition",
    )
    write = (
        "UpdateTable",
        "CreatePartition",
        "BatchCreatePartition",
        "UpdatePartition",
        "BatchUpdatePartition",
    )
    log = ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
    return policy_document(
        allow("glue", read, catalog, database, all_tables),
        allow("glue", write, catalog, database, changes_table),
        allow("s3", ("GetObject",), location.bucket_arn(f"{LAKE}*")),
        allow("s3", ("GetBucketLocation", "ListBucket"), location.bucket_arn()),
        # All crawlers of an account share one log group.
        allow("logs", log, location.arn("logs", "log-group:/aws-glue/crawlers*")),
        *allow_own_key("Decrypt"),
    )


def trust_policy(service: str, condition: Policy | None = None) -> Policy:
    """Return the policy that lets one service assume a role, under the condition if given."""
    statement: Policy = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    if condition is not None:
        statement["Condition"] = condition
    return policy_document(statement)


def trust_policies(location: Location) -> dict[str, Policy]:
    """Return each role's trust policy, limited to this account against the confused deputy."""
    source_account = {"aws:SourceAccount": location.account}
    source_pipe = {"aws:SourceArn": location.arn("pipes", f"pipe/{PIPE}")}
    external_id = {"sts:ExternalId": location.account}
    return {
        "pipe": trust_policy("pipes", {"StringEquals": source_account, "ArnEquals": source_pipe}),
        "firehose": trust_policy("firehose", {"StringEquals": external_id}),
        "lambda": trust_policy("lambda"),  # Lambda sends no condition key for its source.
        "crawler": trust_policy("glue", {"StringEquals": source_account}),
    }


def unconditional_trust(service: str) -> Policy | None:
    """Return the trust policy without its condition that a role may have too; None for most.

    AWS does not document whether Glue presents aws:SourceAccount when it assumes a crawler's role.
    """
    return trust_policy("glue") if service == "crawler" else None


def role_policies(
    location: Location, table: str | None = None, stream: str | None = None
) -> dict[str, Policy]:
    """Return each role's permissions policy.

    `table` and `stream` are the ARNs that their servers report: a server other than AWS may name
    another account. None stands for the ARN on AWS.
    """
    table = table or location.arn("dynamodb", f"table/{TABLE}")
    stream = stream or location.arn("kinesis", f"stream/{STREAM}")
    return {
        "pipe": pipe_policy(location, table, stream),
        "firehose": firehose_policy(location, stream),
        "lambda": function_policy(location),
        "crawler": crawler_policy(location),
    }


def tls_only_statement(location: Location) -> Policy:
    """Return the bucket policy's statement that denies requests without TLS."""
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [location.bucket_arn(), location.bucket_arn("*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def allow_own_key(*actions: str) -> list[Policy]:
    """Return the statement that allows use of the user's key, if setup uses one."""
    return [allow("kms", actions, names.KMS_KEY)] if names.KMS_KEY else []


def allow_kinesis_key(location: Location, action: str) -> Policy:
    """Allow use of the stream's key, only through Kinesis. The id of AWS's own key is unknown.

    Kinesis's guide says that its default key needs no such permission, but Firehose's guide
    requires it of the role that reads an encrypted stream. It gives access to no more streams than
    the role may read and write anyway.
    """
    statement = allow("kms", (action,), names.KMS_KEY or location.arn("kms", "key/*"))
    via_kinesis = {"kms:ViaService": location.service_host("kinesis")}
    return statement | {"Condition": {"StringEquals": via_kinesis}}


def log_group_resources(*groups: str) -> tuple[str, ...]:
    """Return log groups as IAM spells them: AWS judges some calls by the streams in a group."""
    return tuple(f"log-group:{group}{end}" for group in groups for end in ("", ":*"))


def allow(service: str, actions: tuple[str, ...], *resources: str) -> Policy:
    """Return the statement that allows a service's actions on the resources."""
    return {
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions],
        "Resource": list(resources),
    }


def policy_document(*statements: Policy) -> Policy:
    """Return a policy of the statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def merged(statements: Iterable[Policy]) -> list[Policy]:
    """Return the statements, those about the same resources as one; a policy's size is limited."""
    actions: dict[tuple[str, ...], list[str]] = {}
    conditional = []
    for statement in statements:
        if "Condition" in statement:
            conditional.append(statement)
        else:
            actions.setdefault(tuple(statement["Resource"]), []).extend(statement["Action"])
    unconditional = [
        {"Effect": "Allow", "Action": list(dict.fromkeys(allowed)), "Resource": list(resources)}
        for resources, allowed in actions.items()
    ]
    return [*unconditional, *conditional]


def with_statement(policy: Policy, statement: Policy) -> Policy:
    """Return the policy with the statement in place of the one with the same Sid."""
    current = policy["Statement"]
    statements = current if isinstance(current, list) else [current]  # One may be without a list.
    others = [other for other in statements if other.get("Sid") != statement["Sid"]]
    return {**policy, "Statement": [*others, statement]}


def normalized(policy: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return a policy or statement in a form that is equal for equivalent spellings.

    AWS returns lists in an order of its own, and may return a list of one as its only member.

    >>> normalized({"Action": ["b", "a"]}) == normalized({"Action": ["a", "b"]})
    True
    >>> normalized({"Action": ["a"]}) == normalized({"Action": "a"})
    True
    >>> normalized({"Action": "a"}) == normalized({"Action": "b"})
    False
    """
    return {name: _normalized_members(value) for name, value in policy.items()}


def policy_differences(desired: Policy, actual: Policy) -> Iterator[Difference]:
    """Yield the members in which two policies differ in their meaning."""
    for name in sorted(desired.keys() | actual.keys()):
        expected = _by_meaning(desired, name)
        current = _by_meaning(actual, name)
        missing = [expected[meaning] for meaning in expected if meaning not in current]
        surplus = [current[meaning] for meaning in current if meaning not in expected]
        if missing or surplus:
            yield Difference(name, missing or None, surplus or None)


def _by_meaning(policy: Policy, name: str) -> dict[str, Any]:
    """Return what a policy has under a name, such as its statements, each by its normal form."""
    value = policy.get(name, [])
    members = value if isinstance(value, list) else [value]
    return {_normalized_members(member)[0]: member for member in members}


# Members are texts or, as conditions and statements, mappings.
def _normalized_members(value: Any) -> list[str]:
    members = value if isinstance(value, list) else [value]
    plain = [normalized(member) if isinstance(member, Mapping) else member for member in members]
    return sorted(json.dumps(member, sort_keys=True) for member in plain)
