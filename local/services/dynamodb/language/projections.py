"""Projections: the parts of an item at some document paths."""

from collections.abc import Iterable
from typing import Any

from local.services.dynamodb.language.expressions import (
    InvalidExpression,
    Parser,
    Path,
    format_path,
)
from local.services.dynamodb.language.values import Image, Value


def parse_projection(parser: Parser) -> list[Path]:
    """Return the paths of a ProjectionExpression."""
    paths = parser.list_of(parser.path)
    check_overlaps(paths)
    return paths


def check_overlaps(paths: Iterable[Path]) -> None:
    """Reject paths of which one contains another, or that read a value as a map and a list."""
    checked: list[Path] = []
    for second in paths:
        for first in checked:
            _check_pair(first, second)
        checked.append(second)


def _check_pair(first: Path, second: Path) -> None:
    common = min(len(first), len(second))
    differing = [index for index in range(common) if first[index] != second[index]]
    if not differing:
        problem = "overlap"
    elif type(first[differing[0]]) is not type(second[differing[0]]):
        problem = "conflict"
    else:
        return
    raise InvalidExpression(
        f"Two document paths {problem} with each other; must remove or rewrite one of these "
        f"paths; path one: [{format_path(first)}], path two: [{format_path(second)}]"
    )


def project(image: Image, paths: Iterable[Path]) -> Image:
    """Return the parts of an item at these paths; a list keeps the chosen elements only."""
    tree: dict[str | int, Any] = {}
    for path in paths:
        branch = tree
        for element in path:
            branch = branch.setdefault(element, {})
    chosen = _choose({"M": image}, tree)
    return {} if chosen is None else chosen["M"]


def _choose(value: Value, tree: dict[Any, Any]) -> Value | None:
    """Return the parts of a value that a tree of names and indexes selects; None if none."""
    if not tree:
        return value
    content: dict[Any, Value] = value.get("M", {})
    if "L" in value:
        content = dict(enumerate(value["L"]))
    chosen = {key: _choose(content[key], tree[key]) for key in content if key in tree}
    parts = {key: part for key, part in chosen.items() if part is not None}
    if not parts:
        return None
    return {"M": parts} if "M" in value else {"L": list(parts.values())}
