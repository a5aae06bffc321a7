"""The expressions of one request, in today's parameters or in the legacy ones."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from local.services.dynamodb.language.errors import INVALID, RejectedRequest
from local.services.dynamodb.language.expressions import (
    Attribute,
    Call,
    InvalidExpression,
    Literal,
    Parser,
    Path,
    Placeholders,
    parse_expression,
)
from local.services.dynamodb.language.projections import parse_projection
from local.services.dynamodb.language.updates import Action, check_set_change, parse_update
from local.services.dynamodb.language.values import Value

EXPRESSIONS = (
    "ProjectionExpression",
    "FilterExpression",
    "UpdateExpression",
    "ConditionExpression",
    "KeyConditionExpression",
)
LEGACY = (
    "AttributesToGet",
    "AttributeUpdates",
    "QueryFilter",
    "ScanFilter",
    "Expected",
    "ConditionalOperator",
    "KeyConditions",
)
LEGACY_OPERATORS = {
    "EQ": "=",
    "NE": "<>",
    "LT": "<",
    "LE": "<=",
    "GT": ">",
    "GE": ">=",
    "BETWEEN": "BETWEEN",
    "IN": "IN",
    "BEGINS_WITH": "begins_with",
    "CONTAINS": "contains",
    "NOT_CONTAINS": "contains",
    "NOT_NULL": "attribute_exists",
    "NULL": "attribute_not_exists",
}
OPERAND_COUNTS = {"NULL": (0,), "NOT_NULL": (0,), "BETWEEN": (2,), "IN": range(1, 101)}
UPDATE_ACTIONS = {"PUT": "SET", "ADD": "ADD", "DELETE": "DELETE"}
Parsed = TypeVar("Parsed")


class RequestExpressions:
    """The expressions of a request, or of one of its members such as a transaction's Put."""

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._params = {name: value for name, value in params.items() if value is not None}
        names = params.get("ExpressionAttributeNames")
        values = params.get("ExpressionAttributeValues")
        self._check_members(names, values)
        self._placeholders = Placeholders(names or {}, values or {})

    def _check_members(self, names: Any, values: Any) -> None:
        expressions = [name for name in EXPRESSIONS if name in self._params]
        legacy = [name for name in LEGACY if name in self._params]
        if expressions and legacy:
            raise RejectedRequest(
                "Can not use both expression and non-expression parameters in the same request: "
                f"Non-expression parameters: {{{', '.join(legacy)}}} "
                f"Expression parameters: {{{', '.join(expressions)}}}"
            )
        for member, sign, defined in (("Names", "#", names), ("Values", ":", values)):
            if defined is None:
                continue
            if not expressions:
                raise RejectedRequest(
                    f"ExpressionAttribute{member} can only be specified when using expressions"
                )
            if not defined:
                raise RejectedRequest(f"ExpressionAttribute{member} must not be empty")
            for key in defined:
                if not key.startswith(sign):
                    raise RejectedRequest(
                        f"ExpressionAttribute{member} contains invalid key: "
                        f'Syntax error; key: "{key}"'
                    )

    def parse(self, kind: str, parse: Callable[[Parser], Parsed]) -> Parsed | None:
        """Return one expression; None if the request does not have it."""
        if kind not in self._params:
            return None
        return parse_expression(kind, self._params[kind], parse, self._placeholders)

    def condition(self, kind: str, legacy_kind: str) -> Call | None:
        """Return a condition on an item, such as a ConditionExpression."""
        legacy = self._params.get(legacy_kind)
        if not legacy:
            return self.parse(kind, Parser.condition)
        if legacy_kind == "Expected":
            for name, test in legacy.items():
                _check_expected(name, test)
        conditions = [legacy_condition(name, test) for name, test in legacy.items()]
        return Call(self._params.get("ConditionalOperator", "AND"), tuple(conditions))

    def update(self) -> list[Action]:
        """Return the actions of an update."""
        legacy = self._params.get("AttributeUpdates")
        if legacy is None:
            return self.parse("UpdateExpression", parse_update) or []
        return [_legacy_action(name, update) for name, update in legacy.items()]

    def projection(self) -> list[Path] | None:
        """Return the paths to which a response is reduced; None for whole items."""
        legacy = self._params.get("AttributesToGet")
        if legacy is None:
            return self.parse("ProjectionExpression", parse_projection)
        for name in legacy:
            if legacy.count(name) > 1:
                raise RejectedRequest(f"{INVALID}Duplicate value in attribute name: {name}")
        return [(name,) for name in legacy]

    def check_used(self) -> None:
        """Raise AWS's error for placeholders that no expression uses."""
        self._placeholders.check_used()


def legacy_condition(name: str, test: Mapping[str, Any]) -> Call:
    """Return one condition of a legacy parameter such as Expected."""
    operands = test.get("AttributeValueList", [test["Value"]] if "Value" in test else [])
    operator = test.get("ComparisonOperator")
    if operator is None:
        operator = "EQ" if test.get("Exists", True) else "NULL"
    if len(operands) not in OPERAND_COUNTS.get(operator, (1,)):
        raise RejectedRequest(
            f"{INVALID}Invalid number of argument(s) for the {operator} ComparisonOperator"
        )
    literals = [Literal(value) for value in operands]
    condition = Call(LEGACY_OPERATORS[operator], (Attribute((name,)), *literals))
    return Call("NOT", (condition,)) if operator == "NOT_CONTAINS" else condition


def _check_expected(name: str, test: Mapping[str, Any]) -> None:
    """Raise AWS's error for a test of Expected whose members contradict each other."""
    operator = test.get("ComparisonOperator")
    has_value, has_list = ("Value" in test, "AttributeValueList" in test)
    if has_value and has_list:
        problem = "Value and AttributeValueList cannot be used together"
    elif has_value and test.get("Exists") is False:
        problem = "Value cannot be used when Exists is false"
    elif not has_value and test.get("Exists") is True:
        problem = "Value must be provided when Exists is true"
    elif operator not in (None, "NULL", "NOT_NULL") and not has_value and not has_list:
        problem = f"Value or AttributeValueList must be used with ComparisonOperator: {operator}"
    else:
        return
    raise RejectedRequest(f"{INVALID}{problem} for Attribute: {name}")


def _legacy_action(name: str, update: Mapping[str, Any]) -> Action:
    action = update.get("Action", "PUT")
    value: Value | None = update.get("Value")
    if value is None:
        if action != "DELETE":
            raise RejectedRequest(
                f"{INVALID}Only DELETE action is allowed when no attribute value is specified"
            )
        return Action("REMOVE", (name,))
    if action != "PUT":
        try:
            check_set_change(action, value)
        except InvalidExpression as error:
            raise RejectedRequest(f"{INVALID}{error}") from None
    return Action(UPDATE_ACTIONS[action], (name,), Literal(value))
