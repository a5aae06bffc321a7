"""DynamoDB where moto differs from AWS: numbers, streams, TTL and atomic calls."""

import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, cast

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models import table as moto_table
from moto.dynamodb.models.table import Table

from local.core.hop_counts import HopCount
from local.core.metrics import put_metrics
from local.core.patches import Patches
from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import ACCOUNT, Cloud
from local.core.service import Service
from local.services.dynamodb.batches import batch_get_item, batch_write_item
from local.services.dynamodb.item_writes import delete_item, put_item, update_item
from local.services.dynamodb.keys import Tables
from local.services.dynamodb.language.errors import ONE_ERROR, Rejected, RejectedRequest
from local.services.dynamodb.language.request_model import check_encoding, check_request
from local.services.dynamodb.reads import get_item, query, scan
from local.services.dynamodb.statements import (
    batch_execute_statement,
    execute_statement,
    execute_transaction,
)
from local.services.dynamodb.stream import ChangeStream
from local.services.dynamodb.streams_api import STREAM_OPERATIONS, StreamsApi
from local.services.dynamodb.table_checks import check_table_call
from local.services.dynamodb.transactions import (
    Transactions,
    transact_get_items,
    transact_write_operations,
)
from local.services.dynamodb.ttl import expired_items

TTL_INTERVAL = 10  # Seconds; AWS takes up to days.
PUBLICATION_INTERVAL = 60  # Seconds, as on AWS.
SINGLE_WRITES = ("PutItem", "UpdateItem", "DeleteItem")
ITEM_OPERATIONS: Mapping[str, Callable[[Tables, Mapping[str, Any]], dict[str, Any]]] = {
    "GetItem": get_item,
    "PutItem": put_item,
    "UpdateItem": update_item,
    "DeleteItem": delete_item,
    "Query": query,
    "Scan": scan,
    "BatchGetItem": batch_get_item,
    "BatchWriteItem": batch_write_item,
    "TransactGetItems": transact_get_items,
    "ExecuteStatement": execute_statement,
    "BatchExecuteStatement": batch_execute_statement,
}


