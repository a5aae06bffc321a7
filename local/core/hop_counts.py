"""What a hop of the chain took in and gave on, for the demo's table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HopCount:
    """One hop's records so far; at rest, `came_in == went_out + failed + forgotten`.

    `forgotten` are those that a restart lost from memory: the hop takes them in again.
    """

    hop: str
    received: int
    delivered: int
    failed: int
    lost_on_restart: int = 0

    @property
    def is_balanced(self) -> bool:
        """Whether each record that came in is accounted for; so it is when the chain is at rest."""
        return self.received == self.delivered + self.failed + self.lost_on_restart
