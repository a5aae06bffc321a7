"""Attribute values as plain DynamoDB JSON: their types, order and size, and paths into them."""

from base64 import b64decode
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from local.services.dynamodb.language.numbers import number_size

Value = dict[str, Any]  # One member: the type and the content.
Image = dict[str, Value]  # An item's attributes.
ORDERED_TYPES = ("S", "N", "B")
SETS = ("SS", "NS", "BS")
ITEM_BYTES = 400 * 1024


def type_of(value: Mapping[str, Any]) -> str:
    """Return the type of a value, such as `S`."""
    return next(iter(value), "")


def sort_key(value: Mapping[str, Any]) -> Any:
    """Return what orders the values of one of ORDERED_TYPES."""
    ((tag, content),) = value.items()
    if tag == "N":
        return Decimal(content)
    return b64decode(content) if tag == "B" else content.encode()


def is_in_order(low: Mapping[str, Any], high: Mapping[str, Any]) -> bool:
    """Return whether two values are of one type that has an order, and not in descending order."""
    if type_of(low) != type_of(high) or type_of(low) not in ORDERED_TYPES:
        return False
    return bool(sort_key(low) <= sort_key(high))


def value_at(image: Mapping[str, Value], path: tuple[str | int, ...]) -> Value | None:
    """Return the value at a document path; None if it does not exist."""
    value: Value | None = {"M": image}
    for element in path:
        if value is None:
            return None
        if isinstance(element, str):
            value = value.get("M", {}).get(element)
        else:
            elements = value.get("L", ())
            value = elements[element] if element < len(elements) else None
    return value


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
        return number_size(content)
    if tag == "B":
        return len(b64decode(content))
    return 1  # BOOL and NULL.
