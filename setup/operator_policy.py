"""Print the IAM policy that the commands of operations/ need.

Arguments limit it to some commands, for example `status gaps`. It fits into an inline policy of a
role, at most 10,240 characters; docs/aws.md shows how to attach it.
"""

import json
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup import names
from setup.lib.cli import argument_parser, run_on_aws
from setup.lib.iam_policies import (
    DEFAULT_DATABASE,
    DEFAULT_DATABASE_ACTIONS,
    MASKING_SECRET,
    RESULT_ACTIONS,
    Policy,
    allow,
    allow_kinesis_key,
    allow_own_key,
    log_group_resources,
    merged,
    policy_document,
    role_policies,
)
from setup.names import (
    ALARM_TOPIC,
    BACKFILLS,
    CHANGES,
    CRAWLER,
    DATABASE,
    DEAD_LETTERS,
    DELIVERY,
    DELIVERY_LOGS,
    ERRORS,
    EXCHANGE_RATES,
    FUNCTION,
    FUNCTION_LOGS,
    HISTORY,
    LAKE,
    LAKE_ID,
    PIPE,
    PIPE_LOGS,
    PIPELINE,
    QUERIES,
    RATES,
    RECENT,
    REPLAYED,
    STATE,
    STREAM,
    TABLE,
    TABLES,
    VIEWS,
    WORKGROUP,
    Location,
    location,
)

COMMANDS = {
    "verify": "verify, also with --gaps and --copy",
    "gaps": "verify --gaps alone, which only reads the lake",
    "repair": "verify --repair",
    "status": "status",
    "backfill": "backfill",
    "replay": "replay, also with --dry-run",
    "restore": "restore, also with --dry-run",
    "restore-table": f"restore --as-of, into a table whose name begins with {TABLE}-",
    "restore-items": "restore --as-of --key, into the table itself",
    "erase": "erase, also with --dry-run and --check",
    "compact": "compact, also with --dry-run",
    "plan": "plan --from-metrics",
    "rates": "rates",
}
RESTORING = ("restore-table", "restore-items")
QUERYING = ("verify", "gaps", "repair", "status", "replay", "compact", *RESTORING, "erase")
COPY_READING = ("verify", "gaps", "repair")
COPYING = ("compact", "erase")  # Erase drops the copy.
WRITING = ("repair", "backfill", "replay", "erase")
VERSION_READING = ("verify", "gaps", "repair", "replay", "restore", "erase")
ERASABLE = (f"{LAKE}*", f"{ERRORS}*", f"{REPLAYED}*")

COPY_TABLES = (
    "catalog",
    f"database/{DATABASE}",
    *(f"table/{DATABASE}/{table}" for table in (HISTORY, STATE, RECENT)),
)
ROLE_ACTIONS = ("GetRole", "GetRolePolicy", "ListRolePolicies", "ListAttachedRolePolicies")


@dataclass(frozen=True)
class Grant:
    """Actions of a service, the resources that they are limited to, and the commands using them.

    A resource is the last part of an ARN; for S3 it is a key, and `""` is the bucket itself.
    """

    service: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    commands: tuple[str, ...]


