"""Create the lake's bucket: private, encrypted, versioned, and reachable through TLS only."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # Makes `setup` importable.

from setup import names
from setup.lib.cli import run_script
from setup.lib.comparison import matches_desired, note
from setup.lib.iam_policies import (
    policy_differences,
    policy_document,
    tls_only_statement,
    with_statement,
)
from setup.lib.lake_identity import ensure_lake_id
from setup.lib.resources import describe_or_none
from setup.lib.tags import tag_list, tag_mapping
from setup.lib.waiters import SetupError, retry_until_accepted, wait_until
from setup.names import PIPELINE_TAG, QUERIES, TABLES, bucket, location, region

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_s3.type_defs import (
        LifecycleRuleUnionTypeDef,
        PublicAccessBlockConfigurationTypeDef,
        ServerSideEncryptionConfigurationTypeDef,
        TagTypeDef,
        VersioningConfigurationTypeDef,
    )

PRIVATE: PublicAccessBlockConfigurationTypeDef = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
VERSIONED: VersioningConfigurationTypeDef = {"Status": "Enabled"}
# The ids are not to be changed: by them a rule is found again in a bucket that already has it.
LIFECYCLE_RULES: list[LifecycleRuleUnionTypeDef] = [
    {
        "ID": "query results can be had again",
        "Filter": {"Prefix": QUERIES},
        "Status": "Enabled",
        "Expiration": {"Days": 30},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    },
    {
        "ID": "parts of the copy that no table has any more",
        "Filter": {"Prefix": TABLES},
        "Status": "Enabled",
        "Expiration": {"ExpiredObjectDeleteMarker": True},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    },
    {
        "ID": "uploads that were never finished",
        "Filter": {"Prefix": ""},
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
    },
]


def create() -> str:
    """Create the bucket if it is missing, set its protection, rules and id, and return its line."""
    s3 = boto3.client("s3")
    name = bucket()
    if not is_accessible(s3, name):
        create_bucket(s3, name)
    protect(s3, name)
    set_lifecycle_rules(s3, name)
    set_tag(s3, name)
    retry_until_accepted(ensure_lake_id)
    return f"bucket {name} holds the lake"


def create_bucket(s3: S3Client, name: str) -> None:
    """Create the bucket, and return once it exists."""

    def create_in_region() -> None:
        if region() == "us-east-1":  # The one region that S3 does not accept as a constraint.
            s3.create_bucket(Bucket=name, ObjectOwnership="BucketOwnerEnforced")
        else:
            constraint: Any = region()  # The stubs list the regions that they know.
            s3.create_bucket(
                Bucket=name,
                ObjectOwnership="BucketOwnerEnforced",
                CreateBucketConfiguration={"LocationConstraint": constraint},
            )

    def existence() -> str:
        return "present" if is_accessible(s3, name) else "missing"

    retry_until_accepted(create_in_region)
    wait_until(f"bucket {name}", existence, "present")


def is_accessible(s3: S3Client, name: str) -> bool:
    """Return whether the bucket exists; raise SetupError if these credentials may not see it."""
    try:
        return describe_or_none(s3.head_bucket, Bucket=name) is not None
    except ClientError as error:
        if error.response["Error"]["Code"] != "403":
            raise
    raise SetupError(
        f"access denied to bucket {name}: allow these credentials s3:ListBucket, or, if another "
        f"account owns it, choose another PIPELINE_NAME"
    )


# A bucket that is new, or still being changed, refuses changes for a while: hence the retries.


def protect(s3: S3Client, name: str) -> None:
    """Block public access and requests without TLS; enable encryption and versioning."""
    public_access = describe_or_none(s3.get_public_access_block, Bucket=name)
    if not matches_desired({"PublicAccessBlockConfiguration": PRIVATE}, public_access):
        retry_until_accepted(
            lambda: s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=PRIVATE)
        )
    encryption = describe_or_none(s3.get_bucket_encryption, Bucket=name)
    desired = default_encryption()
    if not matches_desired({"ServerSideEncryptionConfiguration": desired}, encryption):
        retry_until_accepted(
            lambda: s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration=desired)
        )
    if not matches_desired(VERSIONED, s3.get_bucket_versioning(Bucket=name)):
        retry_until_accepted(
            lambda: s3.put_bucket_versioning(Bucket=name, VersioningConfiguration=VERSIONED)
        )
    require_tls(s3, name)


def default_encryption() -> ServerSideEncryptionConfigurationTypeDef:
    """Return how S3 encrypts new objects: with its own keys, or with the user's."""
    if not names.KMS_KEY:
        return {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
    # A key for the whole bucket, or each object would be a request to KMS.
    return {
        "Rules": [
            {
                "ApplyServerSideEncryptionByDefault": {
                    "SSEAlgorithm": "aws:kms",
                    "KMSMasterKeyID": names.KMS_KEY,
                },
                "BucketKeyEnabled": True,
            }
        ]
    }


def require_tls(s3: S3Client, name: str) -> None:
    """Add the TLS statement to the bucket's policy, and keep the user's statements."""
    response = describe_or_none(s3.get_bucket_policy, Bucket=name)
    current = json.loads(response["Policy"]) if response else policy_document()
    desired = with_statement(current, tls_only_statement(location()))
    if note(policy_differences(desired, current)):
        retry_until_accepted(lambda: s3.put_bucket_policy(Bucket=name, Policy=json.dumps(desired)))


def set_lifecycle_rules(s3: S3Client, name: str) -> None:
    """Let query results and unfinished uploads expire, and keep the user's rules."""
    response = describe_or_none(s3.get_bucket_lifecycle_configuration, Bucket=name)
    current = response["Rules"] if response else []
    if not matches_desired(LIFECYCLE_RULES, current):
        own_ids = [rule["ID"] for rule in LIFECYCLE_RULES]
        others = [rule for rule in current if rule.get("ID") not in own_ids]
        retry_until_accepted(
            lambda: s3.put_bucket_lifecycle_configuration(
                Bucket=name, LifecycleConfiguration={"Rules": [*others, *LIFECYCLE_RULES]}
            )
        )


def set_tag(s3: S3Client, name: str) -> None:
    """Add the pipeline's tags, and keep all others, which the API would replace."""
    response = describe_or_none(s3.get_bucket_tagging, Bucket=name)
    current: Sequence[TagTypeDef] = response["TagSet"] if response else []
    tags = {**tag_mapping(current), **PIPELINE_TAG, **names.USER_TAGS}
    if not matches_desired(tags, tag_mapping(current)):
        retry_until_accepted(
            lambda: s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(tags)})
        )


if __name__ == "__main__":
    run_script(create, __doc__)
