"""Print the IAM policy that these scripts need: the calls that they make, and nothing else.

It fits into an inline policy of a role, at most 10,240 characters; docs/aws.md shows how to attach
it.
"""

import json
import sys
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
    allow_own_key,
    log_group_resources,
    merged,
    policy_document,
)
from setup.names import (
    ALARM_TOPIC,
    CRAWLER,
    DATABASE,
    DEAD_LETTERS,
    DELIVERY,
    DELIVERY_LOGS,
    FUNCTION,
    FUNCTION_LOGS,
    PIPE,
    PIPE_LOGS,
    PIPELINE,
    STREAM,
    TABLE,
    WORKGROUP,
    Location,
    location,
)

# For each service: actions, and the resources of the pipeline that they are limited to.
GRANTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    (
        "dynamodb",
        (
            "CreateTable",
            "DeleteTable",
            "DescribeTable",
            "UpdateTable",
            "DescribeContinuousBackups",
            "UpdateContinuousBackups",
            "DescribeTimeToLive",
            "UpdateTimeToLive",
            "ListTagsOfResource",
            "TagResource",
        ),
        (f"table/{TABLE}",),
    ),
    ("dynamodb", ("DescribeStream",), (f"table/{TABLE}/stream/*",)),
    (
        "kinesis",
        (
            "CreateStream",
            "DeleteStream",
            "DescribeStreamSummary",
            "ListShards",
            "GetShardIterator",
            "GetRecords",
            "AddTagsToStream",
            "ListTagsForStream",
        ),
        (f"stream/{STREAM}",),
    ),
    (
        "lambda",
        (
            "CreateFunction",
            "DeleteFunction",
            "GetFunction",
            "GetFunctionConfiguration",
            "UpdateFunctionCode",
            "UpdateFunctionConfiguration",
            "ListTags",
            "TagResource",
        ),
        (f"function:{FUNCTION}",),
    ),
    (
        "logs",
        (
            "CreateLogGroup",
            "DeleteLogGroup",
            "PutRetentionPolicy",
            "AssociateKmsKey",
            "CreateLogStream",
            "DescribeLogStreams",
            "PutMetricFilter",
            "DeleteMetricFilter",
            "DescribeMetricFilters",
            "ListTagsForResource",
            "TagResource",
        ),
        log_group_resources(FUNCTION_LOGS, DELIVERY_LOGS, PIPE_LOGS),
    ),
    (
        "firehose",
        (
            "CreateDeliveryStream",
            "DeleteDeliveryStream",
            "DescribeDeliveryStream",
            "UpdateDestination",
            "TagDeliveryStream",
            "ListTagsForDeliveryStream",
        ),
        (f"deliverystream/{DELIVERY}",),
    ),
    (
        "pipes",
        (
            "CreatePipe",
            "DeletePipe",
            "DescribePipe",
            "UpdatePipe",
            "StartPipe",
            "StopPipe",
            "ListTagsForResource",
            "TagResource",
        ),
        (f"pipe/{PIPE}",),
    ),
    (
        "sqs",
        (
            "CreateQueue",
            "DeleteQueue",
            "GetQueueUrl",
            "GetQueueAttributes",
            "SetQueueAttributes",
            "ListQueueTags",
            "TagQueue",
        ),
        (DEAD_LETTERS,),
    ),
    (
        "cloudwatch",
        ("PutMetricAlarm", "DeleteAlarms", "DescribeAlarms", "ListTagsForResource", "TagResource"),
        (f"alarm:{PIPELINE}-*",),
    ),
    (
        "sns",
        (
            "CreateTopic",
            "DeleteTopic",
            "GetTopicAttributes",
            "SetTopicAttributes",
            "Subscribe",
            "ListSubscriptionsByTopic",
            "ListTagsForResource",
            "TagResource",
        ),
        (ALARM_TOPIC,),
    ),
    (
        "glue",
        (
            "CreateDatabase",
            "DeleteDatabase",
            "GetDatabase",
            "CreateTable",
            "DeleteTable",
            "GetTable",
            "GetTables",
            "UpdateTable",
        ),
        (
            "catalog",
            f"database/{DATABASE}",
            f"table/{DATABASE}/*",
            f"userDefinedFunction/{DATABASE}/*",
        ),
    ),
    # To read lake and copy, Athena needs these of its caller.
    ("glue", ("GetPartitions",), ("catalog", f"database/{DATABASE}", f"table/{DATABASE}/*")),
    ("glue", DEFAULT_DATABASE_ACTIONS, DEFAULT_DATABASE),
    # To create a view, Athena looks up all databases.
    ("glue", ("GetDatabases",), ("catalog", "database/*")),
    (
        "glue",
        ("DeleteCrawler", "GetCrawler", "UpdateCrawler", "StartCrawler", "StopCrawler"),
        (f"crawler/{CRAWLER}",),
    ),
    ("glue", ("GetTags", "TagResource"), (f"crawler/{CRAWLER}", f"database/{DATABASE}")),
    (
        "athena",
        (
            "CreateWorkGroup",
            "DeleteWorkGroup",
            "GetWorkGroup",
            "UpdateWorkGroup",
            "StartQueryExecution",
            "GetQueryExecution",
            "GetQueryResults",
            "CreateNamedQuery",
            "GetNamedQuery",
            "ListNamedQueries",
            "UpdateNamedQuery",
        ),
        (f"workgroup/{WORKGROUP}",),
    ),
    (
        "athena",
        ("ListTagsForResource", "TagResource"),
        tuple(
            f"{kind}/{WORKGROUP}" for kind in ("workgroup", "datacatalog", "capacity-reservation")
        ),
    ),
    (
        "quicksight",
        (
            "DeleteDataSource",
            "DescribeDataSource",
            "UpdateDataSource",
            "PassDataSource",
            "CreateDataSet",
            "DeleteDataSet",
            "DescribeDataSet",
            "UpdateDataSet",
            "ListTagsForResource",
            "TagResource",
        ),
        (f"datasource/{PIPELINE}", f"dataset/{PIPELINE}-*"),
    ),
)
DASHBOARD_ACTIONS = (
    "GetDashboard",
    "PutDashboard",
    "DeleteDashboards",
    "ListTagsForResource",
    "TagResource",
)
SECRET_ACTIONS = ("CreateSecret", "DeleteSecret", "DescribeSecret", "TagResource")
ROLE_ACTIONS = (
    "CreateRole",
    "DeleteRole",
    "GetRole",
    "UpdateAssumeRolePolicy",
    "GetRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "ListRolePolicies",
    "ListAttachedRolePolicies",
    "DetachRolePolicy",
    "ListRoleTags",
    "TagRole",
)
BUCKET_ACTIONS = (
    "CreateBucket",
    "DeleteBucket",
    "ListBucket",
    "ListBucketVersions",
    "ListBucketMultipartUploads",
    "GetBucketLocation",
    "GetBucketTagging",
    "PutBucketTagging",
    "GetBucketPublicAccessBlock",
    "PutBucketPublicAccessBlock",
    "PutBucketOwnershipControls",
    "GetEncryptionConfiguration",
    "PutEncryptionConfiguration",
    "GetBucketVersioning",
    "PutBucketVersioning",
    "GetLifecycleConfiguration",
    "PutLifecycleConfiguration",
    "GetBucketPolicy",
    "PutBucketPolicy",
)
# Required of the caller whose pipe is to write a log; AWS makes these calls.
LOG_DELIVERY_ACTIONS = (
    "CreateLogDelivery",
    "GetLogDelivery",
    "UpdateLogDelivery",
    "DeleteLogDelivery",
    "ListLogDeliveries",
    "PutResourcePolicy",
    "DescribeResourcePolicies",
)
ROLE_SERVICES = ("firehose", "glue", "lambda", "pipes")


