"""What DynamoDB rejects, in its words."""

INVALID = "One or more parameter values were invalid: "
ONE_ERROR = "1 validation error detected: "


class Rejected(Exception):
    """A request that DynamoDB rejects."""

    def __init__(self, message: str, code: str = "ValidationException") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class RejectedRequest(Rejected):
    """A request that DynamoDB rejects for itself, before it looks for the table."""


class RejectedItem(Rejected):
    """A write that DynamoDB rejects for what its item is: it can cancel a transaction."""
