"""Record counts of one hop of the chain, for the demo's table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HopCount:
    """The records of one hop so far.

    `lost_on_restart` counts those that a restart lost from memory: the hop receives them again.
    """

    hop: str
    received: int
    delivered: int
    failed: int
    lost_on_restart: int = 0

    @property
    def is_balanced(self) -> bool:
        """Whether each received record is accounted for, as it must be when the chain is idle."""
        return self.received == self.delivered + self.failed + self.lost_on_restart
