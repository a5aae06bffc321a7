"""Create the bucket of the lake: private, encrypted, versioned, and reached through TLS only."""

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError
from finding import existing
from names import QUERIES, TAG_LIST, bucket, place, region
from policies import tls_only
from script import run
from waiting import Refusal, accepted

ENCRYPTION = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
PRIVATE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
LIFECYCLE = {
    "Rules": [
        {
            "ID": "query results can be had again",
            "Filter": {"Prefix": QUERIES},
            "Status": "Enabled",
            "Expiration": {"Days": 30},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        },
        {
            "ID": "uploads that were never finished",
            "Filter": {"Prefix": ""},
            "Status": "Enabled",
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
        },
    ]
}


def create() -> str:
    """Create the bucket unless it is there, set what guards it, and say where the lake is."""
    s3, name = boto3.client("s3"), bucket()
    if not is_ours(s3, name):
        # us-east-1 is the one region that may not be named.
        elsewhere = {"CreateBucketConfiguration": {"LocationConstraint": region()}}
        where = {} if region() == "us-east-1" else elsewhere
        accepted(
            lambda: s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced", **where)
        )
        s3.get_waiter("bucket_exists").wait(Bucket=name)
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": TAG_LIST})
    s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=PRIVATE)
    s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=ENCRYPTION)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_lifecycle_configuration(Bucket=name, LifecycleConfiguration=LIFECYCLE)
    s3.put_bucket_policy(Bucket=name, Policy=json.dumps(tls_only(place())))
    return f"bucket {name} holds the lake"


def is_ours(s3: Any, name: str) -> bool:
    """Return whether the bucket is there; refuse where another account has taken its name."""
    try:
        return existing(s3.head_bucket, Bucket=name) is not None
    except ClientError as error:
        if error.response["Error"]["Code"] != "403":
            raise
    raise Refusal(f"bucket {name} belongs to somebody else: choose another PIPELINE_NAME")


if __name__ == "__main__":
    run(create, __doc__)
