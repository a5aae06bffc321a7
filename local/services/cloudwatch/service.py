"""CloudWatch: moto stores metrics, alarms and dashboards; the tags of dashboards are added here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.core.service import Service
from local.services.cloudwatch import moto_patches

if TYPE_CHECKING:
    from local.core.server import Cloud


class CloudWatch(Service):
    """moto answers every call, with patches while the cloud is open."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        moto_patches.apply()

    def close(self) -> None:
        """Restore moto, unless another cloud still needs the patches."""
        moto_patches.undo()
