"""Validation of requests: attribute values are normalized as DynamoDB stores them, or rejected."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from local.core.request import AwsError
from local.services.dynamodb.numbers import normalize_number, validation_error

SET_TYPE_NAMES = {"SS": "string", "NS": "number", "BS": "binary"}
# The JSON type of each tag's content. An attribute may be *named* like a tag: its content is
# then a dict, so it is not mistaken for a value.
CONTENT_TYPES: dict[str, type] = {
    "S": str,
    "N": str,
    "B": str,
    "BOOL": bool,
    "NULL": bool,
    "L": list,
    "SS": list,
    "NS": list,
    "BS": list,
}
VALUE_MEMBERS = ("Item", "ExpressionAttributeValues")  # Request members that contain values.
MAX_NESTING = 32


def parse_request(body: bytes) -> dict[str, Any]:
    """Return a request's parameters with every value, however deep, as DynamoDB stores it."""
    params: dict[str, Any] = json.loads(body, object_hook=_normalize_value)
    could_be_too_deep = body.count(b'"M"') + body.count(b'"L"') > MAX_NESTING
    if could_be_too_deep and _request_depth(params) > MAX_NESTING:
        raise validation_error(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested "
            "levels beyond supported limit"
        )
    return params


def encode_request(params: Mapping[str, Any]) -> bytes:
    """Return a request's parameters as JSON in UTF-8."""
    try:
        return json.dumps(params, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # A lone surrogate has no UTF-8 encoding.
        raise AwsError("SerializationException", "The text is not valid UTF-8") from None


def _normalize_value(value: dict[str, Any]) -> dict[str, Any]:
    """Normalize a JSON object in place if it is an attribute value, and return it."""
    tags = [
        tag
        for tag, content in value.items()
        if tag in CONTENT_TYPES and isinstance(content, CONTENT_TYPES[tag])
    ]
    if len(tags) > 1:
        raise validation_error(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes"
        )
    for tag in tags:
        if tag == "N":
            value[tag] = normalize_number(value[tag])
        elif tag in SET_TYPE_NAMES:
            value[tag] = _normalize_set(tag, value[tag])
    return value


def _normalize_set(tag: str, elements: Sequence[Any]) -> list[Any]:
    prefix = "One or more parameter values were invalid:"
    if not elements:
        raise validation_error(f"{prefix} An {SET_TYPE_NAMES[tag]} set  may not be empty")
    normalized = [
        normalize_number(element) if tag == "NS" and isinstance(element, str) else element
        for element in elements
    ]
    if len({str(element) for element in normalized}) < len(normalized):
        listed = ", ".join(map(str, elements))
        raise validation_error(f"{prefix} Input collection [{listed}] contains duplicates.")
    return normalized


def _request_depth(params: Any) -> int:
    """Return the greatest nesting depth of the attribute values in a request."""
    if isinstance(params, list):
        return max(map(_request_depth, params), default=0)
    if not isinstance(params, dict):
        return 0
    depths = [0]
    for name, member in params.items():
        if name in VALUE_MEMBERS:
            depths += map(_value_depth, member.values())
        else:
            depths.append(_request_depth(member))
    return max(depths)


def _value_depth(value: dict[str, Any]) -> int:
    """Return how many maps and lists are nested in a value, itself included."""
    if "M" in value:
        return 1 + max(map(_value_depth, value["M"].values()), default=0)
    if "L" in value:
        return 1 + max(map(_value_depth, value["L"]), default=0)
    return 0
