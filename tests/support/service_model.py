"""The whole of what AWS's service models demand of a request; botocore checks a part of it."""

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
    "blob": (bytes, bytearray, str, IOBase),  # S3 makes a stream of a body.
    "timestamp": (datetime, int, float, str),
}


def violations(value: Any, shape: Shape, where: str = "") -> Iterator[str]:
    """Yield each rule of the shape that the value breaks, and where it does."""
    kind = shape.type_name
    if not isinstance(value, TYPES[kind]) or (kind != "boolean" and isinstance(value, bool)):
        yield f"{where}: expected {kind}, found {type(value).__name__}"
        return
    yield from _outside(value, shape, where)
    if isinstance(shape, StructureShape):
        yield from _of_structure(value, shape, where)
    elif isinstance(shape, MapShape):
        for key, member in value.items():
            yield from violations(key, shape.key, f"{where} key")
            yield from violations(member, shape.value, f"{where}.{key}")
    elif isinstance(shape, ListShape):
        for index, member in enumerate(value):
            yield from violations(member, shape.member, f"{where}[{index}]")
    elif isinstance(shape, StringShape):
        yield from _of_text(value, shape, where)


def _outside(value: Any, shape: Shape, where: str) -> Iterator[str]:
    least, most = (shape.metadata.get(limit) for limit in ("min", "max"))
    if least is None and most is None:
        return
    sized = value if isinstance(value, int | float) else len(value)
    if least is not None and sized < float(least):
        yield f"{where}: expected at least {least}, found {sized}"
    if most is not None and sized > float(most):
        yield f"{where}: expected at most {most}, found {sized}"


def _of_structure(value: Mapping[str, Any], shape: StructureShape, where: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield f"{where}.{name}: required"
    if shape.is_tagged_union and len(value) != 1:
        yield f"{where}: expected exactly one member, found {sorted(value)}"
    for name, member in value.items():
        if name not in shape.members:
            yield f"{where}.{name}: unknown"
        else:
            yield from violations(member, shape.members[name], f"{where}.{name}")


def _of_text(value: str, shape: StringShape, where: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{where}: expected one of {shape.enum}, found {value!r}"
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(_in_python(pattern), value):
        yield f"{where}: expected {pattern}, found {value!r}"


# The models' patterns are Java's; what Python does not know of them, in its own words.
JAVA = {
    r"\p{L}": r"a-zA-Z\u00aa-\uffff",
    r"\p{Z}": r"\s",
    r"\p{N}": r"\d",
    r"\p{Graph}": r"\x21-\x7e",
    r"\p{Punct}": r"!-/:-@\[-`{-~",
    r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF",
}


def _in_python(pattern: str) -> str:
    for java, python in JAVA.items():
        pattern = pattern.replace(java, python)
    return pattern
