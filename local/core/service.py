"""What every moving part of the laptop cloud is: answers to API calls, and steps of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.core.hop_counts import HopCount
    from local.core.request import ApiRequest, ApiResponse
    from local.core.server import Cloud


class Service:
    """One managed service: it answers the calls that moto cannot, and works when it is stepped.

    `answer` runs on the server's threads, `step` on one thread at a time. A step calls AWS's API
    over loopback, so it must not hold a lock that an answer waits for.
    """

    credential_scopes: ClassVar[tuple[str, ...]] = ()
    """The credential scopes whose calls pass by this part."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the reply to a call, or None to let moto answer; raise AwsError to refuse."""
        return None

    def guard_client(
        self, client: Any, role: str, principal: str, context: Mapping[str, str]
    ) -> None:
        """Deny each call of `client` that `principal`, acting as `role`, may not make."""

    def tick(self) -> bool:
        """Do a bounded piece of the work that is due now, and return whether there was any."""
        return False

    def next_due_at(self) -> float | None:
        """Return when work falls due that is only a matter of time, or None."""
        return None

    def counts(self) -> list[HopCount]:
        """Return what this part took in, delivered and failed so far, hop by hop."""
        return []

    def restart(self) -> None:
        """Go on as if killed at this moment: what is not remembered durably is forgotten."""

    def close(self) -> None:
        """Let go of what outlives the process's memory: child processes and files."""
