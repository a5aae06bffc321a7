"""Writes of single items: checked and prepared first, applied at once.

All writes of a call, of a batch and of a transaction are prepared before the first is applied, so
a rejected call changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from moto.dynamodb.models.dynamo_type import Item, LimitedSizeDict
from moto.dynamodb.models.table import Table

from local.core.request import AwsError
from local.services.dynamodb.capacity import Capacity, capacity_member, write_capacity
from local.services.dynamodb.item_image import from_moto, item_image, to_moto
from local.services.dynamodb.keys import (
    MotoKey,
    Tables,
    check_index_keys,
    check_item,
    check_key,
    find_table,
    moto_key,
    table_index,
)
from local.services.dynamodb.language.conditions import holds
from local.services.dynamodb.language.errors import Rejected, RejectedItem, RejectedRequest
from local.services.dynamodb.language.expressions import Call
from local.services.dynamodb.language.projections import project
from local.services.dynamodb.language.request_expressions import RequestExpressions
from local.services.dynamodb.language.updates import Action, apply_update, check_key_is_kept
from local.services.dynamodb.language.values import ITEM_BYTES, Image, Value, image_size

Params = Mapping[str, Any]
CONDITION_FAILED = "The conditional request failed"
UPDATE_TOO_LARGE = "Item size to update has exceeded the maximum allowed size"
# Measured on AWS: https://github.com/nubo-db/dynamodb-conformance, limits/itemSizeBySurface.
UPDATE_BYTES = 3
ACTION_BYTES = {"SET": 19, "ADD": 19, "REMOVE": 2, "DELETE": 2}


@dataclass(frozen=True, slots=True)
class Write:
    """One item before and after a call; None where it does not exist."""

    table: Table
    key: MotoKey
    old: Image | None
    new: Image | None

    @property
    def target(self) -> tuple[str, str]:
        """What two writes of one item have in common."""
        return self.table.name, str([part and {part.type: part.value} for part in self.key])

    @property
    def capacity(self) -> Capacity:
        """The capacity that the write consumes."""
        return write_capacity(self.table, self.old, self.new)

    def apply(self) -> None:
        """Store or delete the item, and record the change in the table's stream."""
        hash_key, range_key = self.key
        items: dict[Any, Any] = self.table.items
        item_key: Any = hash_key
        if range_key is not None:
            items = items[hash_key]
            item_key = range_key
        old_item = items.get(item_key)
        new_item = None if self.new is None else _moto_item(self.key, self.new)
        if new_item is None:
            items.pop(item_key, None)
        else:
            items[item_key] = new_item
        if self.table.stream_shard is not None:
            self.table.stream_shard.add(old_item, new_item)


Preparation = Callable[[Tables], Write]


def _moto_item(key: MotoKey, image: Image) -> Item:
    # Not by moto's constructor and setter, which keep every item ever made and compute the size of
    # the whole item for each attribute.
    item: Item = object.__new__(Item)
    item.hash_key, item.range_key = key
    item.attrs = LimitedSizeDict()
    dict.update(item.attrs, {name: to_moto(value) for name, value in image.items()})
    return item


def parse_write(kind: str, params: Params) -> Preparation:
    """Return the function that prepares a Put, a Delete or a ConditionCheck."""
    condition = _condition(params)

    def prepare(tables: Tables) -> Write:
        table = find_table(tables, params["TableName"])
        if kind == "Put":
            check_new_item(table, params["Item"])
        else:
            check_key(table, params["Key"])
        key = moto_key(table, params["Item" if kind == "Put" else "Key"])
        old = read_image(table, key)
        check_condition(condition, old, params)
        new = {"Put": params.get("Item"), "Delete": None, "ConditionCheck": old}[kind]
        return Write(table, key, old, new)

    return prepare


def check_new_item(table: Table, image: Image) -> None:
    """Raise AWS's error for an item that cannot be put into a table."""
    check_item(table, image)
    check_index_keys(table, image, is_update=False)
    if image_size(image) > ITEM_BYTES:
        raise Rejected("Item size has exceeded the maximum allowed size")


