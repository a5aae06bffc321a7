"""The laptop's Glue: moto's data catalog, and crawlers that add new columns to it."""

from local.services.glue.service import Glue

__all__ = ["Glue"]
