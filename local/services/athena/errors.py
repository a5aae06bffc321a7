"""Errors of a query, in the words of Athena's StateChangeReason."""

from local.core.errors import not_modelled_message


class QueryFailed(Exception):
    """A query failed: Trino's error code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class QueryCancelled(Exception):
    """A query was cancelled by its user or by its workgroup's limit; the text is the reason."""


def not_modelled(feature: str) -> QueryFailed:
    """Return the error for a feature that Athena has and the laptop cloud lacks."""
    return QueryFailed("NOT_SUPPORTED", not_modelled_message(feature))
