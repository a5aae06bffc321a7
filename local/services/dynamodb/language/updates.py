"""UpdateExpressions: their actions, and the item that they leave.

All operands are read from the item as it was. Elements that are set beyond the end of a list are
appended in the order of their indexes, and elements are removed last: an index is one of the list
as it was.
"""

from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from local.services.dynamodb.language.errors import Rejected, RejectedItem
from local.services.dynamodb.language.expressions import (
    Attribute,
    Call,
    InvalidExpression,
    Literal,
    Operand,
    Parser,
    Path,
)
from local.services.dynamodb.language.numbers import add_numbers, subtract_numbers
from local.services.dynamodb.language.projections import check_overlaps
from local.services.dynamodb.language.values import SETS, Image, Value, type_of, value_at

CLAUSES = ("SET", "REMOVE", "ADD", "DELETE")
FUNCTIONS = ("if_not_exists", "list_append")
ADDABLE = ("N", *SETS)
LONG_TYPE_NAMES = {"S": "STRING", "N": "NUMBER", "B": "Binary", "L": "LIST", "M": "MAP"}
INVALID_PATH = "The document path provided in the update expression is invalid for update"
MISSING_ATTRIBUTE = "The provided expression refers to an attribute that does not exist in the item"
WRONG_TYPE = "An operand in the update expression has an incorrect data type"


@dataclass(frozen=True, slots=True)
class Action:
    """One action of an update; REMOVE has no operand."""

    clause: str
    path: Path
    operand: Operand | None = None


def parse_update(parser: Parser) -> list[Action]:
    """Return the actions of an UpdateExpression."""
    actions: list[Action] = []
    seen: list[str] = []
    while parser.keyword in CLAUSES or not seen:
        clause = parser.keyword
        if clause not in CLAUSES:
            raise parser.syntax_error()
        if clause in seen:
            raise InvalidExpression(
                f'The "{clause}" section can only be used once in an update expression;'
            )
        parser.take()
        seen.append(clause)
        actions += parser.list_of(lambda: _parse_action(parser, clause))  # noqa: B023 - used at once
    parser.expect_end()
    check_overlaps(action.path for action in actions)
    return actions


def _parse_action(parser: Parser, clause: str) -> Action:
    path = parser.path()
    if clause == "REMOVE":
        return Action(clause, path)
    if clause == "SET":
        parser.expect("=")
        return Action(clause, path, parse_set_operand(parser))
    if not parser.token.startswith(":"):
        raise parser.syntax_error()
    operand = Literal(parser.placeholders.value(parser.take()))
    check_set_change(clause, operand.value)
    return Action(clause, path, operand)


def check_set_change(clause: str, value: Value) -> None:
    """Reject a value that ADD cannot add or DELETE cannot delete."""
    tag = type_of(value)
    if tag not in (ADDABLE if clause == "ADD" else SETS):
        raise InvalidExpression(
            f"Incorrect operand type for operator or function; operator: {clause}, "
            f"operand type: {LONG_TYPE_NAMES.get(tag, tag)}, typeSet: ALLOWED_FOR_ADD_OPERAND"
        )


def parse_set_operand(parser: Parser) -> Operand:
    """Return what SET assigns: a value, or the sum or difference of two."""
    left = _parse_term(parser)
    operator = parser.token
    if operator not in ("+", "-"):
        return left
    parser.take()
    return _arithmetic(operator, left, _parse_term(parser))


def _parse_term(parser: Parser) -> Operand:
    if parser.accept("("):
        operand = parse_set_operand(parser)
        parser.expect(")")
        return operand
    if parser.tokens[parser.position + 1 : parser.position + 2] != ["("]:
        return parser.operand()
    name = parser.take()
    if name not in FUNCTIONS:
        raise InvalidExpression(f"Invalid function name; function: {name}")
    parser.expect("(")
    operands = parser.list_of(lambda: parse_set_operand(parser))
    parser.expect(")")
    if len(operands) != 2:
        raise InvalidExpression(
            "Incorrect number of operands for operator or function; "
            f"operator or function: {name}, number of operands: {len(operands)}"
        )
    if name == "if_not_exists" and not isinstance(operands[0], Attribute):
        raise InvalidExpression(
            "Operator or function requires a document path; operator or function: if_not_exists"
        )
    return _checked(name, "L", *operands) if name == "list_append" else Call(name, tuple(operands))


