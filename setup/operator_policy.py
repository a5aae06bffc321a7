"""Print the IAM policy of whoever operates the pipeline: what the verbs of operations/ ask of AWS.

Verbs named as arguments, `status gaps` say, have a policy of their own; without any it is for all.
It fits into a role's own policy, which holds 10 240 characters; docs/aws.md says how to give it.
"""

import json
import sys
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import arguments, report
from setup.lib.iam_policies import Policy, allow, document, kinesis_key
from setup.names import (
    CHANGES,
    CRAWLER,
    DATABASE,
    DEAD_LETTERS,
    DELIVERY,
    ERRORS,
    FUNCTION,
    LAKE,
    PIPE,
    PIPELINE,
    QUERIES,
    REPLAYED,
    STREAM,
    TABLE,
    WORKGROUP,
    Location,
    location,
)

VERBS = {
    "verify": "verify, --gaps too",
    "gaps": "verify --gaps alone, which reads the lake only",
    "repair": "verify --repair",
    "status": "status",
    "backfill": "backfill",
    "replay": "replay, --dry-run too",
}
ASKING, SENDING = "verify gaps repair", "repair backfill replay"

# Service, its actions, the pipeline's own things that they are about, and the verbs that ask.
GRANTS = (
    ("dynamodb", "DescribeTable", (f"table/{TABLE}",), "verify repair status backfill"),
    ("dynamodb", "Scan", (f"table/{TABLE}",), "verify repair backfill"),
    ("dynamodb", "BatchGetItem", (f"table/{TABLE}",), "verify repair"),
    ("dynamodb", "GetShardIterator GetRecords", (f"table/{TABLE}/stream/*",), "replay"),
    ("pipes", "DescribePipe", (f"pipe/{PIPE}",), "status backfill"),
    ("kinesis", "PutRecords", (f"stream/{STREAM}",), SENDING),
    (
        "kinesis",
        "DescribeStreamSummary ListShards GetShardIterator GetRecords",
        (f"stream/{STREAM}",),
        "status",
    ),
    (
        "firehose",
        "DescribeDeliveryStream",
        (f"deliverystream/{DELIVERY}",),
        "verify repair status backfill replay",
    ),
    ("lambda", "GetFunctionConfiguration", (f"function:{FUNCTION}",), "status replay"),
    ("sqs", "GetQueueUrl GetQueueAttributes", (DEAD_LETTERS,), "status replay"),
    (
        "sqs",
        "ReceiveMessage SendMessage DeleteMessage ChangeMessageVisibility",
        (DEAD_LETTERS,),
        "replay",
    ),
    (
        "athena",
        "StartQueryExecution GetQueryExecution GetQueryResults StopQueryExecution",
        (f"workgroup/{WORKGROUP}",),
        ASKING,
    ),
    ("athena", "GetWorkGroup", (f"workgroup/{WORKGROUP}",), "status"),
    # Athena reads the catalog as whoever asks it, and looks at its default database first.
    ("glue", "GetDatabase", ("catalog", "database/default", f"database/{DATABASE}"), ASKING),
    (
        "glue",
        "GetTable",
        ("catalog", f"database/{DATABASE}", f"table/{DATABASE}/{CHANGES}"),
        f"{ASKING} status",
    ),
    (
        "glue",
        "GetPartitions",
        ("catalog", f"database/{DATABASE}", f"table/{DATABASE}/{CHANGES}"),
        ASKING,
    ),
    ("glue", "GetCrawler", (f"crawler/{CRAWLER}",), "status"),
    ("cloudwatch", "DescribeAlarms", (f"alarm:{PIPELINE}-*",), "status"),
)
# Actions of S3, the keys that they are about (the bucket itself has none), and the verbs that ask.
# Athena reads the lake and writes its answer as whoever asks it.
IN_BUCKET = (
    ("ListBucket", "", f"{ASKING} status replay"),
    ("GetBucketLocation", "", ASKING),
    ("GetObject", f"{LAKE}*", ASKING),
    ("GetObject PutObject AbortMultipartUpload", f"{QUERIES}*", ASKING),
    ("GetObject PutObject DeleteObject", f"{ERRORS}*", "replay"),
    ("PutObject", f"{REPLAYED}*", "replay"),
)


def operator(location: Location, verbs: Collection[str] = tuple(VERBS)) -> Policy:
    """Return the policy for some of the verbs: every action bound to what it is about."""

    def asked(by: str) -> bool:
        return not set(by.split()).isdisjoint(verbs)

    own = (
        allow(service, tuple(actions.split()), *(location.arn(service, one) for one in things))
        for service, actions, things, by in GRANTS
        if asked(by)
    )
    bucket_arn = (
        allow("s3", tuple(actions.split()), location.bucket_arn(keys))
        for actions, keys, by in IN_BUCKET
        if asked(by)
    )
    keys = (("GenerateDataKey", SENDING), ("Decrypt", "status"))
    use_of_keys = (kinesis_key(location, action) for action, by in keys if asked(by))
    # AWS takes no narrower resource for it.
    measures = [allow("cloudwatch", ("GetMetricData",), "*")] if asked("status") else []
    return document(*own, *bucket_arn, *use_of_keys, *measures)


if __name__ == "__main__":
    parser = arguments(__doc__)
    told = "; ".join(f"{verb}: {normalized}" for verb, normalized in VERBS.items())
    parser.add_argument("verbs", nargs="*", metavar="VERB", help=told)
    wanted = parser.parse_args().verbs or tuple(VERBS)
    if unknown := sorted(set(wanted) - VERBS.keys()):
        parser.error(f"expected some of {', '.join(VERBS)}; found {', '.join(unknown)}")
    report(lambda: json.dumps(operator(location(), wanted), indent=2), parser.prog)
