"""What DynamoDB rejects, in its words."""

INVALID = "One or more parameter values were invalid: "


class Rejected(Exception):
    """A request that DynamoDB rejects."""

    def __init__(self, message: str, code: str = "ValidationException") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class RejectedItem(Rejected):
    """A write that DynamoDB rejects for what its item is: it can cancel a transaction."""
