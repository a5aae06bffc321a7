"""Conditions on an item: which hold, with DynamoDB's rules for missing attributes and types."""

import operator
from base64 import b64decode

from local.services.dynamodb.language.expressions import Attribute, Call, Literal, Operand
from local.services.dynamodb.language.values import (
    ORDERED_TYPES,
    SETS,
    Image,
    Value,
    sort_key,
    type_of,
    value_at,
)

_ORDERINGS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def holds(condition: Operand, image: Image) -> bool:
    """Return whether a condition holds for an item; {} stands for a missing item."""
    assert isinstance(condition, Call)  # noqa: S101 - the parsers make only calls of conditions.
    match condition.name:
        case "AND":
            return all(holds(operand, image) for operand in condition.operands)
        case "OR":
            return any(holds(operand, image) for operand in condition.operands)
        case "NOT":
            return not holds(condition.operands[0], image)
    first, *others = (evaluate(operand, image) for operand in condition.operands)
    return _compare(condition.name, first, *others)


def evaluate(operand: Operand, image: Image) -> Value | None:
    """Return an operand's value for an item; None if it has none."""
    if isinstance(operand, Literal):
        return operand.value
    if isinstance(operand, Attribute):
        return value_at(image, operand.path)
    return _size(evaluate(operand.operands[0], image))


def _compare(name: str, first: Value | None, *others: Value | None) -> bool:
    if name in ("attribute_exists", "attribute_not_exists"):
        return (first is None) == (name == "attribute_not_exists")
    if name == "<>":
        return first != others[0]
    if first is None:
        return False
    if name == "IN":
        return first in others
    if name == "BETWEEN":
        return _is_ordered(">=", first, others[0]) and _is_ordered("<=", first, others[1])
    return _satisfies(name, first, others[0])


def _satisfies(name: str, first: Value, other: Value | None) -> bool:
    if other is None:
        return False
    if name in _ORDERINGS:
        return _is_ordered(name, first, other)
    if name == "=":
        return first == other
    if name == "attribute_type":
        return other == {"S": type_of(first)}
    if name == "begins_with":
        return _begins_with(first, other)
    return _contains(first, other)


def _is_ordered(name: str, first: Value, other: Value | None) -> bool:
    if other is None or type_of(first) != type_of(other) or type_of(first) not in ORDERED_TYPES:
        return False
    return bool(_ORDERINGS[name](sort_key(first), sort_key(other)))


def _begins_with(first: Value, prefix: Value) -> bool:
    if type_of(first) != type_of(prefix) or type_of(first) not in ("S", "B"):
        return False
    return bool(sort_key(first).startswith(sort_key(prefix)))


def _contains(first: Value, other: Value) -> bool:
    tag = type_of(first)
    if tag in ("S", "B") and type_of(other) == tag:
        return sort_key(other) in sort_key(first)
    if tag in SETS:
        return type_of(other) == tag[0] and other[tag[0]] in first[tag]
    return other in first.get("L", ())


def _size(value: Value | None) -> Value | None:
    """Return the size of a value: UTF-16 code units, bytes or elements; None if it has none."""
    if value is None:
        return None
    ((tag, content),) = value.items()
    if tag == "S":
        size = len(content.encode("utf-16-le")) // 2
    elif tag == "B":
        size = len(b64decode(content))
    elif tag in (*SETS, "L", "M"):
        size = len(content)
    else:
        return None
    return {"N": str(size)}
