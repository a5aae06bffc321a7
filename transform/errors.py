"""The error of this package: a record that DynamoDB, Pipes or Firehose would not send."""


class BadRecord(ValueError):
    """A record that cannot become a row; the message is *where: expected what, found what*.

    The message names the kind of what was found ("a list"), never its value: it may be logged, and
    records contain personal data.

    >>> str(BadRecord("1 to 40 digits", "nothing", "SequenceNumber"))
    'SequenceNumber: expected 1 to 40 digits, found nothing'
    """

    def __init__(self, expected: str, found: str, where: str = "") -> None:
        super().__init__(expected, found, where)
        self.expected = expected
        self.found = found
        self.where = where

    def __str__(self) -> str:
        message = f"expected {self.expected}, found {self.found}"
        return f"{self.where}: {message}" if self.where else message

    def with_prefix(self, where: str) -> "BadRecord":
        """Return this error with `where` in front of its location."""
        location = f"{where}.{self.where}" if where and self.where else where or self.where
        return BadRecord(self.expected, self.found, location)


KINDS = {
    str: "another string",
    bool: "true or false",
    list: "a list",
    tuple: "an object",
    dict: "an object",
    type(None): "nothing",
}


def kind(value: object) -> str:
    """Return the kind of a value, without its content."""
    return KINDS.get(type(value), "a number")
