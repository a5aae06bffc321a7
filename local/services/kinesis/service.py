"""Kinesis Data Streams where moto is kinder than AWS: the limits of what is put, and tags."""

import base64
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.kinesis.models import Record, kinesis_backends
from moto.kinesis.utils import compose_shard_iterator, decompose_shard_iterator

from local.core.errors import constraint_violation, not_modelled_message
from local.core.metrics import put_metrics
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import ACCOUNT, Cloud
from local.core.service import Service
from local.services.kinesis import moto_patches

RECORD_BYTES = 1024 * 1024  # Data and partition key; AWS's default for a stream.
CALL_RECORDS = 500
CALL_BYTES = 10 * 1024 * 1024
MOTO_CALL_BYTES = 5 * 1024 * 1024  # AWS's limit until October 2025.
KEY_CHARACTERS = 256


class Kinesis(Service):
    """Streams are moto's; one lock orders the puts, for moto's shards know no threads."""

    credential_scopes = ("kinesis",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._lock = threading.Lock()
        self._ages: dict[str, float] = {}  # The greatest of each stream since the last step.
        moto_patches.apply()

    def close(self) -> None:
        """Restore moto, unless another cloud still needs the patches."""
        moto_patches.undo()

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the reply to a call that is not moto's alone."""
        own = _CALLS.get(request.operation)
        return own(self, request) if own else None

    def tick(self) -> bool:
        """Give CloudWatch the age of what was read, which moto does not; that is no work."""
        with self._lock:
            ages, self._ages = self._ages, {}
        for stream, age in ages.items():
            values = {"GetRecords.IteratorAgeMilliseconds": age}
            cloudwatch = self.cloud.client("cloudwatch")
            put_metrics(cloudwatch, "AWS/Kinesis", ("StreamName", stream), values)
        return False

    def _put_record(self, request: ApiRequest) -> ApiResponse:
        params = request.params
        _check(params, "")
        with self._lock:
            return self.cloud.forward_to_moto(request)

    def _put_records(self, request: ApiRequest) -> ApiResponse:
        params = request.params
        records = params.get("Records", [])
        if not 1 <= len(records) <= CALL_RECORDS:
            rule = f"Member must have length less than or equal to {CALL_RECORDS}"
            raise constraint_violation(None, "records", rule)
        sizes = [
            _check(record, f"records.{number}.member.")
            for number, record in enumerate(records, start=1)
        ]
        if sum(sizes) > CALL_BYTES:
            raise AwsError("InvalidArgumentException", "Records size exceeds 10 MB limit")
        return json_response({"FailedRecordCount": 0, "Records": self._put(request, params, sizes)})

    def _put(
        self, request: ApiRequest, params: Mapping[str, Any], sizes: Sequence[int]
    ) -> list[Any]:
        """Put records into moto's stream, as many as it takes at a time, and return its answers."""
        backend = kinesis_backends[ACCOUNT][request.region]
        stream = (params.get("StreamARN"), params.get("StreamName"))
        parts = _parts(params["Records"], sizes)
        try:
            with self._lock:
                answers = [backend.put_records(*stream, part) for part in parts]
        except JsonRESTError as error:
            raise AwsError(error.error_type, error.message) from None
        return [result for answer in answers for result in answer["Records"]]

    def _get_records(self, request: ApiRequest) -> ApiResponse | None:
        """Return a page of a shard; moto takes 0.3 ms to write each record as JSON."""
        params = request.params
        try:
            name, shard_id, last = decompose_shard_iterator(params["ShardIterator"])
            shard = kinesis_backends[ACCOUNT][request.region].streams[name].shards[shard_id]
        except (KeyError, ValueError):
            return None  # moto says what is wrong.
        records, end, late = shard.get_records(last, params.get("Limit"))
        following = compose_shard_iterator(name, shard, end)
        if records:
            with self._lock:
                self._ages[name] = max(self._ages.get(name, 0), late)
        return json_response(
            {
                "Records": [_shown(record) for record in records],
                "NextShardIterator": following,
                "MillisBehindLatest": late,
            }
        )

    def _refuse_record_size(self, _: ApiRequest) -> ApiResponse:
        raise _not_modelled("a MaxRecordSizeInKiB other than 1024")

    def _refuse_resharding(self, request: ApiRequest) -> ApiResponse:
        # moto moves records to new shards, AWS leaves them where they are.
        raise _not_modelled(request.operation)

    def _create_stream(self, request: ApiRequest) -> ApiResponse:
        params = request.params
        _check_stream(params)
        response = self.cloud.forward_to_moto(request)
        if response.status == 200 and params.get("Tags"):
            backend = kinesis_backends[ACCOUNT][request.region]
            backend.add_tags_to_stream(
                stream_arn=None, stream_name=params["StreamName"], tags=params["Tags"]
            )
        return response


_CALLS = {
    "PutRecord": Kinesis._put_record,
    "PutRecords": Kinesis._put_records,
    "GetRecords": Kinesis._get_records,
    "CreateStream": Kinesis._create_stream,
    "UpdateMaxRecordSize": Kinesis._refuse_record_size,
    **dict.fromkeys(
        ("SplitShard", "MergeShards", "UpdateShardCount", "UpdateStreamMode"),
        Kinesis._refuse_resharding,
    ),
}


def _check_stream(params: Mapping[str, Any]) -> None:
    """Refuse a stream that Kinesis would not make, or that is not modelled."""
    name = params["StreamName"]
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,128}", name):
        rule = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        raise constraint_violation(name, "streamName", rule)
    mode = params.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    if ("ShardCount" in params) != (mode == "PROVISIONED"):
        rule = "belongs to the stream mode PROVISIONED, and to no other"
        raise AwsError("ValidationException", f"ShardCount {rule}: the mode is {mode}")
    if params.get("MaxRecordSizeInKiB", 1024) != 1024:
        raise _not_modelled("a MaxRecordSizeInKiB other than 1024")


def _not_modelled(what: str) -> AwsError:
    return AwsError("ValidationException", not_modelled_message(what))


def _shown(record: Record) -> dict[str, Any]:
    return {
        "Data": record.data,
        "PartitionKey": record.partition_key,
        "SequenceNumber": str(record.sequence_number),
        "ApproximateArrivalTimestamp": record.created_at,
    }


def _check(record: Mapping[str, Any], place: str) -> int:
    """Return the size of a record that Kinesis takes."""
    key, data = record.get("PartitionKey", ""), record.get("Data", "")
    if not 1 <= len(key) <= KEY_CHARACTERS:
        rule = f"have length less than or equal to {KEY_CHARACTERS}" if key else "not be empty"
        raise constraint_violation(key, f"{place}partitionKey", f"Member must {rule}")
    size = len(base64.b64decode(data)) + len(key.encode())
    if size > RECORD_BYTES:
        rule = f"Member must have length less than or equal to {RECORD_BYTES}"
        raise constraint_violation(None, f"{place}data", rule)
    return size


def _parts(records: Sequence[Any], sizes: Sequence[int]) -> Iterator[list[Any]]:
    """Yield the records in runs that moto takes at a time."""
    part: list[Any] = []
    total = 0
    for record, size in zip(records, sizes, strict=True):
        if total + size > MOTO_CALL_BYTES:
            yield part
            part, total = [], 0
        part.append(record)
        total += size
    yield part
