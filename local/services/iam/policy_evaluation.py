"""What policy documents say of a call: AWS's rules of evaluation, as pure functions."""

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
    """A policy or a call that AWS can evaluate and the laptop cloud cannot."""

    def __init__(self, *features: str) -> None:
        message = not_modelled_message(*features)
        super().__init__("NotModelledByTheLaptopCloud", message, 501)


class Decision(Enum):
    """What the documents together say; an explicit deny beats every allow."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNMENTIONED = "unmentioned"


@dataclass(frozen=True, slots=True)
class Condition:
    """One key of one operator; the values are alternatives, and `negated` refuses them all."""

    key: str
    alternatives: tuple[Test, ...]
    negated: bool
    if_absent: bool

    def holds(self, context: Mapping[str, str]) -> bool:
        """Return whether a request that presents these (lower-case) keys fulfils it."""
        if self.key not in context:
            return self.if_absent
        return any(test(context[self.key]) for test in self.alternatives) != self.negated


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, ready to be asked many times."""

    allows: bool
    covers_action: Test
    covers_resource: Test
    services: frozenset[str]
    conditions: tuple[Condition, ...]

    def applies(self, action: str, resource: str, context: Mapping[str, str]) -> bool:
        """Return whether it speaks of that call."""
        return (
            self.covers_action(action)
            and self.covers_resource(resource)
            and all(condition.holds(context) for condition in self.conditions)
        )


def allows(
    documents: Iterable[Document], action: str, resource: str, context: Mapping[str, str]
) -> bool:
    """Return whether the documents allow the action on the resource, and none denies it.

    >>> document = {"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}
    >>> allows([document], "s3:GetObject", "arn:aws:s3:::lake/a", {})
    True
    """
    read = [statement for document in documents for statement in statements(document)]
    return decide(read, action, resource, context) is Decision.ALLOWED


def decide(
    read: Iterable[Statement], action: str, resource: str, context: Mapping[str, str]
) -> Decision:
    """Return what the statements say of a call; keys of the context are in any case."""
    presented = {key.lower(): value for key, value in context.items()}
    effects = {each.allows for each in read if each.applies(action, resource, presented)}
    if False in effects:
        return Decision.DENIED
    return Decision.ALLOWED if effects else Decision.UNMENTIONED


def trusts(read: Iterable[Statement], service: str, context: Mapping[str, str]) -> bool:
    """Return whether a trust policy lets the service (`glue.amazonaws.com`) assume its role."""
    about_it = [each for each in read if each.services & {service, "*"}]
    return decide(about_it, "sts:AssumeRole", "*", context) is Decision.ALLOWED


def statements(document: Document) -> tuple[Statement, ...]:
    """Return a document's statements; raise NotModelled at what could not be evaluated.

    A trust policy's statements name no resource and a role policy's no principal.
    """
    return tuple(_statement(each) for each in _listed(document["Statement"]))


_MEMBERS = frozenset(
    {"Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Principal", "Condition"}
)

# Where a key has no value in any call that the laptop cloud makes, it is absent, as on AWS.
_KEYS = frozenset(
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


def _statement(raw: Mapping[str, Any]) -> Statement:
    if unknown := set(raw) - _MEMBERS:
        raise NotModelled(*[f"the policy element {name}" for name in sorted(unknown)])
    return Statement(
        allows={"Allow": True, "Deny": False}[raw["Effect"]],
        covers_action=_either(raw, "Action", _action_test),
        covers_resource=_either(raw, "Resource", _resource_test),
        services=_services(raw.get("Principal", {})),
        conditions=tuple(_conditions(raw.get("Condition", {}))),
    )


def _either(raw: Mapping[str, Any], name: str, test_of: Callable[[str], Test]) -> Test:
    """Return the test for `Action` or `NotAction` (or Resource); neither covers everything."""
    tests = [test_of(text) for text in _listed(raw.get(name, raw.get(f"Not{name}", "*")))]
    negated = f"Not{name}" in raw
    return lambda text: any(test(text) for test in tests) != negated


def _services(principal: str | Mapping[str, Any]) -> frozenset[str]:
    if isinstance(principal, str):
        return frozenset({principal})
    return frozenset(_listed(principal.get("Service", ())))


def _listed(value: Any) -> list[Any]:
    """Return the values of a member that JSON policies write singly or as a list."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _action_test(pattern: str) -> Test:
    return _wildcards(pattern, re.IGNORECASE)


def _resource_test(pattern: str) -> Test:
    return _wildcards(pattern) if pattern == "*" else _arn_test(pattern)


def _arn_test(pattern: str) -> Test:
    """Return a test for ARNs; a wildcard stays within its part, of which there are six."""
    *parts, resource = _plain(pattern).split(":", 5)
    if len(parts) != 5:
        raise NotModelled(f"the resource {pattern!r}, neither '*' nor an ARN of six parts,")
    expression = ":".join([*(_expression(part, "[^:]") for part in parts), _expression(resource)])
    matches = re.compile(expression, re.DOTALL).fullmatch
    return lambda text: matches(text) is not None


def _wildcards(pattern: str, flags: int = 0) -> Test:
    matches = re.compile(_expression(_plain(pattern)), re.DOTALL | flags).fullmatch
    return lambda text: matches(text) is not None


def _expression(pattern: str, character: str = ".") -> str:
    meanings = {"*": f"{character}*", "?": character}
    return "".join(meanings.get(each, re.escape(each)) for each in pattern)


def _plain(pattern: str) -> str:
    if "${" in pattern:
        raise NotModelled(f"the policy variable in {pattern!r}")
    return pattern


def _equals(wanted: str) -> Test:
    return _plain(wanted).__eq__


def _equals_in_any_case(wanted: str) -> Test:
    return lambda found: found.lower() == _plain(wanted).lower()


# ArnEquals takes wildcards too: on AWS it is the same as ArnLike.
_OPERATORS: Mapping[str, Callable[[str], Test]] = {
    "StringEquals": _equals,
    "StringEqualsIgnoreCase": _equals_in_any_case,
    "StringLike": _wildcards,
    "ArnEquals": _arn_test,
    "ArnLike": _arn_test,
    "Bool": _equals_in_any_case,
}
_NEGATIONS = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotEquals": "ArnEquals",
    "ArnNotLike": "ArnLike",
}


def _conditions(raw: Mapping[str, Mapping[str, Any]]) -> Iterable[Condition]:
    for operator, wanted in raw.items():
        base = operator.removesuffix("IfExists")
        negated = base in _NEGATIONS
        name = _NEGATIONS.get(base, base)
        if name not in _OPERATORS:
            raise NotModelled(f"the condition operator {operator}")
        for key, values in wanted.items():
            yield Condition(
                key=_known(key),
                alternatives=tuple(_OPERATORS[name](_text(value)) for value in _listed(values)),
                negated=negated,
                if_absent=negated or base != operator,
            )


def _known(key: str) -> str:
    if key.lower() not in _KEYS:
        raise NotModelled(f"the condition key {key}")
    return key.lower()


def _text(value: str | bool | int) -> str:
    """Return a condition's value as text; JSON's true and false are AWS's "true" and "false"."""
    return str(value).lower() if isinstance(value, bool) else str(value)
