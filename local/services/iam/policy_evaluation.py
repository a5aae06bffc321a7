"""Policy evaluation by AWS's rules, as pure functions."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from local.core.errors import not_modelled_message
from local.core.request import AwsError

Document = Mapping[str, Any]
Test = Callable[[str], bool]


class NotModelled(AwsError):
    """A policy or call that AWS can evaluate but the laptop cloud cannot."""

    def __init__(self, *features: str) -> None:
        message = not_modelled_message(*features)
        super().__init__("NotModelledByTheLaptopCloud", message, 501)


class Decision(Enum):
    """The result of evaluating statements; an explicit deny beats every allow."""

    ALLOWED = "allowed"
    DENIED = "denied"
    NOT_MENTIONED = "not mentioned"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of one operator: any of the values must match, or none if `is_negated`."""

    key: str
    value_tests: tuple[Test, ...]
    is_negated: bool
    result_if_absent: bool

    def is_met(self, context: Mapping[str, str]) -> bool:
        """Return whether the condition is met by these condition keys, all in lower case."""
        if self.key not in context:
            return self.result_if_absent
        return any(matches(context[self.key]) for matches in self.value_tests) != self.is_negated


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, parsed once for many evaluations."""

    allows: bool
    matches_action: Test
    matches_resource: Test
    services: frozenset[str]
    conditions: tuple[Condition, ...]

    def applies(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Return whether the statement applies to a call."""
        return (
            self.matches_action(action)
            and self.matches_resource(resource)
            and all(condition.is_met(context) for condition in self.conditions)
        )


def allows(
    documents: Iterable[Document], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """Return whether a document allows the action on the resource, and none denies it.

    >>> document = {"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}
    >>> allows([document], "s3:GetObject", "arn:aws:s3:::lake/a", {})
    True
    """
    parsed = [statement for document in documents for statement in parse_statements(document)]
    return decide(parsed, action, resource, context) is Decision.ALLOWED


def decide(
    statements: Iterable[Statement], action: str, resource: str, context: Mapping[str, str]
) -> Decision:
    """Evaluate the statements for a call; the keys of `context` may be in any case."""
    keys = {key.lower(): value for key, value in context.items()}
    effects = {
        statement.allows for statement in statements if statement.applies(action, resource, keys)
    }
    if False in effects:
        return Decision.DENIED
    return Decision.ALLOWED if effects else Decision.NOT_MENTIONED


def trusts(statements: Iterable[Statement], service: str, context: Mapping[str, str]) -> bool:
    """Return whether a trust policy lets the service (`glue.amazonaws.com`) assume its role."""
    matching = [statement for statement in statements if statement.services & {service, "*"}]
    return decide(matching, "sts:AssumeRole", "*", context) is Decision.ALLOWED


def parse_statements(document: Document) -> tuple[Statement, ...]:
    """Parse a document's statements; raise NotModelled for one that cannot be evaluated.

    The statements of a trust policy have no resource, those of a role policy no principal.
    """
    return tuple(_parse_statement(statement) for statement in _as_list(document["Statement"]))


_MEMBERS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"}
)

# A condition key without a value in a call is absent, as on AWS.
_CONDITION_KEYS = frozenset(
    {
        "aws:requestedregion",
        "aws:resourceaccount",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
        "kms:viaservice",
        "s3:delimiter",
        "s3:prefix",
        "sts:externalid",
    }
)


def _parse_statement(statement: Mapping[str, Any]) -> Statement:
    if unknown := set(statement) - _MEMBERS:
        raise NotModelled(*[f"the policy element {name}" for name in sorted(unknown)])
    return Statement(
        allows={"Allow": True, "Deny": False}[statement["Effect"]],
        matches_action=_element_test(statement, "Action", _action_test),
        matches_resource=_element_test(statement, "Resource", _resource_test),
        services=_services(statement.get("Principal", {})),
        conditions=tuple(_conditions(statement.get("Condition", {}))),
    )


def _element_test(
    statement: Mapping[str, Any], name: str, pattern_test: Callable[[str], Test]
) -> Test:
    """Return a test for `Action` or `NotAction` (or Resource); without either, all match."""
    patterns = _as_list(statement.get(name, statement.get(f"Not{name}", "*")))
    tests = [pattern_test(pattern) for pattern in patterns]
    is_negated = f"Not{name}" in statement
    return lambda text: any(matches(text) for matches in tests) != is_negated


def _services(principal: str | Mapping[str, Any]) -> frozenset[str]:
    if isinstance(principal, str):
        return frozenset({principal})
    return frozenset(_as_list(principal.get("Service", ())))


def _as_list(value: Any) -> list[Any]:
    """Return a member of a policy as a list; policies may write a single value without one."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _action_test(pattern: str) -> Test:
    return _wildcard_test(pattern, re.IGNORECASE)


def _resource_test(pattern: str) -> Test:
    return _wildcard_test(pattern) if pattern == "*" else _arn_test(pattern)


def _arn_test(pattern: str) -> Test:
    """Return a test for ARNs, which have six parts; a wildcard matches within its part."""
    *parts, resource = _without_variables(pattern).split(":", 5)
    if len(parts) != 5:
        raise NotModelled(f"the resource {pattern!r}, neither '*' nor an ARN of six parts,")
    regex = ":".join([*(_regex(part, "[^:]") for part in parts), _regex(resource)])
    fullmatch = re.compile(regex, re.DOTALL).fullmatch
    return lambda text: fullmatch(text) is not None


def _wildcard_test(pattern: str, flags: int = 0) -> Test:
    fullmatch = re.compile(_regex(_without_variables(pattern)), re.DOTALL | flags).fullmatch
    return lambda text: fullmatch(text) is not None


def _regex(pattern: str, any_character: str = ".") -> str:
    wildcards = {"*": f"{any_character}*", "?": any_character}
    return "".join(wildcards.get(character, re.escape(character)) for character in pattern)


def _without_variables(pattern: str) -> str:
    if "${" in pattern:
        raise NotModelled(f"the policy variable in {pattern!r}")
    return pattern


def _equality_test(expected: str) -> Test:
    return _without_variables(expected).__eq__


def _ignore_case_test(expected: str) -> Test:
    lowered = _without_variables(expected).lower()
    return lambda text: text.lower() == lowered


# ArnEquals accepts wildcards too: on AWS it is the same as ArnLike.
_OPERATORS: Mapping[str, Callable[[str], Test]] = {
    "StringEquals": _equality_test,
    "StringEqualsIgnoreCase": _ignore_case_test,
    "StringLike": _wildcard_test,
    "ArnEquals": _arn_test,
    "ArnLike": _arn_test,
    "Bool": _ignore_case_test,
}
_NEGATIONS = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def _conditions(operators: Mapping[str, Mapping[str, Any]]) -> Iterable[Condition]:
    for operator, values_by_key in operators.items():
        base = operator.removesuffix("IfExists")
        is_negated = base in _NEGATIONS
        name = _NEGATIONS.get(base, base)
        if name not in _OPERATORS:
            raise NotModelled(f"the condition operator {operator}")
        value_test = _OPERATORS[name]
        for key, values in values_by_key.items():
            yield Condition(
                key=_condition_key(key),
                value_tests=tuple(value_test(_value_text(value)) for value in _as_list(values)),
                is_negated=is_negated,
                result_if_absent=is_negated or base != operator,
            )


def _condition_key(key: str) -> str:
    if key.lower() not in _CONDITION_KEYS:
        raise NotModelled(f"the condition key {key}")
    return key.lower()


def _value_text(value: str | bool | int) -> str:
    """Return a condition's value as text, with JSON's true and false in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)
