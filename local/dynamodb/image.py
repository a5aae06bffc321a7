"""An item's image: its attributes as plain DynamoDB JSON."""

import base64
from collections.abc import Mapping
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item

SETS = ("SS", "NS", "BS")

Image = dict[str, dict[str, Any]]


def image(item: Item | None) -> Image | None:
    """Return an item's attributes as plain DynamoDB JSON, sets in order; None for no item."""
    if item is None:
        return None
    return {name: _plain(value) for name, value in item.attrs.items()}


def _plain(value: DynamoType) -> dict[str, Any]:
    kind, content = value.type, value.value
    if kind == "M":
        content = {name: _plain(each) for name, each in content.items()}
    elif kind == "L":
        content = [_plain(each) for each in content]
    elif kind in SETS:
        content = sorted(map(_text, content))
    elif kind == "B":
        content = _text(content)
    return {kind: content}


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else base64.b64encode(content).decode()


def image_size(shown: Mapping[str, Mapping[str, Any]]) -> int:
    """Return an image's size as DynamoDB counts it: names and values, in bytes."""
    return sum(len(name.encode()) + _size(value) for name, value in shown.items())


def _size(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "M":
        return 3 + len(content) + image_size(content)
    if kind == "L":
        return 3 + sum(1 + _size(each) for each in content)
    if kind in SETS:
        return sum(_size({kind[0]: each}) for each in content)
    return {"N": len(content) // 2 + 2, "B": len(content) * 3 // 4}[kind] if kind in "NB" else 1