def build_policy(location: Location) -> Policy:
    """Return the policy: every action is limited to resources with the pipeline's name."""
    roles = [location.role_arn(service) for service in ("pipe", "firehose", "lambda", "crawler")]
    passed_to = {"iam:PassedToService": [f"{service}.amazonaws.com" for service in ROLE_SERVICES]}
    stream = location.arn("kinesis", f"stream/{STREAM}")
    bucket = location.bucket_arn()
    objects = location.bucket_arn("*")
    grants = [
        allow(service, actions, *(location.arn(service, resource) for resource in resources))
        for service, actions, resources in GRANTS
    ]
    if names.MASKED:
        secret = location.arn("secretsmanager", MASKING_SECRET)
        grants.append(allow("secretsmanager", SECRET_ACTIONS, secret))
    statements = [
        *grants,
        allow("cloudwatch", DASHBOARD_ACTIONS, location.dashboard_arn()),
        allow("iam", ROLE_ACTIONS, *roles),
        allow("iam", ("PassRole",), *roles) | {"Condition": {"StringEquals": passed_to}},
        allow("s3", BUCKET_ACTIONS, bucket),
        allow("s3", ("DeleteObject", "DeleteObjectVersion"), objects),
        # Athena reads and writes with its caller's permissions. They widen nothing: the deployer
        # may set the bucket's policy anyway.
        allow("s3", RESULT_ACTIONS, objects),
        allow("kinesis", ("StartStreamEncryption",), stream, location.arn("kms", "key/*")),
        *allow_own_key("DescribeKey", "GenerateDataKey", "Decrypt"),
        # AWS supports no narrower resource for these, or does not document one.
        allow("logs", ("DescribeLogGroups", *LOG_DELIVERY_ACTIONS), "*"),
        allow("kinesis", ("UpdateStreamMode",), "*"),
        allow("glue", ("CreateCrawler",), "*"),
        # Who else reads the stream of an adopted table.
        allow("lambda", ("ListEventSourceMappings",), "*"),
        allow("pipes", ("ListPipes",), "*"),
        allow("quicksight", ("CreateDataSource", "DescribeAccountSubscription"), "*"),
    ]
    return policy_document(*merged(statements))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.parse_args()
    run_on_aws(lambda: json.dumps(build_policy(location()), indent=2), parser.prog)
