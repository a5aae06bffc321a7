"""Monkeypatches for moto's DynamoDB: O(n²) item sizes and a memory leak."""

from collections.abc import Iterable
from typing import Any

from moto.dynamodb.exceptions import ItemSizeTooLarge
from moto.dynamodb.models.dynamo_type import DynamoType, Item, LimitedSizeDict

from local.core.patches import Patches
from local.services.dynamodb.item_image import ITEM_BYTES, image_size, plain


def set_attribute(item: LimitedSizeDict, name: str, value: Any) -> None:
    """Set an attribute of an item that stays within 400 KB.

    moto weighs the whole item for each attribute; the running weight here may only be too
    great (an attribute was replaced or removed), and is taken anew when it passes the limit.
    """
    weight = vars(item).get("weight")
    before = _weight(item.items()) if weight is None else weight
    item.weight = before + _weight([(name, value)])
    if item.weight > ITEM_BYTES:
        others = [(each, held) for each, held in item.items() if each != name]
        item.weight = _weight([*others, (name, value)])
    if item.weight > ITEM_BYTES:
        raise ItemSizeTooLarge
    dict.__setitem__(item, name, value)


def untracked(kind: type, *_: Any, **__: Any) -> Any:
    """Create an item that moto does not track: it would keep every item ever made."""
    return object.__new__(kind)


def _weight(attributes: Iterable[tuple[str, DynamoType]]) -> int:
    return image_size({name: plain(value) for name, value in attributes})


_PATCHES = Patches(
    (LimitedSizeDict, "__setitem__", set_attribute),
    (Item, "__new__", untracked),
)
apply = _PATCHES.apply
undo = _PATCHES.undo
