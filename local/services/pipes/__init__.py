"""The laptop's EventBridge Pipes: they carry a table's changes to Kinesis, or bury them."""

from local.services.pipes.service import Pipes

__all__ = ["Pipes"]
