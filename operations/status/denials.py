"""Denials: what an IAM policy denies, as far as its text shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

Policy = Mapping[str, Any]  # JSON of IAM's grammar.
Statement = Mapping[str, Any]

# Is met by requests without TLS, which no service of AWS makes; setup's own statement has it.
WITHOUT_TLS = {"Bool": {"aws:SecureTransport": "false"}}


def denying_statements(policy: Policy) -> Iterator[Statement]:
    """Yield the statements that deny something to a request with TLS."""
    for statement in _as_list(policy.get("Statement", ())):
        if statement["Effect"] == "Deny" and not _is_about_tls(statement.get("Condition", {})):
            yield statement


def _is_about_tls(condition: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a condition is met only without TLS, or with an old version of it."""
    keys = {key.lower() for values in condition.values() for key in values}
    return condition == WITHOUT_TLS or keys == {"s3:tlsversion"}


def concerns(statement: Statement, role: str) -> bool:
    """Return whether a statement's principals include a role (its ARN), as its text shows."""
    if "NotPrincipal" in statement:
        return role not in _principals(statement["NotPrincipal"])
    principals = _principals(statement.get("Principal", "*"))
    prefix, account, _ = role.rsplit(":", 2)
    everyone = {"*", account, f"{prefix}:{account}:root"}
    return bool(everyone & principals) or role in principals


def _principals(principal: Any) -> set[str]:
    if not isinstance(principal, Mapping):
        return set(_as_list(principal))
    return set(_as_list(principal.get("AWS", ())))


def denied_actions(required: Policy, statement: Statement) -> Iterator[str]:
    """Yield the actions of a role's policy that a statement denies on the role's resources."""
    for permission in required["Statement"]:
        if not _overlaps(permission["Resource"], statement, "Resource"):
            continue
        for action in permission["Action"]:
            if _overlaps([action], statement, "Action"):
                yield action


def _overlaps(required: list[str], statement: Statement, element: str) -> bool:
    """Return whether `Action` or `NotAction` (or Resource) covers any of the required texts."""
    if f"Not{element}" in statement:
        patterns = _as_list(statement[f"Not{element}"])
        return any(not any(_matches(text, pattern) for pattern in patterns) for text in required)
    patterns = _as_list(statement.get(element, "*"))
    # Both may have wildcards.
    return any(
        _matches(text, pattern) or _matches(pattern, text)
        for text in required
        for pattern in patterns
    )


def _matches(text: str, pattern: str) -> bool:
    return fnmatchcase(text.lower(), pattern.lower().replace("[", "[[]"))


def _as_list(value: Any) -> list[Any]:
    """Return a member of a policy as a list: a single value may be written without one."""
    return list(value) if isinstance(value, list | tuple) else [value]
