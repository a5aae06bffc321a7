"""Create the bucket of the lake: private, encrypted, versioned, and reached through TLS only."""

import json
from typing import Any

import boto3
from botocore.exceptions import ClientError
from finding import agrees, existing
from names import QUERIES, TAG_LIST, bucket, place, region
from policies import tls_only
from script import run
from waiting import Refusal, accepted, wait_until

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

# Each has a call that sets it and one that tells it, and the name that AWS gives to it there.
SETTINGS = (
    ("public_access_block", "PublicAccessBlockConfiguration", PRIVATE),
    ("bucket_encryption", "ServerSideEncryptionConfiguration", ENCRYPTION),
    ("bucket_versioning", "VersioningConfiguration", {"Status": "Enabled"}),
    ("bucket_lifecycle_configuration", "LifecycleConfiguration", LIFECYCLE),
)


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
        wait_until(f"bucket {name}", lambda: "there" if is_ours(s3, name) else "missing", "there")
    for setting, member, wanted in SETTINGS:
        found = existing(getattr(s3, f"get_{setting}"), Bucket=name) or {}
        if not agrees(wanted, found.get(member, found)):  # Some answers are the setting itself.
            getattr(s3, f"put_{setting}")(Bucket=name, **{member: wanted})
    put_tag(s3, name)
    put_policy(s3, name)
    return f"bucket {name} holds the lake"


def put_tag(s3: Any, name: str) -> None:
    """Add the pipeline's tag to those that the bucket has; AWS only sets all of them."""
    tags = (existing(s3.get_bucket_tagging, Bucket=name) or {}).get("TagSet", [])
    if TAG_LIST[0] not in tags:
        others = [tag for tag in tags if tag["Key"] != TAG_LIST[0]["Key"]]
        s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": others + TAG_LIST})


def put_policy(s3: Any, name: str) -> None:
    """Set the bucket's policy unless it says the same already."""
    wanted, found = tls_only(place()), existing(s3.get_bucket_policy, Bucket=name)
    if not found or json.loads(found["Policy"]) != wanted:
        s3.put_bucket_policy(Bucket=name, Policy=json.dumps(wanted))


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
