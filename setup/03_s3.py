"""Create the bucket of the lake: private, encrypted, versioned, and reached through TLS only."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # `setup` is importable.

from setup.lib.cli import run
from setup.lib.iam_policies import document, normalized, tls_only, with_statement
from setup.lib.resources import describe_or_none, matches_desired
from setup.lib.waiters import SetupError, retry_until_accepted, wait_until
from setup.names import QUERIES, TAG_LIST, bucket, location, region

PRIVATE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
ENCRYPTED = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
VERSIONED = {"Status": "Enabled"}
RESULTS = {
    "ID": "query results can be had again",
    "Filter": {"Prefix": QUERIES},
    "Status": "Enabled",
    "Expiration": {"Days": 30},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
}
UPLOADS = {
    "ID": "uploads that were never finished",
    "Filter": {"Prefix": ""},
    "Status": "Enabled",
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
}


def create() -> str:
    """Create the bucket unless it is there, set what guards it, and say where the lake is."""
    s3, name = boto3.client("s3"), bucket()
    if not is_ours(s3, name):
        # us-east-1 is the one region that may not be named.
        there = {"CreateBucketConfiguration": {"LocationConstraint": region()}}
        new = {"Bucket": name, "ObjectOwnership": "BucketOwnerEnforced"}
        retry_until_accepted(
            lambda: s3.create_bucket(**new, **({} if region() == "us-east-1" else there))
        )
        wait_until(f"bucket {name}", lambda: "there" if is_ours(s3, name) else "missing", "there")
    protect(s3, name)
    let_expire(s3, name)
    tags = (describe_or_none(s3.get_bucket_tagging, Bucket=name) or {}).get("TagSet", [])
    if TAG_LIST[0] not in tags:  # AWS only sets all of them: the user's own stay.
        others = [tag for tag in tags if tag["Key"] != TAG_LIST[0]["Key"]]
        put(s3.put_bucket_tagging, Bucket=name, Tagging={"TagSet": others + TAG_LIST})
    return f"bucket {name} holds the lake"


def protect(s3: Any, name: str) -> None:
    """Shut the bucket to the public and to whoever comes without TLS; encrypt and keep versions."""
    which, encryption = {"Bucket": name}, "ServerSideEncryptionConfiguration"
    found = describe_or_none(s3.get_public_access_block, **which)
    if not matches_desired({"PublicAccessBlockConfiguration": PRIVATE}, found):
        put(s3.put_public_access_block, **which, PublicAccessBlockConfiguration=PRIVATE)
    if not matches_desired(
        {encryption: ENCRYPTED}, describe_or_none(s3.get_bucket_encryption, **which)
    ):
        put(s3.put_bucket_encryption, **which, **{encryption: ENCRYPTED})
    if not matches_desired(VERSIONED, s3.get_bucket_versioning(**which)):
        put(s3.put_bucket_versioning, **which, VersioningConfiguration=VERSIONED)
    refuse_plain_text(s3, name)


def let_expire(s3: Any, name: str) -> None:
    """Let go what nobody needs any more; the user's own rules stay."""
    ours, get = [RESULTS, UPLOADS], s3.get_bucket_lifecycle_configuration
    rules = (describe_or_none(get, Bucket=name) or {"Rules": []})["Rules"]
    if not matches_desired(ours, rules):
        named = [rule["ID"] for rule in ours]
        others = [rule for rule in rules if rule.get("ID") not in named]
        change, wanted = s3.put_bucket_lifecycle_configuration, {"Rules": others + ours}
        put(change, Bucket=name, LifecycleConfiguration=wanted)


def refuse_plain_text(s3: Any, name: str) -> None:
    """Add the statement on TLS to the bucket's policy; those of the user stay."""
    found = describe_or_none(s3.get_bucket_policy, Bucket=name)
    now = json.loads(found["Policy"]) if found else document()
    wanted = with_statement(now, tls_only(location()))
    if normalized(wanted) != normalized(now):
        put(s3.put_bucket_policy, Bucket=name, Policy=json.dumps(wanted))


def put(change: Callable[..., object], **what: Any) -> None:
    """Change the bucket once AWS is done with the change before, and with making it."""
    retry_until_accepted(lambda: change(**what))


def is_ours(s3: Any, name: str) -> bool:
    """Return whether the bucket is there; refuse where another account has taken its name."""
    try:
        return describe_or_none(s3.head_bucket, Bucket=name) is not None
    except ClientError as error:
        if error.response["Error"]["Code"] != "403":
            raise
    raise SetupError(
        f"bucket {name} is closed to these credentials: let them s3:ListBucket it, or, if it "
        f"belongs to somebody else, choose another PIPELINE_NAME"
    )


if __name__ == "__main__":
    run(create, __doc__)
