"""S3's bucket policies: kept here, because moto would enforce them without their conditions.

A policy that denies plain HTTP would make moto refuse every call; loopback counts as TLS.
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

POLICY_BYTES = 20 * 1024
XML = (("Content-Type", "application/xml"),)


class S3(Service):
    """Buckets and objects are moto's; a bucket's policy lives as long as its bucket."""

    credential_scopes = ("s3",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._policies: WeakKeyDictionary[FakeBucket, bytes] = WeakKeyDictionary()

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the reply to a call that is about a bucket's policy."""
        wanted = request.query.keys() & {"policy", "policyStatus"}
        name, _, key = request.path.strip("/").partition("/")
        if not wanted or key:
            return None
        bucket = s3_backends[ACCOUNT][get_partition(request.region)].buckets.get(name)
        if bucket is None:
            return _error(404, "NoSuchBucket", "The specified bucket does not exist", name)
        if wanted == {"policyStatus"}:
            return self._status(bucket)
        return {"PUT": self._put, "DELETE": self._delete}.get(request.method, self._get)(
            bucket, request
        )

    def _get(self, bucket: FakeBucket, _: ApiRequest) -> ApiResponse:
        if bucket not in self._policies:
            return _no_policy(bucket)
        return ApiResponse(self._policies[bucket], 200, (("Content-Type", "application/json"),))

    def _put(self, bucket: FakeBucket, request: ApiRequest) -> ApiResponse:
        if reason := _flaw(request.body, bucket.name):
            return _error(400, "MalformedPolicy", reason, bucket.name)
        self._policies[bucket] = request.body
        return ApiResponse(b"", 204, ())

    def _delete(self, bucket: FakeBucket, _: ApiRequest) -> ApiResponse:
        self._policies.pop(bucket, None)
        return ApiResponse(b"", 204, ())

    def _status(self, bucket: FakeBucket) -> ApiResponse:
        if bucket not in self._policies:
            return _no_policy(bucket)
        document = json.loads(self._policies[bucket])
        public = any(map(_is_public, _listed(document["Statement"])))
        text = f"<PolicyStatus><IsPublic>{'true' if public else 'false'}</IsPublic></PolicyStatus>"
        return ApiResponse(text.encode(), 200, XML)


def _flaw(body: bytes, bucket: str) -> str:
    """Return what is wrong with a policy's text, or nothing."""
    if len(body) > POLICY_BYTES:
        return "Policy exceeds the maximum allowed document size."
    try:
        policy = json.loads(body)
    except ValueError:
        return "This policy contains invalid Json"
    if not isinstance(policy, dict) or not policy.get("Statement"):
        return "Missing required field Statement"
    for statement in _listed(policy["Statement"]):
        for member in ("Effect", "Principal", "Action", "Resource"):
            if member not in statement and f"Not{member}" not in statement:
                return f"Missing required field {member}"
        if not all(_lies_in(bucket, each) for each in _listed(statement.get("Resource", []))):
            return "Policy has invalid resource"
    return ""


def _lies_in(bucket: str, resource: str) -> bool:
    name = resource.split(":::", 1)[-1].partition("/")[0]
    return resource.startswith("arn:") and name == bucket


def _is_public(statement: Mapping[str, Any]) -> bool:
    """Return whether a statement allows something to everybody without any condition."""
    everybody = statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    return statement["Effect"] == "Allow" and everybody and not statement.get("Condition")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _no_policy(bucket: FakeBucket) -> ApiResponse:
    text = "The bucket policy does not exist"
    return _error(404, "NoSuchBucketPolicy", text, bucket.name)


def _error(status: int, code: str, message: str, bucket: str) -> ApiResponse:
    text = (
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message>"
        f"<BucketName>{escape(bucket)}</BucketName></Error>"
    )
    return ApiResponse(text.encode(), status, XML)
