"""IAM: moto stores roles and policies; limits and permissions are enforced here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from moto.utilities.utils import get_partition

from local.core.request import ApiRequest, ApiResponse, AwsError
from local.core.service import Service
from local.services.iam.enforcement import AccessControl, ClientGuard
from local.services.iam.validation import check_call, error_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.core.server import Cloud


class Iam(Service):
    """Guards the clients that act as a role, and records every change of IAM."""

    credential_scopes = ("iam",)

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._access = AccessControl(cloud)

    def guard_client(
        self, client: Any, role: str, principal: str, context: Mapping[str, str]
    ) -> None:
        """Deny each call of `client` that `principal`, acting as `role`, may not make."""
        ClientGuard(self._access, client, role, principal, context).install()

    def denials(self) -> list[str]:
        """Return a sentence for each role and action denied since IAM last changed."""
        return self._access.denials()

    def record_change(self) -> None:
        """Read roles again at their next use, because IAM may have changed."""
        self._access.record_change()

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Enforce IAM's limits, and record each call that may change a role."""
        query = dict(parse_qsl(request.body.decode()))
        action = query.get("Action", "")
        if action.startswith(("Get", "List")):
            return None
        try:
            check_call(action, query, get_partition(request.region))
        except AwsError as error:
            return error_response(error)
        response = self.cloud.forward_to_moto(request)
        self.record_change()
        return response