GRANTS = (
    Grant(
        "dynamodb",
        ("DescribeTable",),
        (f"table/{TABLE}",),
        ("verify", "repair", "status", "backfill", "replay", "erase", "plan"),
    ),
    Grant("dynamodb", ("Scan",), (f"table/{TABLE}",), ("verify", "repair", "backfill", "replay")),
    Grant(
        "dynamodb", ("BatchGetItem",), (f"table/{TABLE}",), ("verify", "repair", "replay", "erase")
    ),
    Grant(
        "dynamodb",
        ("GetShardIterator", "GetRecords"),
        (f"table/{TABLE}/stream/*",),
        ("repair", "replay", *RESTORING, "erase"),
    ),
    Grant(
        "dynamodb",
        ("DescribeTable", "Scan", "BatchWriteItem"),
        (f"table/{TABLE}-*",),
        ("restore-table",),
    ),
    Grant(
        "dynamodb",
        ("DescribeTable", "BatchGetItem", "BatchWriteItem"),
        (f"table/{TABLE}",),
        ("restore-items",),
    ),
    Grant(
        "pipes",
        ("DescribePipe",),
        (f"pipe/{PIPE}",),
        ("verify", "repair", "status", "backfill", "replay", *RESTORING, "erase"),
    ),
    Grant("kinesis", ("PutRecords",), (f"stream/{STREAM}",), WRITING),
    Grant(
        "kinesis",
        ("DescribeStreamSummary",),
        (f"stream/{STREAM}",),
        ("status", "backfill", "replay"),
    ),
    Grant(
        "kinesis",
        ("ListShards", "GetShardIterator", "GetRecords"),
        (f"stream/{STREAM}",),
        ("replay",),
    ),
    # Status compares every resource with what setup would create.
    Grant(
        "dynamodb",
        ("DescribeContinuousBackups", "DescribeTimeToLive"),
        (f"table/{TABLE}",),
        ("status",),
    ),
    Grant("dynamodb", ("DescribeStream",), (f"table/{TABLE}/stream/*",), ("status",)),
    Grant(
        "kinesis",
        ("ListTagsForStream", "GetResourcePolicy"),
        (f"stream/{STREAM}",),
        ("status",),
    ),
    Grant(
        "firehose",
        ("DescribeDeliveryStream",),
        (f"deliverystream/{DELIVERY}",),
        ("verify", "repair", "status", "backfill", "replay", *RESTORING, "erase"),
    ),
    Grant(
        "lambda",
        ("GetFunctionConfiguration",),
        (f"function:{FUNCTION}",),
        ("status", "replay"),
    ),
    Grant(
        "lambda", ("GetFunction", "GetFunctionConcurrency"), (f"function:{FUNCTION}",), ("status",)
    ),
    Grant(
        "logs",
        ("DescribeLogStreams", "DescribeMetricFilters"),
        log_group_resources(FUNCTION_LOGS, DELIVERY_LOGS),
        ("status",),
    ),
    Grant(
        "logs",
        ("DescribeLogStreams", "GetLogEvents"),
        log_group_resources(PIPE_LOGS),
        ("status",),
    ),
    Grant("sns", ("GetTopicAttributes",), (ALARM_TOPIC,), ("status",)),
    Grant(
        "sqs",
        ("GetQueueUrl", "GetQueueAttributes"),
        (DEAD_LETTERS,),
        ("repair", "status", "replay", *RESTORING, "erase"),
    ),
    Grant(
        "sqs",
        ("ReceiveMessage", "ChangeMessageVisibility"),
        (DEAD_LETTERS,),
        ("repair", "replay", *RESTORING, "erase"),
    ),
    Grant(
        "sqs",
        ("SendMessage", "DeleteMessage"),
        (DEAD_LETTERS,),
        ("replay",),
    ),
    Grant(
        "athena",
        ("StartQueryExecution", "GetQueryExecution", "GetQueryResults", "StopQueryExecution"),
        (f"workgroup/{WORKGROUP}",),
        QUERYING,
    ),
    Grant(
        "athena",
        ("ListQueryExecutions", "BatchGetQueryExecution"),
        (f"workgroup/{WORKGROUP}",),
        ("erase",),
    ),
    Grant(
        "athena",
        ("GetWorkGroup", "ListNamedQueries", "GetNamedQuery"),
        (f"workgroup/{WORKGROUP}",),
        ("status",),
    ),
    # Athena reads the catalog as its caller.
    Grant("glue", DEFAULT_DATABASE_ACTIONS, DEFAULT_DATABASE, QUERYING),
    Grant("glue", ("GetDatabase",), ("catalog", f"database/{DATABASE}"), QUERYING),
    Grant(
        "glue",
        ("GetTable",),
        ("catalog", f"database/{DATABASE}", f"table/{DATABASE}/{CHANGES}"),
        QUERYING,
    ),
    Grant(
        "glue",
        ("GetTable",),
        ("catalog", f"database/{DATABASE}", *(f"table/{DATABASE}/{view}" for view in VIEWS)),
        ("status",),
    ),
    Grant(
        "glue",
        ("GetPartitions",),
        ("catalog", f"database/{DATABASE}", f"table/{DATABASE}/{CHANGES}"),
        QUERYING,
    ),
    Grant("glue", ("GetTable", "GetPartitions"), COPY_TABLES, ("status", *COPYING, *COPY_READING)),
    Grant("glue", ("GetTable",), (f"table/{DATABASE}/{EXCHANGE_RATES}",), ("status",)),
    Grant("glue", ("DeletePartition", "UpdateTable"), COPY_TABLES, COPYING),
    Grant("glue", ("CreatePartition", "UpdatePartition"), COPY_TABLES, ("compact",)),
    Grant("glue", ("GetCrawler",), (f"crawler/{CRAWLER}",), ("status",)),
    Grant("cloudwatch", ("DescribeAlarms",), (f"alarm:{PIPELINE}-*",), ("status",)),
    # Athena reads the lake and writes its results with its caller's permissions.
    Grant("s3", ("ListBucket",), ("",), (*QUERYING, "backfill")),
    Grant(
        "s3",
        (
            "GetBucketPolicy",
            "GetBucketPublicAccessBlock",
            "GetBucketTagging",
            "GetBucketVersioning",
            "GetEncryptionConfiguration",
            "GetLifecycleConfiguration",
            "ListBucketVersions",
        ),
        ("",),
        ("status",),
    ),
    Grant("s3", ("GetBucketLocation", "ListBucketMultipartUploads"), ("",), QUERYING),
    Grant("s3", ("GetObject",), (f"{LAKE}*",), QUERYING),
    Grant("s3", RESULT_ACTIONS, (f"{QUERIES}*",), QUERYING),
    Grant("s3", (*RESULT_ACTIONS, "DeleteObject"), (f"{TABLES}*",), ("compact",)),
    Grant("s3", ("GetObject",), (f"{TABLES}*",), COPY_READING),
    Grant("s3", ("GetObject",), (f"{ERRORS}*",), ("repair", "replay", *RESTORING)),
    Grant("s3", ("PutObject", "DeleteObject"), (f"{ERRORS}*",), ("replay",)),
    Grant("s3", ("PutObject",), (f"{REPLAYED}*",), ("replay",)),
    Grant("s3", ("PutObject",), (f"{LAKE_ID}*", f"{BACKFILLS}*"), ("backfill",)),
    Grant("s3", ("PutObject",), (f"{RATES}*",), ("rates",)),
    Grant("s3", ("ListBucketVersions",), ("",), VERSION_READING),
    Grant("s3", ("GetObjectVersion",), (f"{LAKE}*",), VERSION_READING),
    Grant("s3", ("PutObject",), (f"{LAKE}*",), ("restore",)),
    Grant("s3", ("GetObjectVersion",), ("*",), ("erase",)),
    Grant("s3", ("GetObject", "PutObject"), ERASABLE, ("erase",)),
    Grant("s3", ("DeleteObjectVersion",), (*ERASABLE, f"{QUERIES}*", f"{TABLES}*"), ("erase",)),
)
# With PIPELINE_TAGS status compares the tags of every resource, too.
LOG_GROUPS = log_group_resources(FUNCTION_LOGS, DELIVERY_LOGS, PIPE_LOGS)
TAG_GRANTS = (
    Grant("athena", ("ListTagsForResource",), (f"workgroup/{WORKGROUP}",), ("status",)),
    Grant("cloudwatch", ("ListTagsForResource",), (f"alarm:{PIPELINE}-*",), ("status",)),
    Grant("dynamodb", ("ListTagsOfResource",), (f"table/{TABLE}",), ("status",)),
    Grant("firehose", ("ListTagsForDeliveryStream",), (f"deliverystream/{DELIVERY}",), ("status",)),
    Grant("glue", ("GetTags",), (f"database/{DATABASE}", f"crawler/{CRAWLER}"), ("status",)),
    Grant("lambda", ("ListTags",), (f"function:{FUNCTION}",), ("status",)),
    Grant("logs", ("ListTagsForResource",), LOG_GROUPS, ("status",)),
    Grant("pipes", ("ListTagsForResource",), (f"pipe/{PIPE}",), ("status",)),
    Grant("sns", ("ListTagsForResource",), (ALARM_TOPIC,), ("status",)),
    Grant("sqs", ("ListQueueTags",), (DEAD_LETTERS,), ("status",)),
)
# With MASKED the table's items are masked before they are compared with the lake.
MASKING_GRANTS = (
    Grant("secretsmanager", ("GetSecretValue",), (MASKING_SECRET,), ("verify", "repair", "replay")),
    Grant("secretsmanager", ("DescribeSecret",), (MASKING_SECRET,), ("status",)),
)


