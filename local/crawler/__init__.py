"""The laptop's Glue crawler: it reads the lake, and adds new columns to the catalog."""

from local.crawler.part import Glue

__all__ = ["Glue"]
