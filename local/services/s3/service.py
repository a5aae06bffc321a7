"""S3's bucket policies, stored here because moto enforces them without their conditions.

A policy that denies plain HTTP would make moto deny every call; loopback counts as TLS.
"""

import json
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary
from xml.sax.saxutils import escape

from moto.s3.models import FakeBucket, s3_backends
from moto.utilities.utils import get_partition

from local.core.request import ApiRequest, ApiResponse
from local.core.server import ACCOUNT, Cloud
from local.core.service import Service
from local.services.s3 import moto_patches

POLICY_BYTES = 20 * 1024
JSON_HEADERS = (("Content-Type", "application/json"),)
XML_HEADERS = (("Content-Type", "application/xml"),)


class S3(Service):
    """Bucket policies, each stored as long as its bucket; moto stores buckets and objects."""

    credential_scopes = ("s3",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        moto_patches.apply()
        self._policies: WeakKeyDictionary[FakeBucket, bytes] = WeakKeyDictionary()

    def close(self) -> None:
        """Let moto work as before."""
        moto_patches.undo()

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the response to a call on a bucket policy; leave the others to moto."""
        subresources = request.query.keys() & {"policy", "policyStatus"}
        name, _, key = request.path.strip("/").partition("/")
        if not subresources or key:
            return None
        bucket = s3_backends[ACCOUNT][get_partition(request.region)].buckets.get(name)
        if bucket is None:
            return _error(404, "NoSuchBucket", "The specified bucket does not exist", name)
        if subresources == {"policyStatus"}:
            return self._policy_status(bucket)
        if request.method == "PUT":
            return self._put_policy(bucket, request.body)
        if request.method == "DELETE":
            return self._delete_policy(bucket)
        return self._get_policy(bucket)

    def _get_policy(self, bucket: FakeBucket) -> ApiResponse:
        if bucket not in self._policies:
            return _no_policy(bucket)
        return ApiResponse(self._policies[bucket], 200, JSON_HEADERS)

    def _put_policy(self, bucket: FakeBucket, document: bytes) -> ApiResponse:
        if error := _policy_error(document, bucket.name):
            return _error(400, "MalformedPolicy", error, bucket.name)
        self._policies[bucket] = document
        return ApiResponse(b"", 204, ())

    def _delete_policy(self, bucket: FakeBucket) -> ApiResponse:
        self._policies.pop(bucket, None)
        return ApiResponse(b"", 204, ())

    def _policy_status(self, bucket: FakeBucket) -> ApiResponse:
        if bucket not in self._policies:
            return _no_policy(bucket)
        document = json.loads(self._policies[bucket])
        is_public = any(map(_is_public, _as_list(document["Statement"])))
        xml = f"<PolicyStatus><IsPublic>{str(is_public).lower()}</IsPublic></PolicyStatus>"
        return ApiResponse(xml.encode(), 200, XML_HEADERS)


def _policy_error(document: bytes, bucket: str) -> str | None:
    """Return AWS's message for an invalid policy; None if the policy is valid."""
    if len(document) > POLICY_BYTES:
        return "Policy exceeds the maximum allowed document size."
    try:
        policy = json.loads(document)
    except ValueError:
        return "This policy contains invalid Json"
    if not isinstance(policy, dict) or not policy.get("Statement"):
        return "Missing required field Statement"
    for statement in _as_list(policy["Statement"]):
        for member in ("Effect", "Principal", "Action", "Resource"):
            if member not in statement and f"Not{member}" not in statement:
                return f"Missing required field {member}"
        resources = _as_list(statement.get("Resource", []))
        if not all(_is_in_bucket(resource, bucket) for resource in resources):
            return "Policy has invalid resource"
    return None


def _is_in_bucket(resource: str, bucket: str) -> bool:
    name = resource.split(":::", 1)[-1].partition("/")[0]
    return resource.startswith("arn:") and name == bucket


def _is_public(statement: Mapping[str, Any]) -> bool:
    """Return whether a statement allows anything to everyone, without a condition."""
    is_for_everyone = statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    return statement["Effect"] == "Allow" and is_for_everyone and not statement.get("Condition")


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _no_policy(bucket: FakeBucket) -> ApiResponse:
    message = "The bucket policy does not exist"
    return _error(404, "NoSuchBucketPolicy", message, bucket.name)


def _error(status: int, code: str, message: str, bucket: str) -> ApiResponse:
    xml = (
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>"
        f"<BucketName>{escape(bucket)}</BucketName></Error>"
    )
    return ApiResponse(xml.encode(), status, XML_HEADERS)
