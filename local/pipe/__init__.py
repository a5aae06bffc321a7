"""The laptop's EventBridge Pipes: they carry a table's changes to Kinesis, or bury them."""

from local.pipe.part import Pipes

__all__ = ["Pipes"]
