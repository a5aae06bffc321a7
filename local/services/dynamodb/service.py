"""DynamoDB where moto differs from it: its numbers, its streams, and items that expire."""

import threading
from collections.abc import Iterator, Mapping
from typing import Any

from moto.dynamodb.exceptions import IncorrectDataType, MockValidationException
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models import table as moto_table
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

from local.core.hop_counts import HopCount
from local.core.request import ApiRequest, ApiResponse, AwsError, error_response, json_response
from local.core.server import ACCOUNT, Cloud
from local.core.service import Service
from local.services.dynamodb import moto_patches as linear_moto
from local.services.dynamodb.key_schema import Tables, check_keys
from local.services.dynamodb.numbers import refusal, stored_sum
from local.services.dynamodb.reads import batch_get, scan
from local.services.dynamodb.streams_api import STREAM_CALLS, ChangeStreams
from local.services.dynamodb.ttl import expired_items
from local.services.dynamodb.validation import as_json, stored_values
from local.services.dynamodb.writes import batch_write, standing

SWEEP_EVERY = 10  # Seconds; AWS takes up to days.
BATCH_WRITES = 25
BULK = {"Scan": scan, "BatchGetItem": batch_get, "BatchWriteItem": batch_write}
OUTGROWN = "Item size to update has exceeded the maximum allowed size"
STEPWISE = ("BatchWriteItem", "UpdateItem")  # What moto does in steps, and leaves half done.


class DynamoDb(Service):
    """Tables are moto's; their streams, the numbers in them and the expiry of items are ours.

    One lock makes each call one step, as DynamoDB does: moto's tables know no threads.
    """

    credential_scopes = ("dynamodb",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._lock = threading.Lock()
        self._streams = ChangeStreams(cloud.clock)
        self._next_sweep = 0.0
        self._shard_type = moto_table.StreamShard
        moto_table.StreamShard = self._streams.opened  # Made whenever a stream is enabled.
        linear_moto.install()
        DynamoType.__add__, DynamoType.__sub__ = _sum, _difference

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the reply to a call of DynamoDB or of DynamoDB Streams."""
        with self._lock:
            if request.operation in STREAM_CALLS:
                return self._streams.handle(request)
            return self._table_call(request)

    def tick(self) -> bool:
        """Remove the items whose time to live is over, and return whether there were any."""
        now = self.cloud.clock.now()
        if now < self._next_sweep:
            return False
        self._next_sweep = now + SWEEP_EVERY
        with self._lock:
            removed = [_expire(table, now) for table in _tables()]
            self._streams.write()
        return any(removed)

    def counts(self) -> list[HopCount]:
        """Return how many changes the streams took in; none where the table lives elsewhere."""
        written = self._streams.written()
        return [HopCount("DynamoDB stream", written, written, 0)] if written else []

    def close(self) -> None:
        """Give moto its own stream shards back."""
        moto_table.StreamShard = self._shard_type

    def _table_call(self, request: ApiRequest) -> ApiResponse:
        params = stored_values(request.body)
        if request.operation == "BatchWriteItem":
            _check_batch(params)
        if request.operation == "UpdateTable":
            _permit_stream_change(request)
        tables = dynamodb_backends[ACCOUNT][request.region].tables
        check_keys(tables, params)
        response = _in_bulk(request, tables, params) or self._by_moto(request, tables, params)
        self._streams.write()
        if response.status == 200 and request.operation in ("DeleteTable", "UpdateTable"):
            self._close_streams(request)
        return response

    def _by_moto(
        self, request: ApiRequest, tables: Tables, params: Mapping[str, Any]
    ) -> ApiResponse:
        """Return moto's reply; what is refused is as if it had not been asked for."""
        before = standing(tables, params) if request.operation in STEPWISE else []
        response = self.cloud.forward_to_moto(request, as_json(params))
        if response.status == 200 and any(write.is_outgrown() for write in before):
            response = error_response(refusal(OUTGROWN))
        if response.status != 200:
            for write in before:
                write.do()
            self._streams.discard()
        return response

    def _close_streams(self, request: ApiRequest) -> None:
        """Close the stream of a table that has been deleted, or that has no stream any more."""
        name = request.params["TableName"]
        table = dynamodb_backends[ACCOUNT][request.region].tables.get(name)
        current = table.stream_shard if table and _has_stream(table) else None
        self._streams.close(request.region, name, current)


def _in_bulk(request: ApiRequest, tables: Tables, params: Mapping[str, Any]) -> ApiResponse | None:
    """Return the reply to a call that reads or writes many items, where it is a plain one."""
    if request.operation not in BULK:
        return None
    found = BULK[request.operation](tables, params)
    return None if found is None else json_response(found)


def _check_batch(params: Mapping[str, Any]) -> None:
    """Refuse more writes than DynamoDB takes at once."""
    if sum(map(len, params.get("RequestItems", {}).values())) > BATCH_WRITES:
        text = "Too many items requested for the BatchWriteItem call"
        raise AwsError("ValidationException", text)


def _permit_stream_change(request: ApiRequest) -> None:
    """Refuse to enable what is enabled or to disable what is not; else clear moto's way."""
    wanted, name = request.params.get("StreamSpecification"), request.params.get("TableName", "")
    table = dynamodb_backends[ACCOUNT][request.region].tables.get(name)
    if wanted is None or table is None:
        return
    enable = bool(wanted.get("StreamEnabled"))
    if enable and _has_stream(table):
        text = f"Table already has an enabled stream: TableName: {name}"
        raise AwsError("ResourceInUseException", text)
    if not enable and not _has_stream(table):
        text = f"Table has no stream to disable: TableName: {name}"
        raise AwsError("ValidationException", text)
    if enable:
        table.latest_stream_label = None  # moto enables a stream only where none ever was.


def _has_stream(table: Table) -> bool:
    return bool((table.stream_specification or {}).get("StreamEnabled"))


def _tables() -> Iterator[Table]:
    for backend in list(dynamodb_backends[ACCOUNT].values()):
        yield from list(backend.tables.values())


def _expire(table: Table, now: float) -> bool:
    """Remove a table's expired items, and return whether there were any."""
    items = list(expired_items(table, now))
    for item in items:
        if item.range_key is None:
            del table.items[item.hash_key]
        else:
            del table.items[item.hash_key][item.range_key]
        if table.stream_shard is not None:
            table.stream_shard.add(item, None, expired=True)
    return bool(items)


def _sum(left: DynamoType, right: DynamoType) -> DynamoType:
    """Return an update's `a + b`; moto's own rounds to 28 digits."""
    return _total(left, right, 1)


def _difference(left: DynamoType, right: DynamoType) -> DynamoType:
    return _total(left, right, -1)


def _total(left: DynamoType, right: DynamoType, sign: int) -> DynamoType:
    if (left.type, right.type) != ("N", "N"):
        raise IncorrectDataType
    try:
        return DynamoType({"N": stored_sum(left.value, right.value, sign)})
    except AwsError as error:
        raise MockValidationException(error.message) from None
