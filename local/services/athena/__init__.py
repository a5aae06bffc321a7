"""Athena on the laptop: Trino's SQL over the tables of Glue's catalog, run by DuckDB."""

from local.services.athena.service import Athena

__all__ = ["Athena"]
