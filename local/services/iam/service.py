"""IAM: moto keeps roles and policies; what AWS refuses of them is refused here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

from moto.utilities.utils import get_partition

from local.core.request import ApiRequest, ApiResponse, AwsError
from local.core.service import Service
from local.services.iam.validation import check, refusal

if TYPE_CHECKING:
    from local.core.server import Cloud


class Iam(Service):
    """Sees every change of IAM, so that a guard knows when what it read of a role is stale."""

    credential_scopes = ("iam",)
    changes: ClassVar[int] = 0  # Of the process: so is moto's IAM.
    endpoints: ClassVar[set[str]] = set()

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        Iam.endpoints.add(cloud.endpoint)

    @classmethod
    def sees(cls, iam: Any) -> bool:
        """Return whether this process serves what the client asks, so that no change escapes."""
        return iam.meta.endpoint_url in cls.endpoints

    def close(self) -> None:
        """See nothing any more: another process may answer there next."""
        Iam.endpoints.discard(self.cloud.endpoint)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return moto's reply, and count the call if it may have changed something."""
        query = dict(parse_qsl(request.body.decode()))
        action = query.get("Action", "")
        if action.startswith(("Get", "List")):
            return None
        try:
            check(action, query, get_partition(request.region))
        except AwsError as error:
            return refusal(error)
        response = self.cloud.forward_to_moto(request)
        Iam.changes += 1
        return response
