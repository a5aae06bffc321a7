"""A laptop cloud in which a nemesis is at work."""

from collections.abc import Iterable
from typing import Any

from local.core.server import Cloud
from local.core.service import Service
from local.nemesis.faults import Killed
from local.nemesis.injector import Nemesis


class UnkindCloud(Cloud):
    """A cloud whose nemesis sees the calls that parts make under a role, and may kill a part."""

    def __init__(
        self, service_types: Iterable[type[Service]], nemesis: Nemesis, port: int = 0
    ) -> None:
        self.nemesis = nemesis
        super().__init__(service_types, port)

    def tick(self) -> bool:
        """Let each part work once; where something went wrong, there may be work still."""
        wrong = self.nemesis.counts.total()
        worked = super().tick()
        return worked or self.nemesis.counts.total() > wrong

    def _create_client(self, service: str, role: str, principal: str, source: str) -> Any:
        client = super()._create_client(service, role, principal, source)
        if role:
            self.nemesis.watch(client, self)
        return client

    def _timed_tick(self, service: Service) -> bool:
        try:
            with self.nemesis.at(service):
                return super()._timed_tick(service)
        except Killed:
            service.restart()
            return True
