"""Attribute values as DynamoDB stores them, or the reason why it does not."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from local.core.request import AwsError
from local.services.dynamodb.numbers import refusal, stored_number

SETS = {"SS": "string", "NS": "number", "BS": "binary"}
# What stands behind each tag in JSON; an attribute may be *named* like a tag, its value is a dict.
FORMS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("S", "N", "B"), (str,)),
    **dict.fromkeys(("BOOL", "NULL"), (bool,)),
    **dict.fromkeys(("L", *SETS), (list,)),
}
HOLDERS = ("Item", "ExpressionAttributeValues")  # The members of requests that hold values.
LEVELS = 32


def stored_values(body: bytes) -> dict[str, Any]:
    """Return a request's parameters with every value, however deep, as DynamoDB stores it."""
    params = json.loads(body, object_hook=_stored)
    if body.count(b'"M"') + body.count(b'"L"') > LEVELS and _deepest(params) > LEVELS:
        raise refusal(
            "Nesting Levels have exceeded supported limits: Attributes in the item have nested "
            "levels beyond supported limit"
        )
    return params


def as_json(params: Mapping[str, Any]) -> bytes:
    """Return a request's parameters as its JSON."""
    try:
        return json.dumps(params, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # Half of a surrogate pair: no UTF-8 text.
        raise AwsError("SerializationException", "The text is not valid UTF-8") from None


def _stored(value: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object; if it is an attribute value, as DynamoDB stores it."""
    tags = [tag for tag, held in value.items() if isinstance(held, FORMS.get(tag, ()))]
    if len(tags) > 1:
        raise refusal(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
            "the supported datatypes"
        )
    for tag in tags:
        if tag == "N":
            value[tag] = stored_number(value[tag])
        elif tag in SETS:
            value[tag] = _stored_set(tag, value[tag])
    return value


def _stored_set(tag: str, held: Sequence[Any]) -> list[Any]:
    wrong = "One or more parameter values were invalid:"
    if not held:
        raise refusal(f"{wrong} An {SETS[tag]} set  may not be empty")
    stored = [
        stored_number(each) if tag == "NS" and isinstance(each, str) else each for each in held
    ]
    if len({str(each) for each in stored}) < len(stored):
        listed = ", ".join(map(str, held))
        raise refusal(f"{wrong} Input collection [{listed}] contains duplicates.")
    return stored


def _deepest(params: Any) -> int:
    """Return how many maps and lists lie within each other in a request's items."""
    if isinstance(params, list):
        return max(map(_deepest, params), default=0)
    if not isinstance(params, dict):
        return 0
    inner = [
        _levels(held) if name in HOLDERS else _deepest(held)
        for name, members in params.items()
        for held in (members.values() if name in HOLDERS else [members])
    ]
    return max(inner, default=0)


def _levels(value: dict[str, Any]) -> int:
    """Return how many maps and lists lie within each other in a value, itself included."""
    if "M" in value:
        return 1 + max(map(_levels, value["M"].values()), default=0)
    return 1 + max(map(_levels, value["L"]), default=0) if "L" in value else 0
