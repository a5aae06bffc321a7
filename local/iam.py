"""What a role may do, by the policies that setup gave it."""

from typing import Any


def guard(client: Any, iam: Any, role: str, principal: str) -> None:
    """Refuse each call of `client` that `principal`, acting as `role`, may not make."""
