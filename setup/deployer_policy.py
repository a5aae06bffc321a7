"""Print the IAM policy of whoever runs these scripts: what they ask of AWS, and nothing else.

It fits into a role's own policy, which holds 10 240 characters; docs/aws.md says how to give it.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import arguments, report
from setup.lib.iam_policies import Policy, allow, document
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
    PIPELINE,
    STREAM,
    TABLE,
    WORKGROUP,
    Location,
    location,
)

# Service, its actions, and the pipeline's own things that they are about.
GRANTS = (
    (
        "dynamodb",
        "CreateTable DeleteTable DescribeTable UpdateTable DescribeContinuousBackups "
        "UpdateContinuousBackups DescribeTimeToLive UpdateTimeToLive ListTagsOfResource "
        "TagResource",
        (f"table/{TABLE}",),
    ),
    ("dynamodb", "DescribeStream", (f"table/{TABLE}/stream/*",)),
    (
        "kinesis",
        "CreateStream DeleteStream DescribeStreamSummary ListShards GetShardIterator GetRecords "
        "AddTagsToStream ListTagsForStream",
        (f"stream/{STREAM}",),
    ),
    (
        "lambda",
        "CreateFunction DeleteFunction GetFunction GetFunctionConfiguration UpdateFunctionCode "
        "UpdateFunctionConfiguration ListTags TagResource",
        (f"function:{FUNCTION}",),
    ),
    (
        "logs",
        "CreateLogGroup DeleteLogGroup PutRetentionPolicy CreateLogStream DescribeLogStreams "
        "PutMetricFilter DeleteMetricFilter DescribeMetricFilters ListTagsForResource TagResource",
        tuple(
            f"log-group:{group}{end}"
            for group in (FUNCTION_LOGS, DELIVERY_LOGS)
            for end in ("", ":*")
        ),
    ),
    (
        "firehose",
        "CreateDeliveryStream DeleteDeliveryStream DescribeDeliveryStream UpdateDestination "
        "TagDeliveryStream ListTagsForDeliveryStream",
        (f"deliverystream/{DELIVERY}",),
    ),
    (
        "pipes",
        "CreatePipe DeletePipe DescribePipe UpdatePipe StartPipe StopPipe TagResource",
        (f"pipe/{PIPE}",),
    ),
    (
        "sqs",
        "CreateQueue DeleteQueue GetQueueUrl GetQueueAttributes SetQueueAttributes ListQueueTags "
        "TagQueue",
        (DEAD_LETTERS,),
    ),
    (
        "cloudwatch",
        "PutMetricAlarm DeleteAlarms DescribeAlarms ListTagsForResource TagResource",
        (f"alarm:{PIPELINE}-*",),
    ),
    (
        "sns",
        "CreateTopic DeleteTopic GetTopicAttributes Subscribe ListSubscriptionsByTopic "
        "ListTagsForResource TagResource",
        (ALARM_TOPIC,),
    ),
    (
        "glue",
        "CreateDatabase DeleteDatabase GetDatabase CreateTable DeleteTable GetTable GetTables "
        "UpdateTable",
        (
            "catalog",
            f"database/{DATABASE}",
            f"table/{DATABASE}/*",
            f"userDefinedFunction/{DATABASE}/*",
        ),
    ),
    # Athena makes the views as whoever asks it, and looks at its default database first, or at all.
    ("glue", "GetDatabase", ("catalog", "database/default")),
    ("glue", "GetDatabases", ("catalog", "database/*")),
    (
        "glue",
        "DeleteCrawler GetCrawler UpdateCrawler StartCrawler StopCrawler",
        (f"crawler/{CRAWLER}",),
    ),
    ("glue", "GetTags TagResource", (f"crawler/{CRAWLER}", f"database/{DATABASE}")),
    (
        "athena",
        "CreateWorkGroup DeleteWorkGroup GetWorkGroup UpdateWorkGroup StartQueryExecution "
        "GetQueryExecution CreateNamedQuery GetNamedQuery ListNamedQueries "
        "UpdateNamedQuery",
        (f"workgroup/{WORKGROUP}",),
    ),
    (
        "athena",
        "ListTagsForResource TagResource",
        tuple(
            f"{kind}/{WORKGROUP}" for kind in ("workgroup", "datacatalog", "capacity-reservation")
        ),
    ),
    (
        "quicksight",
        "DeleteDataSource DescribeDataSource UpdateDataSource PassDataSource CreateDataSet "
        "DeleteDataSet DescribeDataSet UpdateDataSet ListTagsForResource TagResource",
        (f"datasource/{PIPELINE}", f"dataset/{PIPELINE}-*"),
    ),
)
ROLES = (
    "CreateRole DeleteRole GetRole UpdateAssumeRolePolicy GetRolePolicy PutRolePolicy "
    "DeleteRolePolicy ListRolePolicies ListAttachedRolePolicies DetachRolePolicy TagRole"
)
BUCKET = (
    "CreateBucket DeleteBucket ListBucket ListBucketVersions GetBucketLocation GetBucketTagging "
    "PutBucketTagging GetBucketPublicAccessBlock PutBucketPublicAccessBlock "
    "PutBucketOwnershipControls GetEncryptionConfiguration PutEncryptionConfiguration "
    "GetBucketVersioning PutBucketVersioning GetLifecycleConfiguration PutLifecycleConfiguration "
    "GetBucketPolicy PutBucketPolicy"
)
SERVICES = ("firehose", "glue", "lambda", "pipes")


def deployer(location: Location) -> Policy:
    """Return the policy: every action bound to what bears the pipeline's name."""
    roles = [location.role_arn(service) for service in ("pipe", "firehose", "lambda", "crawler")]
    passed = {"iam:PassedToService": [f"{service}.amazonaws.com" for service in SERVICES]}
    return document(
        *(
            allow(service, tuple(actions.split()), *(location.arn(service, one) for one in things))
            for service, actions, things in GRANTS
        ),
        allow("iam", tuple(ROLES.split()), *roles),
        allow("iam", ("PassRole",), *roles) | {"Condition": {"StringEquals": passed}},
        allow("s3", tuple(BUCKET.split()), location.bucket_arn()),
        allow("s3", ("DeleteObject", "DeleteObjectVersion"), location.bucket_arn("*")),
        # Athena reads and writes as whoever asks it; and who sets the bucket's policy may do both.
        allow("s3", ("GetObject", "PutObject"), location.bucket_arn(), location.bucket_arn("*")),
        allow(
            "kinesis",
            ("StartStreamEncryption",),
            location.arn("kinesis", f"stream/{STREAM}"),
            location.arn("kms", "key/*"),
        ),
        # AWS takes no narrower resource for these, or does not write which.
        allow("logs", ("DescribeLogGroups",), "*"),
        allow("kinesis", ("UpdateStreamMode",), "*"),
        allow("glue", ("CreateCrawler",), "*"),
        allow("quicksight", ("CreateDataSource", "DescribeAccountSubscription"), "*"),
    )


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.parse_args()
    report(lambda: json.dumps(deployer(location()), indent=2), parser.prog)
