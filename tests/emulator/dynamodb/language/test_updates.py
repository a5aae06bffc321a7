"""Updates: the item that they leave, read from the item as it was, or DynamoDB's error."""

from typing import Any

import pytest
from hypothesis import given

from local.services.dynamodb.language.errors import Rejected
from local.services.dynamodb.language.request_expressions import RequestExpressions
from local.services.dynamodb.language.updates import apply_update
from local.services.dynamodb.language.values import Image
from tests.support.orders_table import items, values


def numbers(*elements: int) -> dict[str, Any]:
    return {"L": [{"N": str(element)} for element in elements]}


ONE: dict[str, Any] = {"N": "1"}
VALUES: Image = {
    ":one": ONE,
    ":nine": {"N": "9"},
    ":text": {"S": "x"},
    ":list": numbers(9),
    ":none": {"L": []},
    ":set": {"SS": ["a", "b"]},
    ":map": {"M": {}},
}


def updated(text: str, image: Image) -> Image:
    """Return the item that an UpdateExpression makes of an item."""
    used = {name: value for name, value in VALUES.items() if name in text}
    params = {"UpdateExpression": text, **({"ExpressionAttributeValues": used} if used else {})}
    request = RequestExpressions(params)
    actions = request.update()
    request.check_used()
    return apply_update(actions, image)


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("SET n = n + :one", {"n": ONE}, {"n": {"N": "2"}}),
        ("SET n = (if_not_exists(n, :nine) - :one)", {}, {"n": {"N": "8"}}),
        ("SET l = list_append(:list, l)", {"l": numbers(1)}, {"l": numbers(9, 1)}),
        ("SET l = list_append(if_not_exists(l, :none), :list)", {}, {"l": numbers(9)}),
        ("SET l[10] = :nine", {"l": numbers(1)}, {"l": numbers(1, 9)}),
        ("SET l[7] = :nine, l[5] = :one", {"l": numbers(1)}, {"l": numbers(1, 1, 9)}),
        ("REMOVE l[0], l[1]", {"l": numbers(0, 1, 2, 3)}, {"l": numbers(2, 3)}),
        ("REMOVE l[0] SET l[1] = :nine", {"l": numbers(0, 1, 2)}, {"l": numbers(9, 2)}),
        (
            "REMOVE l[5], zz, m.zz",
            {"l": numbers(0), "m": {"M": {}}},
            {"l": numbers(0), "m": {"M": {}}},
        ),
        ("SET a = b, b = a", {"a": ONE, "b": {"N": "2"}}, {"a": {"N": "2"}, "b": ONE}),
        ("SET b = a REMOVE a", {"a": ONE}, {"b": ONE}),
        ("SET m.x = :one", {"m": {"M": {"y": ONE}}}, {"m": {"M": {"x": ONE, "y": ONE}}}),
        (
            "ADD n :nine, s :set",
            {"s": {"SS": ["b", "c"]}},
            {"n": {"N": "9"}, "s": {"SS": ["a", "b", "c"]}},
        ),
        ("DELETE s :set", {"s": {"SS": ["a", "c"]}}, {"s": {"SS": ["c"]}}),
        ("DELETE s :set, t :set", {"s": {"SS": ["a"]}}, {}),
        ("set a=:one remove b add n :one", {"b": ONE, "n": ONE}, {"a": ONE, "n": {"N": "2"}}),
    ],
)
def test_update_leaves_the_item(text: str, before: Image, after: Image) -> None:
    assert updated(text, before) == after


@given(items, values)
def test_set_and_remove_are_inverse(image: Image, value: dict[str, Any]) -> None:
    params = {"UpdateExpression": "SET q = :v", "ExpressionAttributeValues": {":v": value}}
    changed = apply_update(RequestExpressions(params).update(), image)
    assert changed == {**image, "q": value}
    assert updated("REMOVE q", changed) == {**image}
    assert updated("SET w = q REMOVE q", changed) == {**image, "w": value}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("INVALID SYNTAX HERE", 'Syntax error; token: "INVALID", near: "INVALID SYNTAX"'),
        ("SET a = :one SET b = :one", 'The "SET" section can only be used once'),
        ("SET m = :map, m.x = :one", r"path one: \[m\], path two: \[m, x\]"),
        ("ADD a :text", "operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND"),
        ("DELETE a :one", "operator: DELETE, operand type: NUMBER"),
        ("SET a = n + :text", r"operator or function: \+, operand type: S"),
        ("SET a = list_append(l, :one)", "operator or function: list_append, operand type: N"),
        ("SET a = max(l, :one)", "Invalid function name; function: max"),
        ("SET a = if_not_exists(l)", "number of operands: 1"),
    ],
)
def test_invalid_update_is_rejected(text: str, message: str) -> None:
    with pytest.raises(Rejected, match=f"Invalid UpdateExpression: .*{message}"):
        updated(text, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SET m.x = :one", "document path provided in the update expression is invalid"),
        ("SET n.x = :one", "document path provided in the update expression is invalid"),
        ("REMOVE zz.x", "document path provided in the update expression is invalid"),
        ("SET a = zz", "refers to an attribute that does not exist in the item"),
        ("SET a = zz - :one", "refers to an attribute that does not exist in the item"),
        ("SET a = word + :one", "operand in the update expression has an incorrect data type"),
        ("ADD word :one", "operand in the update expression has an incorrect data type"),
        ("DELETE word :set", "operand in the update expression has an incorrect data type"),
    ],
)
def test_unfit_item_rejects_the_update(text: str, message: str) -> None:
    image: Image = {"n": ONE, "word": {"S": "x"}}
    with pytest.raises(Rejected, match=message):
        updated(text, image)
    assert image == {"n": ONE, "word": {"S": "x"}}
