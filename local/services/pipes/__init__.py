"""EventBridge Pipes of the laptop cloud: from a table's stream into Kinesis."""

from local.services.pipes.service import Pipes

__all__ = ["Pipes"]
