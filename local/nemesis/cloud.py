"""Laptop cloud with fault injection."""

from collections.abc import Iterable
from typing import Any

from local.core.server import Cloud
from local.core.service import Service
from local.nemesis.faults import Killed
from local.nemesis.injector import Nemesis


class FaultyCloud(Cloud):
    """A cloud whose nemesis injects faults into the calls that services make under a role."""

    def __init__(
        self, service_types: Iterable[type[Service]], nemesis: Nemesis, port: int = 0
    ) -> None:
        self.nemesis = nemesis
        super().__init__(service_types, port)

    def tick(self) -> bool:
        """Let each service tick, and return whether anything happened; a fault counts too."""
        faults_before = self.nemesis.counts.total()
        has_worked = super().tick()
        return has_worked or self.nemesis.counts.total() > faults_before

    def _create_client(self, service_name: str, role: str, principal: str, source: str) -> Any:
        client = super()._create_client(service_name, role, principal, source)
        if role:
            self.nemesis.watch(client, self)
        return client

    def _timed_tick(self, service: Service) -> bool:
        try:
            with self.nemesis.calls_by(service):
                return super()._timed_tick(service)
        except Killed:
            service.restart()
            return True
