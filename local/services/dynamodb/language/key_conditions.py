"""The key conditions of a Query: equality of the hash key, and a range of the range key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from local.services.dynamodb.language.errors import INVALID, Rejected
from local.services.dynamodb.language.expressions import Attribute, Call, Literal, Parser
from local.services.dynamodb.language.index import Index
from local.services.dynamodb.language.partiql import conjuncts
from local.services.dynamodb.language.request_expressions import (
    RequestExpressions,
    legacy_condition,
)
from local.services.dynamodb.language.values import type_of

KIND = "KeyConditionExpression"
RANGE_OPERATORS = ("=", "<", "<=", ">", ">=", "BETWEEN", "begins_with")
REVERSED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True, slots=True)
class KeyConditions:
    """Conditions that are joined by AND, each on one attribute."""

    calls: tuple[Call, ...]

    def check(self, index: Index, types: Mapping[str, str]) -> None:
        """Raise AWS's error for conditions that do not fit the key of an index."""
        by_name = {call.attribute_names()[0]: call for call in self.calls}
        if len(by_name) < len(self.calls):
            message = f"Invalid {KIND}: {KIND}s must only contain one condition per key"
            raise Rejected(message)
        for name in index.key_names[: len(by_name)]:
            if name not in by_name:
                raise Rejected(f"Query condition missed key schema element: {name}")
        if by_name[index.hash_name].name != "=" or len(by_name) > len(index.key_names):
            raise Rejected("Query key condition not supported")
        for name, call in by_name.items():
            if any(type_of(value) != types[name] for value in call.literals()):
                message = f"{INVALID}Condition parameter type does not match schema type"
                raise Rejected(message)


def parse_key_conditions(
    expressions: RequestExpressions, params: Mapping[str, Any]
) -> KeyConditions:
    """Return the key conditions of a Query, in today's parameter or in the legacy one."""
    legacy = params.get("KeyConditions")
    if legacy:
        return KeyConditions(tuple(legacy_condition(*item) for item in legacy.items()))
    if KIND not in params:
        raise Rejected(
            f"Either the KeyConditions or {KIND} parameter must be specified in the request."
        )
    condition = expressions.parse(KIND, Parser.condition)
    assert condition is not None  # noqa: S101 - the parameter is there.
    return KeyConditions(tuple(_key_condition(call) for call in conjuncts(condition)))


def _key_condition(call: Call) -> Call:
    """Return a condition with its attribute first, or raise AWS's error."""
    if call.name not in RANGE_OPERATORS:
        raise Rejected(f"Invalid operator used in {KIND}: {call.name}")
    first, *others = call.operands
    if isinstance(first, Literal) and call.name in REVERSED:
        first, *others = reversed(call.operands)
        call = Call(REVERSED[call.name], (first, *others))
    if not isinstance(first, Attribute) or not all(isinstance(o, Literal) for o in others):
        raise Rejected(f"Invalid {KIND}: unsupported operands for {call.name}")
    if len(first.path) > 1:
        raise Rejected(f"Invalid {KIND}: {KIND}s cannot have conditions on nested attributes")
    return call
