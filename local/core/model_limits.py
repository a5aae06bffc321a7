"""Limits of requests that AWS's service models declare and botocore does not check."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, ServiceModel, Shape, StructureShape
from botocore.session import get_session

from local.core.errors import constraint_violation

Limit = tuple[Any, str, str]
"""A value, its path in the request, and the constraint that it violates."""


def check_limits(service: str, operation: str, params: Mapping[str, Any]) -> None:
    """Raise AWS's error if a text, a list or a number of a request is too short or too long."""
    model = _service_model(service)
    if operation not in model.operation_names:
        return
    shape = model.operation_model(operation).input_shape or Shape("", {})
    for value, path, constraint in _violations(params, shape, ""):
        raise constraint_violation(value, path, constraint)


@cache
def _service_model(service: str) -> ServiceModel:
    return get_session().get_service_model(service)


def _violations(value: Any, shape: Shape, path: str) -> Iterator[Limit]:
    yield from _own_violation(value, shape, path)
    if isinstance(shape, StructureShape):
        for name in value.keys() & shape.members.keys():
            member = name[0].lower() + name[1:]
            yield from _violations(value[name], shape.members[name], f"{path}.{member}".lstrip("."))
    elif isinstance(shape, ListShape):
        for index, item in enumerate(value, start=1):
            yield from _violations(item, shape.member, f"{path}.{index}.member")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            yield from _violations(key, shape.key, f"{path}.{key}.key")
            yield from _violations(item, shape.value, f"{path}.{key}.member")


def _own_violation(value: Any, shape: Shape, path: str) -> Iterator[Limit]:
    is_number = isinstance(value, int | float)
    size, word = (value, "value") if is_number else (len(value), "length")
    minimum, maximum = (shape.metadata.get(name) for name in ("min", "max"))
    text = value if is_number or isinstance(value, str) else None
    if minimum is not None and size < float(minimum):
        yield text, path, f"Member must have {word} greater than or equal to {minimum}"
    if maximum is not None and size > float(maximum):
        yield text, path, f"Member must have {word} less than or equal to {maximum}"
