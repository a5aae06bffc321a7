"""Kinesis Data Streams: AWS's limits, tags and metrics, which moto does not have."""

import base64
import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
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
PUT_RECORDS = 500
PUT_BYTES = 10 * 1024 * 1024
MOTO_PUT_BYTES = 5 * 1024 * 1024  # AWS's limit until October 2025.
KEY_CHARACTERS = 256
MAX_SHARDS = 1000  # On a page of ListShards, unless the call says how many.
OTHER_RECORD_SIZE = "a MaxRecordSizeInKiB other than 1024"


class Kinesis(Service):
    """moto stores the streams; one lock orders the puts, as moto's shards are not thread-safe."""

    credential_scopes = ("kinesis",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._lock = threading.Lock()
        self._iterator_ages: dict[str, float] = {}  # Milliseconds; the maximum since the last tick.
        moto_patches.apply()

    def close(self) -> None:
        """Restore moto, unless another cloud still needs the patches."""
        moto_patches.undo()

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the response to an operation handled here; leave the others to moto."""
        operation = _OPERATIONS.get(request.operation)
        return operation(self, request) if operation else None

    def tick(self) -> bool:
        """Publish the iterator ages, which moto does not; that does not count as work."""
        with self._lock:
            ages = self._iterator_ages
            self._iterator_ages = {}
        for stream, age in ages.items():
            values = {"GetRecords.IteratorAgeMilliseconds": age}
            cloudwatch = self.cloud.client("cloudwatch")
            put_metrics(cloudwatch, "AWS/Kinesis", ("StreamName", stream), values)
        return False

    def _put_record(self, request: ApiRequest) -> ApiResponse:
        _check_record(request.params)
        with self._lock:
            return self.cloud.forward_to_moto(request)

    def _put_records(self, request: ApiRequest) -> ApiResponse:
        params = request.params
        records = params.get("Records", [])
        if not 1 <= len(records) <= PUT_RECORDS:
            constraint = f"Member must have length less than or equal to {PUT_RECORDS}"
            raise constraint_violation(None, "records", constraint)
        sizes = [
            _check_record(record, f"records.{number}.member.")
            for number, record in enumerate(records, start=1)
        ]
        if sum(sizes) > PUT_BYTES:
            raise AwsError("InvalidArgumentException", "Records size exceeds 10 MB limit")
        results = self._put_batches(request, params, sizes)
        return json_response({"FailedRecordCount": 0, "Records": results})

    def _put_batches(
        self, request: ApiRequest, params: Mapping[str, Any], sizes: Sequence[int]
    ) -> list[Any]:
        """Put records into moto's stream in batches that it accepts, and return their results."""
        backend = kinesis_backends[ACCOUNT][request.region]
        arn: Any = params.get("StreamARN")  # moto takes None, against its annotation.
        name: Any = params.get("StreamName")
        try:
            with self._lock:
                responses = [
                    backend.put_records(arn, name, batch)
                    for batch in _batches(params["Records"], sizes)
                ]
        except JsonRESTError as error:
            raise AwsError(error.error_type, error.message) from None
        return [result for response in responses for result in response["Records"]]

    def _get_records(self, request: ApiRequest) -> ApiResponse | None:
        """Return a page of a shard; moto would take 0.3 ms per record to serialize it."""
        params = request.params
        try:
            name, shard_id, last = decompose_shard_iterator(params["ShardIterator"])
            shard = kinesis_backends[ACCOUNT][request.region].streams[name].shards[shard_id]
        except (KeyError, ValueError):
            return None  # moto produces the error.
        records, end, millis_behind = shard.get_records(last, params.get("Limit"))
        if records:
            with self._lock:
                age = max(self._iterator_ages.get(name, 0), millis_behind)
                self._iterator_ages[name] = age
        return json_response(
            {
                "Records": [_record_json(record) for record in records],
                "NextShardIterator": compose_shard_iterator(name, shard, end),
                "MillisBehindLatest": millis_behind,
            }
        )

    def _list_shards(self, request: ApiRequest) -> ApiResponse | None:
        """Return a page of a stream's shards; a token excludes the stream, which moto requires."""
        params = request.params
        if not {"NextToken", "MaxResults"} & params.keys():
            return None  # moto returns all.
        last_shard = ""
        if token := params.get("NextToken"):
            if {"StreamName", "StreamARN"} & params.keys():
                message = "NextToken and StreamName cannot be provided together."
                raise AwsError("InvalidArgumentException", message)
            stream, last_shard = _parse_token(token)
        else:
            stream = params.get("StreamName") or params["StreamARN"].partition("/")[2]
        streams = kinesis_backends[ACCOUNT][request.region].streams
        if stream not in streams:
            message = f"Stream {stream} under account {ACCOUNT} not found."
            raise AwsError("ResourceNotFoundException", message)
        later_shards = sorted(name for name in streams[stream].shards if name > last_shard)
        page = later_shards[: params.get("MaxResults", MAX_SHARDS)]
        response: dict[str, Any] = {
            "Shards": [streams[stream].shards[name].to_json() for name in page]
        }
        if len(page) < len(later_shards):
            response["NextToken"] = _make_token(stream, page[-1])
        return json_response(response)

    def _reject_record_size(self, _: ApiRequest) -> ApiResponse:
        raise _not_modelled(OTHER_RECORD_SIZE)

    def _reject_resharding(self, request: ApiRequest) -> ApiResponse:
        # moto moves the records to the new shards; AWS leaves them in the old ones.
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


_OPERATIONS: Mapping[str, Callable[[Kinesis, ApiRequest], ApiResponse | None]] = {
    "PutRecord": Kinesis._put_record,
    "PutRecords": Kinesis._put_records,
    "GetRecords": Kinesis._get_records,
    "CreateStream": Kinesis._create_stream,
    "ListShards": Kinesis._list_shards,
    "UpdateMaxRecordSize": Kinesis._reject_record_size,
    **dict.fromkeys(
        ("SplitShard", "MergeShards", "UpdateShardCount", "UpdateStreamMode"),
        Kinesis._reject_resharding,
    ),
}


def _check_stream(params: Mapping[str, Any]) -> None:
    """Reject a new stream that Kinesis rejects, or that is not modelled."""
    name = params["StreamName"]
    if not re.fullmatch(r"[a-zA-Z0-9_.-]{1,128}", name):
        constraint = "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+"
        raise constraint_violation(name, "streamName", constraint)
    mode = params.get("StreamModeDetails", {}).get("StreamMode", "PROVISIONED")
    if ("ShardCount" in params) != (mode == "PROVISIONED"):
        constraint = "is required for the stream mode PROVISIONED, and not allowed for ON_DEMAND"
        raise AwsError("ValidationException", f"ShardCount {constraint}: the mode is {mode}")
    if params.get("MaxRecordSizeInKiB", 1024) != 1024:
        raise _not_modelled(OTHER_RECORD_SIZE)


def _make_token(stream: str, last_shard: str) -> str:
    return base64.b64encode(json.dumps([stream, last_shard]).encode()).decode()


def _parse_token(token: str) -> tuple[str, str]:
    """Return the stream, and the shard after which the next page begins."""
    try:
        stream, last_shard = json.loads(base64.b64decode(token, validate=True))
    except ValueError:
        raise AwsError("InvalidArgumentException", "The NextToken is invalid.") from None
    return stream, last_shard


def _not_modelled(feature: str) -> AwsError:
    return AwsError("ValidationException", not_modelled_message(feature))


def _record_json(record: Record) -> dict[str, Any]:
    return {
        "Data": record.data,
        "PartitionKey": record.partition_key,
        "SequenceNumber": str(record.sequence_number),
        "ApproximateArrivalTimestamp": record.created_at,
    }


def _check_record(record: Mapping[str, Any], prefix: str = "") -> int:
    """Return the size of a valid record; `prefix` locates its members in the request."""
    key: str = record.get("PartitionKey", "")
    if not key:
        raise constraint_violation(key, f"{prefix}partitionKey", "Member must not be empty")
    if len(key) > KEY_CHARACTERS:
        constraint = f"Member must have length less than or equal to {KEY_CHARACTERS}"
        raise constraint_violation(key, f"{prefix}partitionKey", constraint)
    size = len(base64.b64decode(record.get("Data", ""))) + len(key.encode())
    if size > RECORD_BYTES:
        constraint = f"Member must have length less than or equal to {RECORD_BYTES}"
        raise constraint_violation(None, f"{prefix}data", constraint)
    return size


def _batches(records: Sequence[Any], sizes: Sequence[int]) -> Iterator[list[Any]]:
    """Yield the records in batches of at most the size that moto accepts."""
    batch: list[Any] = []
    batch_bytes = 0
    for record, size in zip(records, sizes, strict=True):
        if batch_bytes + size > MOTO_PUT_BYTES:
            yield batch
            batch = []
            batch_bytes = 0
        batch.append(record)
        batch_bytes += size
    yield batch
