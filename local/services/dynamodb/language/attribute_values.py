"""Attribute values of requests: normalized as DynamoDB stores them, or rejected."""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any

from local.services.dynamodb.language.errors import INVALID, Rejected, RejectedRequest
from local.services.dynamodb.language.numbers import normalize_number

CONTENT_TYPES: Mapping[str, type] = {
    "S": str,
    "N": str,
    "B": str,
    "BOOL": bool,
    "NULL": bool,
    "L": list,
    "M": dict,
    "SS": list,
    "NS": list,
    "BS": list,
}
EMPTY_SETS = {
    "SS": "An string set  may not be empty",
    "NS": "An number set  may not be empty",
    "BS": "Binary sets should not be empty",
}
MAX_LEVEL = 32


def normalize_value(value: Any, level: int = 1) -> None:
    """Change a value, and the values in it, to what DynamoDB stores; or raise DynamoDB's error."""
    tag = _tag_of(value)
    content = value[tag]
    if level > MAX_LEVEL:
        raise RejectedRequest(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested "
            "levels beyond supported limit"
        )
    if tag in ("L", "M"):
        for member in content if tag == "L" else content.values():
            normalize_value(member, level + 1)
    elif tag in EMPTY_SETS:
        value[tag] = _normalize_set(tag, content)
    elif tag == "N":
        value[tag] = normalize_number(content)
    elif tag == "B":
        _check_base64(content)
    elif tag == "NULL" and not content:
        raise RejectedRequest(f"{INVALID}Null attribute value types must have the value of true")


def _tag_of(value: Any) -> str:
    if not isinstance(value, dict):
        raise Rejected("An attribute value must be a structure", "SerializationException")
    if len(value) != 1 or not CONTENT_TYPES.keys() >= value.keys():
        problem = "has more than one datatypes set" if len(value) > 1 else "is empty"
        raise RejectedRequest(
            f"Supplied AttributeValue {problem}, must contain exactly one of the supported "
            "datatypes"
        )
    (tag,) = value
    if not isinstance(value[tag], CONTENT_TYPES[tag]):
        raise Rejected(f"The content of {tag} has another type", "SerializationException")
    return str(tag)


def _normalize_set(tag: str, elements: Sequence[Any]) -> list[str]:
    if not elements:
        raise RejectedRequest(f"{INVALID}{EMPTY_SETS[tag]}")
    if not all(isinstance(element, str) for element in elements):
        raise Rejected(f"An element of {tag} has another type", "SerializationException")
    normalized = elements
    if tag == "NS":
        normalized = [normalize_number(element) for element in elements]
    elif tag == "BS":
        for element in elements:
            _check_base64(element)
    if len(set(normalized)) < len(normalized):
        suffix = "of type BS " if tag == "BS" else " "
        raise RejectedRequest(
            f"{INVALID}Input collection [{', '.join(elements)}]{suffix}contains duplicates."
        )
    return sorted(normalized)


def _check_base64(text: str) -> None:
    try:
        b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise RejectedRequest(
            "A binary value is not valid base64", "SerializationException"
        ) from None
