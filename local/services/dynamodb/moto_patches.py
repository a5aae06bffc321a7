"""Monkeypatches for moto's DynamoDB: exact sums, O(n) item sizes, and no memory leak."""

from collections.abc import Iterable
from typing import Any

from moto.dynamodb.exceptions import (
    IncorrectDataType,
    ItemSizeTooLarge,
    MockValidationException,
)
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

from local.core.patches import Patches
from local.core.request import AwsError
from local.services.dynamodb.item_image import ITEM_BYTES, from_moto, image_size
from local.services.dynamodb.numbers import add_numbers, subtract_numbers


def set_attribute(attributes: LimitedSizeDict, name: str, value: DynamoType) -> None:
    """Set an attribute, or raise ItemSizeTooLarge if the item would exceed 400 KB.

    moto computes the size of the whole item for each attribute. This keeps a running size, which
    is too large once an attribute was replaced or removed, and is recomputed at the limit.
    """
    size = vars(attributes).get("size")
    if size is None:
        size = _size(attributes.items())
    size += _size([(name, value)])
    if size > ITEM_BYTES:
        others = [(key, other) for key, other in attributes.items() if key != name]
        size = _size([*others, (name, value)])
    vars(attributes)["size"] = size
    if size > ITEM_BYTES:
        raise ItemSizeTooLarge
    dict.__setitem__(attributes, name, value)


def new_untracked(item_type: type, *_: Any, **__: Any) -> Any:
    """Create an item that moto does not track: it would keep every item ever made."""
    return object.__new__(item_type)


def add(left: DynamoType, right: DynamoType) -> DynamoType:
    """Return the exact sum for an update's `a + b`; moto rounds it to 28 digits."""
    _require_numbers(left, right)
    try:
        return DynamoType({"N": add_numbers(left.value, right.value)})
    except AwsError as error:
        raise MockValidationException(error.message) from None


def subtract(left: DynamoType, right: DynamoType) -> DynamoType:
    """Return the exact difference for an update's `a - b`."""
    _require_numbers(left, right)
    try:
        return DynamoType({"N": subtract_numbers(left.value, right.value)})
    except AwsError as error:
        raise MockValidationException(error.message) from None


def _require_numbers(left: DynamoType, right: DynamoType) -> None:
    if (left.type, right.type) != ("N", "N"):
        raise IncorrectDataType


def _size(attributes: Iterable[tuple[str, DynamoType]]) -> int:
    return image_size({name: from_moto(value) for name, value in attributes})


_PATCHES = Patches(
    (LimitedSizeDict, "__setitem__", set_attribute),
    (Item, "__new__", new_untracked),
    (DynamoType, "__add__", add),
    (DynamoType, "__sub__", subtract),
)
apply = _PATCHES.apply
undo = _PATCHES.undo
