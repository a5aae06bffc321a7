"""A laptop cloud in which a nemesis is at work."""

from collections.abc import Iterable
from typing import Any

from local.core.server import Cloud
from local.core.service import Part
from local.nemesis.faults import Killed
from local.nemesis.injector import Nemesis


class UnkindCloud(Cloud):
    """A cloud whose nemesis sees the calls that parts make under a role, and may kill a part."""

    def __init__(self, part_types: Iterable[type[Part]], nemesis: Nemesis, port: int = 0) -> None:
        self.nemesis = nemesis
        super().__init__(part_types, port)

    def step(self) -> bool:
        """Let each part work once; where something went wrong, there may be work still."""
        wrong = self.nemesis.counts.total()
        worked = super().step()
        return worked or self.nemesis.counts.total() > wrong

    def _new_client(self, service: str, role: str, principal: str, source: str) -> Any:
        client = super()._new_client(service, role, principal, source)
        if role:
            self.nemesis.watch(client, self)
        return client

    def _timed_step(self, part: Part) -> bool:
        try:
            with self.nemesis.at(part):
                return super()._timed_step(part)
        except Killed:
            part.restart()
            return True
