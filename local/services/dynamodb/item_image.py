"""An item's image: its attributes as plain DynamoDB JSON, and as moto holds them."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from moto.dynamodb.models.dynamo_type import DynamoType, Item

SETS = ("SS", "NS", "BS")
ITEM_BYTES = 400 * 1024

Image = dict[str, dict[str, Any]]


class Unusual(Exception):
    """Nothing that a client library would send: moto has words for it."""


def image(item: Item | None) -> Image | None:
    """Return an item's attributes as plain DynamoDB JSON, sets in order; None for no item."""
    if item is None:
        return None
    return {name: plain(value) for name, value in item.attrs.items()}


def plain(value: DynamoType) -> dict[str, Any]:
    """Return an attribute's value as plain DynamoDB JSON, sets in order."""
    kind, content = value.type, value.value
    if kind == "M":
        content = {name: plain(each) for name, each in content.items()}
    elif kind == "L":
        content = [plain(each) for each in content]
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


def held(value: Any) -> DynamoType:
    """Return an attribute's value in DynamoDB JSON as moto holds it; raise Unusual if it is none.

    moto's own constructor checks nothing and makes each nested value twice.
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise Unusual
    ((kind, content),) = value.items()
    made = object.__new__(DynamoType)
    made.type, made.value = kind, _CONTENTS.get(kind, _unknown)(content)
    return made


def _being(kind: type) -> Callable[[Any], Any]:
    """Return a function that returns what it is given, if that is of this kind."""

    def same(content: Any) -> Any:
        if type(content) is not kind:
            raise Unusual
        return content

    return same


def _each(element: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    return lambda contents: [element(content) for content in _being(list)(contents)]


def _bytes(content: Any) -> bytes:
    try:
        return base64.b64decode(_being(str)(content), validate=True)
    except binascii.Error:
        raise Unusual from None


def _null(content: Any) -> bool:
    if content is not True:
        raise Unusual
    return content


def _unknown(_: Any) -> Any:
    raise Unusual


_CONTENTS: Mapping[str, Callable[[Any], Any]] = {
    "S": _being(str),
    "N": _being(str),
    "B": _bytes,
    "BOOL": _being(bool),
    "NULL": _null,
    "L": _each(held),
    "M": lambda content: {name: held(each) for name, each in _being(dict)(content).items()},
    "SS": _each(_being(str)),
    "NS": _each(_being(str)),
    "BS": _each(_bytes),
}
