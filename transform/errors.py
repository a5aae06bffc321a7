"""The one error of this package: a record that is not what DynamoDB, Pipes or Firehose sends."""


class BadRecord(ValueError):
    """A record that cannot become a row, told as *where: expected what, found what*.

    What was found is named by its kind ("a list"), never by its value: the text may be logged, and
    records hold people's data.

    >>> str(BadRecord("1 to 40 digits", "nothing", "SequenceNumber"))
    'SequenceNumber: expected 1 to 40 digits, found nothing'
    """

    def __init__(self, expected: str, found: str, where: str = "") -> None:
        super().__init__(expected, found, where)
        self.expected, self.found, self.where = expected, found, where

    def __str__(self) -> str:
        told = f"expected {self.expected}, found {self.found}"
        return f"{self.where}: {told}" if self.where else told

    def inside(self, where: str) -> "BadRecord":
        """Return this error as seen from outside: its place begins with `where`."""
        place = ".".join(filter(None, (where, self.where)))
        return BadRecord(self.expected, self.found, place)


KINDS = {
    str: "another text",
    bool: "true or false",
    list: "a list",
    tuple: "an object",
    dict: "an object",
    type(None): "nothing",
}


def kind(value: object) -> str:
    """Return what a value is, without telling its content."""
    return KINDS.get(type(value), "a number")
