"""The laptop's Glue crawler: it reads the lake, and adds new columns to the catalog."""

from local.services.glue.service import Glue

__all__ = ["Glue"]
