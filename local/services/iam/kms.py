"""KMS keys of encrypted Kinesis streams, which callers that put or read must be allowed to use."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from local.core.server import Cloud
    from local.services.iam.required_permissions import Location

KMS_ACTION = {
    "PutRecord": "kms:GenerateDataKey",
    "PutRecords": "kms:GenerateDataKey",
    "GetRecords": "kms:Decrypt",
}
CACHE_SECONDS = 1.0


class StreamKeys:
    """The keys of Kinesis streams, read as Kinesis itself: no role needs permission for that."""

    def __init__(self, cloud: Cloud, location: Location) -> None:
        self._cloud = cloud
        self._location = location
        self._cached: dict[str, tuple[float, str | None]] = {}

    def context(self) -> dict[str, str]:
        """Return the condition key that names the service which uses a key for its caller."""
        suffix = "amazonaws.com.cn" if self._location.partition == "aws-cn" else "amazonaws.com"
        return {"kms:ViaService": f"kinesis.{self._location.region}.{suffix}"}

    def key(self, stream: str) -> str | None:
        """Return the ARN of the key of a stream (its ARN), or None if it is not encrypted."""
        now = time.monotonic()
        if stream in self._cached:
            read_at, key = self._cached[stream]
            if now - read_at <= CACHE_SECONDS:
                return key
        key = self._read_key(stream)
        self._cached[stream] = (now, key)
        return key

    def _read_key(self, stream: str) -> str | None:
        """Return the key of a stream; the call itself will fail if the stream does not exist."""
        kinesis = self._cloud.client("kinesis")
        try:
            response = kinesis.describe_stream_summary(StreamARN=stream)
        except kinesis.exceptions.ResourceNotFoundException:
            return None
        summary = response["StreamDescriptionSummary"]
        return self._key_arn(summary["KeyId"]) if summary.get("EncryptionType") == "KMS" else None

    def _key_arn(self, key_id: str) -> str:
        """Return the ARN of a key; that of an alias is derived from the alias's name."""
        if key_id.startswith("arn:"):
            return key_id
        if key_id.startswith("alias/"):
            key_id = str(uuid5(NAMESPACE_URL, key_id))
        return self._location.arn("kms", f"key/{key_id}")
