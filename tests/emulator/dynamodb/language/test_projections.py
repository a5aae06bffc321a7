"""Projections: the parts of an item that they keep, and the paths that DynamoDB rejects."""

from typing import Any

import pytest
from hypothesis import given

from local.services.dynamodb.language.errors import Rejected
from local.services.dynamodb.language.projections import project
from local.services.dynamodb.language.request_expressions import RequestExpressions
from local.services.dynamodb.language.values import Image
from tests.support.orders_table import items


def n(number: int) -> dict[str, str]:
    return {"N": str(number)}


ITEM: Image = {
    "a": {"M": {"b": n(1), "c": n(2), "d": {"M": {"e": n(3)}}}},
    "l": {"L": [{"M": {"x": n(1), "y": n(2)}}, {"M": {"x": n(3)}}, n(4)]},
    "dotted.name": n(5),
}


def projected(text: str, names: dict[str, str] | None = None) -> Image:
    params: dict[str, Any] = {"ProjectionExpression": text}
    if names:
        params["ExpressionAttributeNames"] = names
    paths = RequestExpressions(params).projection()
    assert paths is not None
    return project(ITEM, paths)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b, a.d.e", {"a": {"M": {"b": n(1), "d": {"M": {"e": n(3)}}}}}),
        ("l[2], l[0].x", {"l": {"L": [{"M": {"x": n(1)}}, n(4)]}}),
        ("l[0].y, l[0].x", {"l": {"L": [{"M": {"x": n(1), "y": n(2)}}]}}),
        ("l[9], zz, a.zz, a.b.c", {}),
        ("#d", {"dotted.name": n(5)}),
        ("#l[0].#x", {"l": {"L": [{"M": {"x": n(1)}}]}}),
    ],
)
def test_projection_keeps_its_paths(text: str, expected: Image) -> None:
    names = {"#d": "dotted.name", "#l": "l", "#x": "x"}
    assert projected(text, {key: name for key, name in names.items() if key in text}) == expected


@given(items)
def test_projection_to_all_names_is_the_item(image: Image) -> None:
    assert project(image, [(name,) for name in image]) == image
    assert project(image, []) == image


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a, a", r"overlap with each other; .* path one: \[a\], path two: \[a\]"),
        ("a, a.b", r"path one: \[a\], path two: \[a, b\]"),
        ("l[0].x, l[0]", r"path one: \[l, \[0\], x\], path two: \[l, \[0\]\]"),
        ("a[0], a.b", "conflict with each other"),
        ("a..b", 'Syntax error; token: "."'),
        ("a b", 'Syntax error; token: "b"'),
        ("a[x]", 'Syntax error; token: "x"'),
    ],
)
def test_invalid_projection_is_rejected(text: str, message: str) -> None:
    with pytest.raises(Rejected, match=f"Invalid ProjectionExpression: .*{message}"):
        projected(text)
