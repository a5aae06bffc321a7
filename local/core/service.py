"""Base class of the laptop cloud's services: they answer API calls and do work in ticks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.core.hop_counts import HopCount
    from local.core.request import ApiRequest, ApiResponse
    from local.core.server import Cloud


class Service:
    """One managed service.

    `handle` runs on the server's threads, `tick` on one thread at a time. A tick calls AWS's API
    over loopback, so it must not hold a lock that `handle` waits for.
    """

    credential_scopes: ClassVar[tuple[str, ...]] = ()
    """The credential scopes whose calls `handle` receives."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the response to a call, or None to leave it to moto; raise AwsError to reject."""
        return None

    def guard_client(
        self, client: Any, role: str, principal: str, context: Mapping[str, str]
    ) -> None:
        """Deny each call of `client` that `principal`, acting as `role`, may not make."""

    def tick(self) -> bool:
        """Do a bounded piece of the work that is due, and return whether there was any."""
        return False

    def next_due_at(self) -> float | None:
        """Return the time at which more work falls due, or None if no work waits for time."""
        return None

    def counts(self) -> list[HopCount]:
        """Return the record counts of this service's hops."""
        return []

    def restart(self) -> None:
        """Continue as if just killed and started: lose everything that is kept only in memory."""

    def close(self) -> None:
        """Release child processes, files and monkeypatches."""