def _arithmetic(operator: str, left: Operand, right: Operand) -> Call:
    return _checked(operator, "N", left, right)


def _checked(name: str, tag: str, *operands: Operand) -> Call:
    for operand in operands:
        if isinstance(operand, Literal) and type_of(operand.value) != tag:
            raise InvalidExpression(
                "Incorrect operand type for operator or function; "
                f"operator or function: {name}, operand type: {type_of(operand.value)}"
            )
    return Call(name, operands)


def check_key_is_kept(actions: Iterable[Action], key_names: Sequence[str]) -> None:
    """Reject an update of a key's attribute."""
    for action in actions:
        if action.path[0] in key_names:
            raise Rejected(
                "One or more parameter values were invalid: Cannot update attribute "
                f"{action.path[0]}. This attribute is part of the key"
            )


def apply_update(actions: Iterable[Action], old: Image) -> Image:
    """Return the item that an update makes of an item."""
    new = deepcopy(old)
    changes = [(action.path, _new_value(action, old)) for action in actions]
    changes.sort(key=lambda change: [(isinstance(element, int), element) for element in change[0]])
    for path, value in changes:
        if value is not None:
            _set(new, path, deepcopy(value))
    for path, value in reversed(changes):
        if value is None:
            _remove(new, path)
    return new


def _new_value(action: Action, old: Image) -> Value | None:
    """Return the value that an action leaves at its path; None if it leaves none."""
    current = value_at(old, action.path)
    if action.operand is None:
        return None
    if action.clause == "SET":
        return _evaluate(action.operand, old)
    value = _evaluate(action.operand, old)
    ((tag, content),) = value.items()
    if current is not None and type_of(current) != tag:
        raise RejectedItem(WRONG_TYPE)
    if action.clause == "DELETE":
        kept = [element for element in (current or {tag: []})[tag] if element not in content]
        return {tag: kept} if kept else None
    if current is None:
        return value
    if tag == "N":
        return {"N": add_numbers(current["N"], content)}
    return {tag: sorted({*current[tag], *content})}


def _evaluate(operand: Operand, old: Image) -> Value:
    if isinstance(operand, Literal):
        return operand.value
    if isinstance(operand, Attribute):
        value = value_at(old, operand.path)
        if value is None:
            raise RejectedItem(MISSING_ATTRIBUTE)
        return value
    if operand.name == "if_not_exists":
        first, default = operand.operands
        current = value_at(old, first.path) if isinstance(first, Attribute) else None
        return current or _evaluate(default, old)
    left, right = (_evaluate(side, old) for side in operand.operands)
    return _combine(operand.name, left, right)


def _combine(name: str, left: Value, right: Value) -> Value:
    types = (type_of(left), type_of(right))
    if name == "list_append" and types == ("L", "L"):
        return {"L": [*left["L"], *right["L"]]}
    if name == "+" and types == ("N", "N"):
        return {"N": add_numbers(left["N"], right["N"])}
    if name == "-" and types == ("N", "N"):
        return {"N": subtract_numbers(left["N"], right["N"])}
    raise RejectedItem(WRONG_TYPE)


def _set(image: Image, path: Path, value: Value) -> None:
    container = _container(image, path)
    element = path[-1]
    if isinstance(element, str) or element < len(container):
        container[element] = value
    else:
        container.append(value)


def _remove(image: Image, path: Path) -> None:
    container = _container(image, path)
    element = path[-1]
    if isinstance(element, str):
        container.pop(element, None)
    elif element < len(container):
        del container[element]


def _container(image: Image, path: Path) -> Any:
    """Return the map or list that has a path's last element."""
    parent = {"M": image} if len(path) == 1 else value_at(image, path[:-1])
    tag = "M" if isinstance(path[-1], str) else "L"
    if parent is None or tag not in parent:
        raise RejectedItem(INVALID_PATH)
    return parent[tag]
