"""An item's image as plain DynamoDB JSON, its size, and its conversion from and to moto."""

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from moto.dynamodb.models.dynamo_type import DynamoType, Item

SETS = ("SS", "NS", "BS")
ITEM_BYTES = 400 * 1024

Image = dict[str, dict[str, Any]]
T = TypeVar("T")


class UnsupportedRequest(Exception):
    """A malformed or unusual request: let moto answer it or produce the error."""


def item_image(item: Item | None) -> Image | None:
    """Return an item's attributes as plain DynamoDB JSON, sets sorted; None for no item."""
    if item is None:
        return None
    return {name: from_moto(value) for name, value in item.attrs.items()}


def from_moto(value: DynamoType) -> dict[str, Any]:
    """Return an attribute's value as plain DynamoDB JSON, sets sorted."""
    tag = value.type
    content = value.value
    if tag == "M":
        content = {name: from_moto(member) for name, member in content.items()}
    elif tag == "L":
        content = [from_moto(element) for element in content]
    elif tag in SETS:
        content = sorted(map(_to_text, content))
    elif tag == "B":
        content = _to_text(content)
    return {tag: content}


def _to_text(content: str | bytes) -> str:
    return content if isinstance(content, str) else base64.b64encode(content).decode()


def image_size(image: Mapping[str, Mapping[str, Any]]) -> int:
    """Return an image's size as DynamoDB counts it: names and values, in bytes."""
    return sum(len(name.encode()) + _value_size(value) for name, value in image.items())


def _value_size(value: Mapping[str, Any]) -> int:  # noqa: PLR0911 - one per type.
    ((tag, content),) = value.items()
    if tag == "S":
        return len(content.encode())
    if tag == "M":
        return 3 + len(content) + image_size(content)
    if tag == "L":
        return 3 + sum(1 + _value_size(element) for element in content)
    if tag in SETS:
        return sum(_value_size({tag[0]: element}) for element in content)
    if tag == "N":
        return len(content) // 2 + 2
    if tag == "B":
        return len(content) * 3 // 4
    return 1  # BOOL and NULL.


def to_moto(value: Any) -> DynamoType:
    """Return a value in DynamoDB JSON as moto stores it; raise UnsupportedRequest if malformed.

    moto's own constructor checks nothing and builds each nested value twice.
    """
    if not isinstance(value, dict) or len(value) != 1:
        raise UnsupportedRequest
    ((tag, content),) = value.items()
    if tag not in _DECODERS:
        raise UnsupportedRequest
    moto_value = object.__new__(DynamoType)
    moto_value.type = tag
    moto_value.value = _DECODERS[tag](content)
    return moto_value


def _require_type(content: Any, expected: type[T]) -> T:
    if not isinstance(content, expected):
        raise UnsupportedRequest
    return content


def _string(content: Any) -> str:
    return _require_type(content, str)


def _bytes(content: Any) -> bytes:
    try:
        return base64.b64decode(_string(content), validate=True)
    except binascii.Error:
        raise UnsupportedRequest from None


def _bool(content: Any) -> bool:
    return _require_type(content, bool)


def _null(content: Any) -> bool:
    if content is not True:
        raise UnsupportedRequest
    return True


def _list(content: Any) -> list[DynamoType]:
    return [to_moto(element) for element in _require_type(content, list)]


def _map(content: Any) -> dict[str, DynamoType]:
    return {name: to_moto(member) for name, member in _require_type(content, dict).items()}


def _strings(content: Any) -> list[str]:
    return [_string(element) for element in _require_type(content, list)]


def _binaries(content: Any) -> list[bytes]:
    return [_bytes(element) for element in _require_type(content, list)]


_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "S": _string,
    "N": _string,
    "B": _bytes,
    "BOOL": _bool,
    "NULL": _null,
    "L": _list,
    "M": _map,
    "SS": _strings,
    "NS": _strings,
    "BS": _binaries,
}
