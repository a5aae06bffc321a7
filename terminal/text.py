"""Text for people: counts with their noun, and tables aligned for a terminal."""

from collections.abc import Sequence


def count(number: int, singular: str, plural: str = "") -> str:
    """Return a number with its noun.

    >>> count(1, "key"), count(1234, "key"), count(2, "query", "queries")
    ('1 key', '1234 keys', '2 queries')
    """
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number} {noun}"


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as lines: the first column to the left, the others to the right.

    >>> print(format_table([("hop", "received"), ("Firehose", "12")]))
    hop       received
    Firehose        12
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_format_row(row, widths) for row in rows)


def _format_row(row: Sequence[str], widths: Sequence[int]) -> str:
    first = row[0].ljust(widths[0])
    others = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return "  ".join([first, *others]).rstrip()
