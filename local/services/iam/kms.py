"""The key that a Kinesis stream is encrypted with: whoever puts or reads needs a right to it."""

import time
from contextvars import ContextVar
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from local.services.iam.required_permissions import Place

USES = {
    "PutRecord": "kms:GenerateDataKey",
    "PutRecords": "kms:GenerateDataKey",
    "GetRecords": "kms:Decrypt",
}
LOOKING: ContextVar[bool] = ContextVar("looking", default=False)
PATIENCE = 1.0  # seconds for which a stream is not looked at again


class StreamKeys:
    """The keys of Kinesis streams, as their descriptions name them.

    While it is LOOKING, it is Kinesis itself that asks, and no role is judged.
    """

    def __init__(self, kinesis: Any, place: Place) -> None:
        self._kinesis = kinesis
        self._place = place
        self._read: dict[str, tuple[float, str]] = {}

    def context(self) -> dict[str, str]:
        """Return the condition key that says through whom a key is used."""
        suffix = "amazonaws.com.cn" if self._place.partition == "aws-cn" else "amazonaws.com"
        return {"kms:ViaService": f"kinesis.{self._place.region}.{suffix}"}

    def key(self, stream: str) -> str:
        """Return the ARN of the key of a stream (its ARN); "" where it is not encrypted."""
        at, key = self._read.get(stream, (0.0, ""))
        now = time.monotonic()
        if not at or now - at > PATIENCE:
            key = self._described(stream.rpartition("/")[2])
            self._read[stream] = (now, key)
        return key

    def _described(self, name: str) -> str:
        """Return a stream's key; of a stream that is absent Kinesis itself will speak."""
        before = LOOKING.set(True)
        try:
            found = self._kinesis.describe_stream_summary(StreamName=name)
        except self._kinesis.exceptions.ResourceNotFoundException:
            return ""
        finally:
            LOOKING.reset(before)
        summary = found["StreamDescriptionSummary"]
        return self._arn(summary["KeyId"]) if summary.get("EncryptionType") == "KMS" else ""

    def _arn(self, key_id: str) -> str:
        """Return a key's ARN; behind an alias lies a key whose id nobody chose."""
        if key_id.startswith("arn:"):
            return key_id
        is_alias = key_id.startswith("alias/")
        return self._place.arn("kms", f"key/{uuid5(NAMESPACE_URL, key_id) if is_alias else key_id}")
