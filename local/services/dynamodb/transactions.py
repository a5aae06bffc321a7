"""TransactGetItems and TransactWriteItems: all of a call's items, or none."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from moto.dynamodb.models.table import Table

from local.core.clock import Clock
from local.core.request import AwsError
from local.services.dynamodb.batches import parse_projection_of
from local.services.dynamodb.capacity import Capacity, capacity_members, read_capacity
from local.services.dynamodb.item_writes import (
    Preparation,
    Write,
    parse_update_call,
    parse_write,
    read_image,
)
from local.services.dynamodb.keys import Tables, check_key, find_table, moto_key, table_index
from local.services.dynamodb.language.errors import Rejected, RejectedItem
from local.services.dynamodb.language.projections import project
from local.services.dynamodb.language.values import Image, image_size

Params = Mapping[str, Any]
TRANSACTION_BYTES = 4 * 1024 * 1024
TOKEN_LIFETIME = 10 * 60
COMPARED_MEMBERS = ("TransactItems", "TransactStatements")
PARAMETER_MISMATCH = (
    "Request rejected because it reused a client token with parameters that differ from the "
    "first request"
)
TOO_LARGE = (
    "Collection size of items exceeded, which can also be caused by the aggregate size of the "
    "items in the transaction exceeding the 4MB limit"
)
DUPLICATE_ITEMS = "Transaction request cannot include multiple operations on one item"
KINDS = ("Put", "Delete", "Update", "ConditionCheck")
REASON_CODES = {
    "ConditionalCheckFailedException": "ConditionalCheckFailed",
    "DuplicateItemException": "DuplicateItem",
    "ValidationException": "ValidationError",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One write of a transaction: the item that it addresses, and how it is prepared."""

    target: str
    prepare: Callable[[], Write]


class Transactions:
    """TransactWriteItems and ExecuteTransaction, which repeat no call with a known token."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._calls: dict[str, _Call] = {}

    def write(self, params: Params, prepare: Callable[[], Sequence[Operation]]) -> dict[str, Any]:
        """Execute a transaction of writes unless it is a repeated call; return the response."""
        token = params.get("ClientRequestToken")
        call = self._recent_calls().get(token or "")
        request = {name: member for name, member in params.items() if name in COMPARED_MEMBERS}
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        if call is not None:
            if call.digest != digest:
                raise AwsError("IdempotentParameterMismatchException", PARAMETER_MISMATCH)
            return capacity_members(params, call.reads, "Read")
        writes = commit(prepare())
        if token:
            reads = [read for write in writes for read in _reads(write.table.name, write.new)]
            self._calls[token] = _Call(self._clock.now(), digest, reads)
        capacities = [capacity for write in writes for capacity in [write.capacity] * 2]
        return capacity_members(params, capacities, "Write")

    def _recent_calls(self) -> dict[str, "_Call"]:
        oldest = self._clock.now() - TOKEN_LIFETIME
        self._calls = {
            token: call for token, call in self._calls.items() if call.executed_at >= oldest
        }
        return self._calls


@dataclass(frozen=True, slots=True)
class _Call:
    """A transaction with a token: its parameters, and what a repeated call consumes."""

    executed_at: float
    digest: str
    reads: list[Capacity]


def _reads(table_name: str, image: Image | None) -> list[Capacity]:
    """Return the capacity of a transactional read, which is twice that of a consistent one."""
    return [read_capacity(table_name, image_size(image or {}), is_consistent=True)] * 2


def transact_write_operations(tables: Tables, params: Params) -> list[Operation]:
    """Return the operations of TransactWriteItems."""
    parsed = [_parse_item(item) for item in params["TransactItems"]]
    operations = []
    for member, prepare in parsed:
        table = find_table(tables, member["TableName"])
        target = target_of(table, member.get("Key") or member.get("Item") or {})
        operations.append(Operation(target, partial(prepare, tables)))
    return operations


def _parse_item(item: Params) -> tuple[Params, Preparation]:
    if len(item) != 1 or not item.keys() <= set(KINDS):
        message = "TransactItems can only contain one of Check, Put, Update or Delete"
        raise Rejected(message)
    ((kind, member),) = item.items()
    prepare = parse_update_call(member)[1] if kind == "Update" else parse_write(kind, member)
    return member, prepare


def target_of(table: Table, image: Image) -> str:
    """Return what the operations on one item have in common."""
    key = [image.get(name) for name in table_index(table).key_names]
    return json.dumps([table.name, key], sort_keys=True)


def transact_get_items(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to TransactGetItems."""
    reads = [item["Get"] for item in params["TransactItems"]]
    projections = [parse_projection_of(read) for read in reads]
    keys = [(find_table(tables, read["TableName"]), read["Key"]) for read in reads]
    images, members = read_all(keys, params)
    chosen = [
        image if image is None or paths is None else project(image, paths)
        for image, paths in zip(images, projections, strict=True)
    ]
    return {"Responses": [{"Item": image} if image else {} for image in chosen], **members}


def read_all(
    keys: Sequence[tuple[Table, Image]], params: Params
) -> tuple[list[Image | None], dict[str, Any]]:
    """Return the items under these keys and the ConsumedCapacity of reading them.

    Raises AWS's error if a key is not valid.
    """
    reasons: list[AwsError | RejectedItem | None] = []
    for table, key in keys:
        try:
            check_key(table, key)
            reasons.append(None)
        except RejectedItem as error:
            reasons.append(error)
    if any(reasons):
        raise cancellation(reasons)
    if len({target_of(table, key) for table, key in keys}) < len(keys):
        raise Rejected(DUPLICATE_ITEMS)
    images = [read_image(table, moto_key(table, key)) for table, key in keys]
    capacities = [
        read
        for (table, _), image in zip(keys, images, strict=True)
        for read in _reads(table.name, image)
    ]
    return images, capacity_members(params, capacities, "Read")


def commit(operations: Sequence[Operation]) -> list[Write]:
    """Prepare and apply the writes of a transaction, or raise AWS's error and change nothing."""
    results = [_result(operation) for operation in operations]
    if len({operation.target for operation in operations}) < len(operations):
        raise Rejected(DUPLICATE_ITEMS)
    writes = [result for result in results if isinstance(result, Write)]
    if len(writes) < len(results):
        raise cancellation([None if isinstance(result, Write) else result for result in results])
    if sum(image_size(write.new or {}) for write in writes) > TRANSACTION_BYTES:
        raise Rejected(TOO_LARGE)
    for write in writes:
        write.apply()
    return writes


def _result(operation: Operation) -> Write | AwsError | RejectedItem:
    """Return an operation's write, or the error that its item causes; raise any other error."""
    try:
        return operation.prepare()
    except RejectedItem as error:
        return error
    except AwsError as error:
        if error.code in REASON_CODES:
            return error
        raise


def cancellation(reasons: Sequence[AwsError | RejectedItem | None]) -> AwsError:
    """Return the error of a transaction of which some operations failed."""
    described = [
        {"Code": "None"}
        if reason is None
        else {
            "Code": REASON_CODES[reason.code],
            "Message": reason.message,
            **getattr(reason, "members", {}),
        }
        for reason in reasons
    ]
    codes = ", ".join(str(reason["Code"]) for reason in described)
    return AwsError(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        members={"CancellationReasons": described},
    )
