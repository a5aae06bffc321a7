"""Service-model checks: all constraints that AWS declares for a request; botocore checks some."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from io import IOBase
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape

TYPES: dict[str, tuple[type, ...]] = {
    "structure": (Mapping,),
    "map": (Mapping,),
    "list": (list, tuple),
    "string": (str,),
    "character": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "blob": (bytes, bytearray, str, IOBase),  # botocore wraps S3 bodies in streams.
    "timestamp": (datetime, int, float, str),
}


def violations(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """Yield each violation of the shape's rules, with its path in the value."""
    kind = shape.type_name
    has_type = isinstance(value, TYPES[kind])
    if not has_type or (kind != "boolean" and isinstance(value, bool)):
        yield f"{path}: expected {kind}, found {type(value).__name__}"
        return
    yield from _check_limits(value, shape, path)
    if isinstance(shape, StructureShape):
        yield from _check_structure(value, shape, path)
    elif isinstance(shape, MapShape):
        for key, member in value.items():
            yield from violations(key, shape.key, f"{path} key")
            yield from violations(member, shape.value, f"{path}.{key}")
    elif isinstance(shape, ListShape):
        for index, member in enumerate(value):
            yield from violations(member, shape.member, f"{path}[{index}]")
    elif isinstance(shape, StringShape):
        yield from _check_string(value, shape, path)


def _check_limits(value: Any, shape: Shape, path: str) -> Iterator[str]:
    minimum = shape.metadata.get("min")
    maximum = shape.metadata.get("max")
    if minimum is None and maximum is None:
        return
    size = value if isinstance(value, int | float) else len(value)
    if minimum is not None and size < float(minimum):
        yield f"{path}: expected at least {minimum}, found {size}"
    if maximum is not None and size > float(maximum):
        yield f"{path}: expected at most {maximum}, found {size}"


def _check_structure(value: Mapping[str, Any], shape: StructureShape, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield f"{path}.{name}: required"
    if shape.is_tagged_union and len(value) != 1:
        yield f"{path}: expected exactly one member, found {sorted(value)}"
    for name, member in value.items():
        if name not in shape.members:
            yield f"{path}.{name}: unknown"
        else:
            yield from violations(member, shape.members[name], f"{path}.{name}")


def _check_string(value: str, shape: StringShape, path: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{path}: expected one of {shape.enum}, found {value!r}"
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(_to_python_pattern(pattern), value):
        yield f"{path}: expected {pattern}, found {value!r}"


# The models' patterns are written for Java: classes that Python spells differently.
PYTHON_CLASSES = {
    r"\p{L}": r"a-zA-Z\u00aa-\uffff",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
    r"\p{Graph}": r"\x21-\x7e",
    r"\p{Punct}": r"!-/:-@\[-`{-~",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
}


def _to_python_pattern(pattern: str) -> str:
    for java, python in PYTHON_CLASSES.items():
        pattern = pattern.replace(java, python)
    return pattern