class DynamoDb(Service):
    """moto's tables, with our own streams, number arithmetic and TTL.

    One lock makes each call atomic, as in DynamoDB: moto's tables are not thread-safe.
    """

    credential_scopes = ("dynamodb",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._lock = threading.Lock()
        self._streams = StreamsApi(cloud.clock)
        self._next_ttl_run = 0.0
        self._next_publication = 0.0
        # moto creates a StreamShard when a table enables a stream.
        self._stream_patch = Patches((moto_table, "StreamShard", self._streams.open_stream))
        self._stream_patch.apply()
        self._transactions = Transactions(cloud.clock)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the response to a call of DynamoDB or DynamoDB Streams."""
        with self._lock:
            if request.operation in STREAM_OPERATIONS:
                return self._streams.handle(request)
            try:
                return self._handle_table_call(request)
            except Rejected as error:
                is_enveloped = isinstance(error, RejectedRequest)
                is_enveloped = is_enveloped and request.operation in SINGLE_WRITES
                prefix = ONE_ERROR if is_enveloped else ""
                raise AwsError(error.code, f"{prefix}{error.message}") from None

    def tick(self) -> bool:
        """Delete the items whose time to live is over, and return whether there were any."""
        now = self.cloud.clock.now()
        self._publish_reads(now)
        if now < self._next_ttl_run:
            return False
        self._next_ttl_run = now + TTL_INTERVAL
        with self._lock:
            deleted = [_delete_expired(table, now) for table in _tables()]
            self._streams.commit()
        return any(deleted)

    def _publish_reads(self, now: float) -> None:
        """Publish how the streams were read; not at each tick, since readers poll at each."""
        if now < self._next_publication:
            return
        with self._lock:
            reads_by_stream = self._streams.take_reads()
        if reads_by_stream:
            self._next_publication = now + PUBLICATION_INTERVAL
        for (table, label), reads in reads_by_stream.items():
            put_metrics(
                self.cloud.client("cloudwatch"),
                "AWS/DynamoDB",
                ("TableName", table),
                {"SuccessfulRequestLatency": reads.latency, "ReturnedRecordsCount": reads.records},
                ("Operation", "GetRecords"),
                ("StreamLabel", label),
            )

    def counts(self) -> list[HopCount]:
        """Return how many records the streams have; none if no table here has a stream."""
        records = self._streams.record_count()
        return [HopCount("DynamoDB stream", records, records, 0)] if records else []

    def close(self) -> None:
        """Restore moto's own streams."""
        self._stream_patch.undo()

    def _handle_table_call(self, request: ApiRequest) -> ApiResponse:
        params = {name: member for name, member in request.params.items() if member is not None}
        check_encoding(request.body)
        is_about_items = request.operation in ITEM_OPERATIONS
        check_request(request.operation, params, is_about_items=is_about_items)
        tables = _tables_in(request.region)
        if is_about_items:
            response = json_response(ITEM_OPERATIONS[request.operation](tables, params))
        elif request.operation == "TransactWriteItems":
            operations = partial(transact_write_operations, tables, params)
            response = json_response(self._transactions.write(params, operations))
        elif request.operation == "ExecuteTransaction":
            response = json_response(execute_transaction(self._transactions, tables, params))
        else:
            check_table_call(request.operation, params, tables)
            response = self._forward_to_moto(request)
        self._streams.commit()
        return response

    def _forward_to_moto(self, request: ApiRequest) -> ApiResponse:
        """Return moto's response to a call that is not about items."""
        _prepare_moto(request)
        response = self.cloud.forward_to_moto(request)
        if response.status == 200 and request.operation in ("DeleteTable", "UpdateTable"):
            self._close_old_streams(request)
        return response

    def _close_old_streams(self, request: ApiRequest) -> None:
        """Close the streams of a table that was deleted or whose stream was disabled."""
        name = request.params["TableName"]
        table = _tables_in(request.region).get(name)
        current = _stream(table) if table is not None and _has_stream(table) else None
        self._streams.close_streams(request.region, name, current)


def _tables_in(region: str) -> Tables:
    return dynamodb_backends[ACCOUNT][region].tables


def _tables() -> Iterator[Table]:
    for backend in list(dynamodb_backends[ACCOUNT].values()):
        yield from list(backend.tables.values())


def _prepare_moto(request: ApiRequest) -> None:
    """Change moto's tables so that moto's answer to a call is AWS's."""
    backend = dynamodb_backends[ACCOUNT][request.region]
    match request.operation:
        case "UpdateTable":
            _prepare_stream_change(request)
        case "ListTables":
            backend.tables = dict(sorted(backend.tables.items()))
        case "TagResource":
            keys = [tag["Key"] for tag in request.params["Tags"]]
            backend.untag_resource(request.params["ResourceArn"], keys)


def _prepare_stream_change(request: ApiRequest) -> None:
    """Reject enabling an enabled or disabling a disabled stream; let moto enable one again."""
    specification = request.params.get("StreamSpecification")
    name = request.params.get("TableName", "")
    table = _tables_in(request.region).get(name)
    if specification is None or table is None:
        return
    enable = bool(specification.get("StreamEnabled"))
    if enable and _has_stream(table):
        message = f"Table already has an enabled stream: TableName: {name}"
        raise AwsError("ResourceInUseException", message)
    if not enable and not _has_stream(table):
        raise Rejected(f"Table has no stream to disable: TableName: {name}")
    if enable:
        table.latest_stream_label = None  # moto enables a stream only if there never was one.


def _has_stream(table: Table) -> bool:
    return bool((table.stream_specification or {}).get("StreamEnabled"))


def _stream(table: Table) -> ChangeStream | None:
    # DynamoDb replaces moto's StreamShard by StreamsApi.open_stream.
    return cast("ChangeStream | None", table.stream_shard)


def _delete_expired(table: Table, now: float) -> bool:
    """Delete a table's expired items, and return whether there were any."""
    items = list(expired_items(table, now))
    for item in items:
        if item.range_key is None:
            del table.items[item.hash_key]
        else:
            del table.items[item.hash_key][item.range_key]
        stream = _stream(table)
        if stream is not None:
            stream.add(item, None, is_expiry=True)
    return bool(items)