def build_policy(location: Location, commands: Collection[str] = tuple(COMMANDS)) -> Policy:
    """Return the policy for some of the commands: every action is limited to its resources."""

    def is_needed_by(users: tuple[str, ...]) -> bool:
        return not set(users).isdisjoint(commands)

    grants = [*GRANTS]
    grants += TAG_GRANTS if names.USER_TAGS else ()
    grants += MASKING_GRANTS if names.MASKED else ()
    statements = [
        allow(
            grant.service,
            grant.actions,
            *(resource_arn(location, grant.service, resource) for resource in grant.resources),
        )
        for grant in grants
        if is_needed_by(grant.commands)
    ]
    if is_needed_by(WRITING):
        statements.append(allow_kinesis_key(location, "GenerateDataKey"))
    if is_needed_by(("replay",)):
        statements.append(allow_kinesis_key(location, "Decrypt"))
    if is_needed_by(("status",)):
        roles = [location.role_arn(service) for service in role_policies(location)]
        statements.append(allow("iam", ROLE_ACTIONS, *roles))
        statements.append(allow("cloudwatch", ("GetDashboard",), location.dashboard_arn()))
        if names.USER_TAGS:
            dashboard_tags = ("ListTagsForResource",)
            statements.append(allow("cloudwatch", dashboard_tags, location.dashboard_arn()))
            statements.append(allow("iam", ("ListRoleTags",), *roles))
        statements.append(allow("logs", ("DescribeLogGroups",), "*"))  # Not to be limited.
    if is_needed_by(("status", "plan")):
        statements.append(allow("cloudwatch", ("GetMetricData",), "*"))  # Not to be limited.
    statements += allow_own_key("DescribeKey", "GenerateDataKey", "Decrypt")
    return policy_document(*merged(statements))


def resource_arn(location: Location, service: str, resource: str) -> str:
    """Return the ARN of a grant's resource."""
    return location.bucket_arn(resource) if service == "s3" else location.arn(service, resource)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    descriptions = "; ".join(f"{command}: {text}" for command, text in COMMANDS.items())
    parser.add_argument("commands", nargs="*", metavar="COMMAND", help=descriptions)
    args = parser.parse_args()
    commands = args.commands or tuple(COMMANDS)
    unknown = sorted(set(commands) - COMMANDS.keys())
    if unknown:
        parser.error(f"unknown command {', '.join(unknown)}: choose from {', '.join(COMMANDS)}")
    run_on_aws(lambda: json.dumps(build_policy(location(), commands), indent=2), parser.prog)
