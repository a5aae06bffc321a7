"""The error of this package: a record that DynamoDB, Pipes or Firehose would not send."""


class BadRecord(ValueError):
    """A record that cannot become a row; the message is *where: expected what, found what*.

    The message names the kind of the actual value ("a list"), never the value: it may be logged,
    and records contain personal data.

    >>> str(BadRecord("1 to 40 digits", "nothing", "SequenceNumber"))
    'SequenceNumber: expected 1 to 40 digits, found nothing'
    """

    def __init__(self, expected: str, actual: str, location: str = "") -> None:
        super().__init__(expected, actual, location)
        self.expected = expected
        self.actual = actual
        self.location = location

    def __str__(self) -> str:
        message = f"expected {self.expected}, found {self.actual}"
        return f"{self.location}: {message}" if self.location else message

    def with_prefix(self, prefix: str) -> "BadRecord":
        """Return this error with a prefix in front of its location."""
        location = ".".join(filter(None, (prefix, self.location)))
        return BadRecord(self.expected, self.actual, location)


def as_bad_record(error: Exception) -> BadRecord:
    """Return the error of an encoder as a BadRecord; others than that say no more than this."""
    if isinstance(error, BadRecord):
        return error
    return BadRecord("a value of one of DynamoDB's types", "another value")


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