def parse_update_call(params: Params) -> tuple[list[Action], Preparation]:
    """Return the actions of an update, and the function that prepares its write."""
    expressions = RequestExpressions(params)
    actions = expressions.update()
    condition = expressions.condition("ConditionExpression", "Expected")
    expressions.check_used()

    def prepare(tables: Tables) -> Write:
        table = find_table(tables, params["TableName"])
        check_key(table, params["Key"])
        return update_write(table, params["Key"], actions, condition, params)

    return actions, prepare


def update_write(
    table: Table,
    key_image: Mapping[str, Value],
    actions: list[Action],
    condition: Call | None,
    params: Params,
) -> Write:
    """Return the write of an update of the item under a key."""
    check_key_is_kept(actions, table_index(table).key_names)
    key = moto_key(table, key_image)
    old = read_image(table, key)
    check_condition(condition, old, params)
    new = apply_update(actions, old if old is not None else dict(key_image))
    changed = {name: value for name, value in new.items() if value != (old or {}).get(name)}
    check_index_keys(table, changed, is_update=True)
    if image_size(new) > ITEM_BYTES:
        raise RejectedItem(UPDATE_TOO_LARGE)
    return Write(table, key, old, new)


def _condition(params: Params) -> Call | None:
    expressions = RequestExpressions(params)
    condition = expressions.condition("ConditionExpression", "Expected")
    expressions.check_used()
    return condition


def check_condition(condition: Call | None, old: Image | None, params: Params) -> None:
    """Raise AWS's error if an item does not satisfy a condition."""
    if condition is None or holds(condition, old or {}):
        return
    returns_item = params.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD"
    members = {"Item": old} if returns_item and old is not None else {}
    raise AwsError("ConditionalCheckFailedException", CONDITION_FAILED, members=members)


def read_image(table: Table, key: MotoKey) -> Image | None:
    """Return the item under a key; None if it does not exist."""
    hash_key, range_key = key
    items: dict[Any, Any] = table.items
    item = items.get(hash_key)
    if range_key is not None:
        item = (item or {}).get(range_key)
    return item_image(item)


def put_item(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to PutItem."""
    _check_return_values(params)
    return _apply(params, parse_write("Put", params)(tables))


def delete_item(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to DeleteItem."""
    _check_return_values(params)
    return _apply(params, parse_write("Delete", params)(tables))


def _check_return_values(params: Params) -> None:
    if params.get("ReturnValues", "NONE") not in ("NONE", "ALL_OLD"):
        raise RejectedRequest("ReturnValues can only be ALL_OLD or NONE")


def update_item(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to UpdateItem."""
    actions, prepare = parse_update_call(params)
    write = prepare(tables)
    _check_update_size(write.new or {}, actions)
    return _apply(params, write, actions)


def _check_update_size(new: Image, actions: list[Action]) -> None:
    """Reject an update that is too large, as UpdateItem alone counts it.

    It counts the attributes that are written, whole, and a fixed number of bytes for each action.
    """
    names = {action.path[0] for action in actions}
    changed = {name: value for name, value in new.items() if name in names}
    cost = UPDATE_BYTES + sum(ACTION_BYTES[action.clause] for action in actions)
    cost += sum(isinstance(action.path[-1], int) for action in actions)
    if image_size(changed) + cost > ITEM_BYTES:
        raise Rejected(UPDATE_TOO_LARGE)


def _apply(params: Params, write: Write, actions: list[Action] | None = None) -> dict[str, Any]:
    write.apply()
    attributes = returned_image(params.get("ReturnValues", "NONE"), write, actions or [])
    return {
        **({"Attributes": attributes} if attributes else {}),
        **capacity_member(params, write.capacity),
        **_collection_metrics(params, write),
    }


def returned_image(choice: str, write: Write, actions: list[Action]) -> Image | None:
    """Return the attributes that ReturnValues chooses, such as UPDATED_NEW."""
    image = write.new if choice.endswith("NEW") else write.old
    if choice == "NONE" or image is None:
        return None
    paths = [action.path for action in actions]
    return project(image, paths) if choice.startswith("UPDATED") else image


def _collection_metrics(params: Params, write: Write) -> dict[str, Any]:
    if params.get("ReturnItemCollectionMetrics") != "SIZE" or not write.table.indexes:
        return {}
    hash_name = table_index(write.table).hash_name
    metrics = {
        "ItemCollectionKey": {hash_name: from_moto(write.key[0])},
        "SizeEstimateRangeGB": [0.0, 1.0],
    }
    return {"ItemCollectionMetrics": metrics}
