"""IAM: moto keeps roles and policies; what AWS refuses of them is refused here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qsl

from moto.utilities.utils import get_partition

from local.core.request import AwsError, Call, Reply
from local.core.service import Part
from local.services.iam.validation import check, refusal

if TYPE_CHECKING:
    from local.core.server import Cloud


class Iam(Part):
    """Sees every change of IAM, so that a guard knows when what it read of a role is stale."""

    services = ("iam",)
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

    def answer(self, call: Call) -> Reply | None:
        """Return moto's reply, and count the call if it may have changed something."""
        query = dict(parse_qsl(call.body.decode()))
        action = query.get("Action", "")
        if action.startswith(("Get", "List")):
            return None
        try:
            check(action, query, get_partition(call.region))
        except AwsError as error:
            return refusal(error)
        reply = self.cloud.moto(call)
        Iam.changes += 1
        return reply
