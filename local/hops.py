"""What a hop of the chain took in and gave on, for the demo's table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HopCount:
    """One hop's records so far; when the chain is at rest, `came_in == went_out + failed`."""

    hop: str
    came_in: int
    went_out: int
    failed: int
