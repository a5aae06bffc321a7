"""Why a query failed, in the words of Athena's StateChangeReason."""

from local.core.errors import not_modelled_message


class QueryFailed(Exception):
    """A query that cannot go on: Trino's error code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class QueryCancelled(Exception):
    """A query that was stopped, by its user or by its workgroup's limit; its text is the reason."""


def not_modelled(what: str) -> QueryFailed:
    """Return the refusal of something that Athena can do and the laptop cannot."""
    return QueryFailed("NOT_SUPPORTED", not_modelled_message(what))
