"""Checks of requests against AWS's own model of the API: members, types, lengths, enums."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import ServiceModel, Shape
from botocore.session import get_session

from local.services.dynamodb.language.attribute_values import normalize_value
from local.services.dynamodb.language.errors import ONE_ERROR, Rejected

JSON_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": (int, float),
    "long": (int, float),
    "timestamp": (int, float),
}
FAILED = "failed to satisfy constraint:"
TABLE_OPERATIONS = ("CreateTable", "DeleteTable", "DescribeTable", "UpdateTable")
# The model accepts an ARN wherever a table is named; these are the limits of a name.
TABLE_NAME = {"min": 3, "max": 255, "pattern": "[a-zA-Z0-9_.-]+"}
TABLE_NAMES = (
    "[Member must have length less than or equal to 255, "
    "Member must have length greater than or equal to 3, "
    "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+]"
)
LIMITS: Mapping[str, Mapping[str, Any]] = {
    "TableArn": TABLE_NAME,
    "KeySchema": {"min": 1, "max": 2},
}
# DynamoDB lists the members of an enum in an order of its own.
ENUMS = {
    "Select": ["SPECIFIC_ATTRIBUTES", "COUNT", "ALL_ATTRIBUTES", "ALL_PROJECTED_ATTRIBUTES"],
    "ScalarAttributeType": ["B", "N", "S"],
    "ReturnValue": ["ALL_NEW", "UPDATED_OLD", "ALL_OLD", "NONE", "UPDATED_NEW"],
}


def check_request(operation: str, params: Mapping[str, Any], *, is_about_items: bool) -> None:
    """Raise AWS's error for a request that does not fit the API's model.

    Attribute values, however deep, are changed to what DynamoDB stores.
    """
    if operation not in _model().operation_names:
        raise Rejected(f"{operation} is not an operation", "UnknownOperationException")
    if operation in TABLE_OPERATIONS and params.get("TableName") is None:
        message = "The parameter 'TableName' is required but was not present in the request"
        raise Rejected(message)
    shape = _model().operation_model(operation).input_shape
    violations = list(_violations(shape, params, "")) if shape is not None else []
    unechoed = [violation for violation in violations if violation.is_unechoed]
    if unechoed and is_about_items and all(violation.value is not None for violation in violations):
        raise Rejected(f"{ONE_ERROR}{unechoed[0].text_without_value()}")
    if violations:
        errors = "error" if len(violations) == 1 else "errors"
        texts = "; ".join(violation.text() for violation in violations)
        raise Rejected(f"{len(violations)} validation {errors} detected: {texts}")


def check_encoding(body: bytes) -> None:
    """Raise AWS's error for text that UTF-8 cannot encode: a surrogate without its pair."""
    if b"\\ud" in body.lower():
        try:
            json.dumps(json.loads(body), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            message = "The text is not valid UTF-8"
            raise Rejected(message, "SerializationException") from None


@cache
def _model() -> ServiceModel:
    return get_session().get_service_model("dynamodb")


@dataclass(frozen=True, slots=True)
class _Violation:
    """A constraint that a member of a request violates, in AWS's words."""

    shape: Any
    value: Any
    path: str
    constraint: str

    @property
    def is_unechoed(self) -> bool:
        """Whether calls about items report the member first and alone, without its value."""
        if not self.constraint.startswith("Member must have"):
            return False
        is_nested = "." in self.path
        if isinstance(self.value, list):
            return is_nested
        return not is_nested and (self.value == "" or isinstance(self.value, int | dict))

    def text(self) -> str:
        """Return the violation as AWS's older checks report it."""
        value = "null" if self.value is None else f"'{_java_text(self.shape, self.value)}'"
        return f"Value {value} at '{self.path}' {FAILED} {self.constraint}"

    def text_without_value(self) -> str:
        """Return the violation as AWS's newer checks report it."""
        path = re.sub(r"(?:^|(?<=member\.))[a-z]", lambda match: match[0].upper(), self.path)
        return f"Value at '{path}' {FAILED} {self.constraint}"


def _violations(shape: Any, value: Any, path: str) -> Iterator[_Violation]:
    """Yield the constraints that a value and its members violate."""
    _check_type(shape, value, path)
    for constraint in _broken_constraints(shape, value):
        yield _Violation(shape, value, path, constraint)
    if shape.name == "AttributeValue":
        normalize_value(value)
    elif shape.type_name == "structure":
        yield from _structure_violations(shape, value, path)
    elif shape.type_name == "list":
        for index, element in enumerate(value, start=1):
            yield from _violations(shape.member, element, f"{path}.{index}.member")
    elif shape.type_name == "map":
        yield from _map_violations(shape, value, path)


def _map_violations(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[_Violation]:
    if any(list(_broken_constraints(shape.key, name)) for name in value):
        yield _Violation(shape, value, path, f"Map keys must satisfy constraint: {TABLE_NAMES}")
    for name, member in value.items():
        yield from _violations(shape.value, member, f"{path}.{name}.member")


def _check_type(shape: Shape, value: Any, path: str) -> None:
    expected = JSON_TYPES.get(shape.type_name)
    if expected is not None and not isinstance(value, expected):
        raise Rejected(f"{path} must be a {shape.type_name}", "SerializationException")


def _structure_violations(shape: Any, value: Mapping[str, Any], path: str) -> Iterator[_Violation]:
    for name, member in shape.members.items():
        member_path = f"{path}.{_lower_first(name)}".lstrip(".")
        if value.get(name) is not None:
            yield from _violations(member, value[name], member_path)
        elif name in shape.required_members:
            yield _Violation(member, None, member_path, "Member must not be null")


def _broken_constraints(shape: Shape, value: Any) -> Iterator[str]:
    limits = shape.metadata if value == "" else LIMITS.get(shape.name, shape.metadata)
    if shape.name == "TableArn" and value.startswith("arn:"):
        return
    is_number = isinstance(value, int | float)
    measure = "value" if is_number else "length"
    size = value if is_number else len(value)
    enum = ENUMS.get(shape.name, shape.metadata.get("enum"))
    if enum and value not in enum:
        yield f"Member must satisfy enum value set: [{', '.join(enum)}]"
    if size < limits.get("min", size):
        yield f"Member must have {measure} greater than or equal to {limits['min']}"
    elif size > limits.get("max", size):
        yield f"Member must have {measure} less than or equal to {limits['max']}"
    elif "pattern" in limits and not re.fullmatch(limits["pattern"], value):
        yield f"Member must satisfy regular expression pattern: {limits['pattern']}"


def _java_text(shape: Any, value: Any) -> str:
    """Return a value as AWS's messages print it, like a Java object."""
    if shape.type_name == "list":
        return f"[{', '.join(_java_text(shape.member, element) for element in value)}]"
    if shape.type_name == "map":
        return json.dumps(value, separators=(",", ":"))
    if shape.type_name == "structure":
        members = [
            f"{_lower_first(name)}={_java_text(member, value[name])}"
            for name, member in shape.members.items()
            if name in value
        ]
        return f"{shape.name}({', '.join(members)})"
    return str(value)


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]
