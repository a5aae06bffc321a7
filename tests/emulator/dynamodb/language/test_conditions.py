"""Conditions and projections: which hold, what they select, and what DynamoDB rejects."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.services.dynamodb.language.conditions import holds
from local.services.dynamodb.language.errors import Rejected
from local.services.dynamodb.language.request_expressions import RequestExpressions
from local.services.dynamodb.language.values import Image
from tests.support.orders_table import items, values

ITEM: Image = {
    "id": {"S": "one"},
    "n": {"N": "5"},
    "greeting": {"S": "hello"},
    "photo": {"B": "AQID"},
    "tags": {"SS": ["a", "b"]},
    "steps": {"L": [{"N": "1"}, {"M": {"x": {"N": "2"}, "y": {"N": "3"}}}]},
    "m": {"M": {"a": {"M": {"b": {"N": "1"}, "c": {"N": "2"}}}}},
    "smile": {"S": "\U0001f600"},
}
VALUES: Image = {
    ":one": {"N": "1"},
    ":two": {"N": "2"},
    ":three": {"N": "3"},
    ":five": {"N": "5"},
    ":nine": {"N": "9"},
    ":h": {"S": "he"},
    ":l": {"S": "llo"},
    ":a": {"S": "a"},
    ":type": {"S": "N"},
    ":tags": {"SS": ["a", "b"]},
    ":blob": {"B": "AQ=="},
    ":true": {"BOOL": True},
}


def expressions(text: str, kind: str, names: dict[str, str] | None = None) -> RequestExpressions:
    """Return a request with one expression and the values that it uses."""
    used = {name: value for name, value in VALUES.items() if name in text.replace(")", " ").split()}
    params: dict[str, Any] = {kind: text}
    if used:
        params["ExpressionAttributeValues"] = used
    if names:
        params["ExpressionAttributeNames"] = names
    return RequestExpressions(params)


def is_true(text: str, image: Image) -> bool:
    condition = expressions(text, "ConditionExpression").condition(
        "ConditionExpression", "Expected"
    )
    assert condition is not None
    return holds(condition, image)


@pytest.mark.parametrize(
    "text",
    [
        "n = :five AND NOT n = :one",
        "n BETWEEN :one AND :nine",
        "n IN ( :one , :five )",
        "n > :one OR absent = :one AND absent = :two",
        "absent <> :one",
        "attribute_exists(m.a.b) AND attribute_not_exists(m.z)",
        "attribute_type(n, :type )",
        "begins_with(greeting, :h ) AND contains(greeting, :l )",
        "begins_with(photo, :blob ) AND size(photo) = :three",
        "contains(tags, :a ) AND tags = :tags",
        "contains(steps, :one ) AND steps[1].x = :two",
        "size(smile) = :two",
        "(n = :five ) AND (size(steps) = :two )",
    ],
)
def test_condition_holds(text: str) -> None:
    assert is_true(text, ITEM)


@pytest.mark.parametrize(
    "text",
    [
        "absent = :one",
        "NOT absent <> :one",
        "size(absent) >= :one",
        "greeting > :one",
        "steps[9] = :one",
        "steps.x = :one",
        "n = :five AND (n = :one OR n = :two )",
    ],
)
def test_condition_does_not_hold(text: str) -> None:
    assert not is_true(text, ITEM)


@given(items, st.sampled_from(["n", "total", "a"]), values)
def test_negation_is_the_opposite(image: Image, name: str, value: dict[str, Any]) -> None:
    params = {"ExpressionAttributeNames": {"#n": name}, "ExpressionAttributeValues": {":v": value}}
    results = []
    for text in ("#n = :v", "#n <> :v", "NOT #n <> :v"):
        request = RequestExpressions({"FilterExpression": text, **params})
        condition = request.condition("FilterExpression", "ScanFilter")
        assert condition is not None
        results.append(holds(condition, image))
    is_equal = image.get(name) == value
    assert results == [is_equal, not is_equal, is_equal]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The expression can not be empty"),
        ("n = ", 'Syntax error; token: "<EOF>", near: "="'),
        ("n ! :one", 'Syntax error; token: "!", near: "n ! :one"'),
        ("n = :undefined", "attribute value used in expression is not defined"),
        ("#x = :one", "name used in the document path is not defined; attribute name: #x"),
        ("status = :one", "reserved keyword: status"),
        ("((n = :one ))", "The expression has redundant parentheses"),
        ("between(n, :one )", "Invalid function name; function: between"),
        ("contains(n, n)", "operator: contains, first operand: \\[n\\]"),
        ("begins_with(n, :one )", "operator or function: begins_with, operand type: N"),
        ("n < :true", "operator or function: <, operand type: BOOL"),
        ("n BETWEEN :nine AND :one", "upper bound to be greater than or equal to lower bound"),
        ("n BETWEEN :one AND :h", "same data type for lower and upper bounds"),
        ("size(n, greeting) = :one", "number of operands: 2"),
        ("attribute_exists( :one )", "requires a document path"),
        (f"n = :one {' ' * 4096}", "Expression size has exceeded the maximum allowed size"),
    ],
)
def test_invalid_condition_is_rejected(text: str, message: str) -> None:
    with pytest.raises(Rejected, match=f"Invalid ConditionExpression: .*{message}"):
        is_true(text, ITEM)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"ExpressionAttributeNames": {"#a": "a"}}, "can only be specified when using"),
        ({"ConditionExpression": "n = m", "ExpressionAttributeValues": {}}, "must not be empty"),
        (
            {"ConditionExpression": "n = m", "ExpressionAttributeNames": {"a": "b"}},
            'invalid key: Syntax error; key: "a"',
        ),
        (
            {"ConditionExpression": "n = m", "ExpressionAttributeNames": {"#a": "b"}},
            "unused in expressions: keys: {#a}",
        ),
        (
            {"ConditionExpression": "n = m", "Expected": {}},
            "Non-expression parameters: {Expected} Expression parameters: {ConditionExpression}",
        ),
    ],
)
def test_invalid_placeholders_are_rejected(params: dict[str, Any], message: str) -> None:
    with pytest.raises(Rejected, match=message):
        parse_condition(params)


def parse_condition(params: dict[str, Any]) -> None:
    request = RequestExpressions(params)
    request.condition("ConditionExpression", "Expected")
    request.check_used()
