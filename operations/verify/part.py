"""Parts: a verification split into runs that each take a share of the items.

A part has two sides. On the table's side it is a share of the segments of a parallel scan, to which
DynamoDB assigns each item by a hash of its partition key. That hash is DynamoDB's secret, so the
lake's side is another share: the keys whose digest falls into the part's bucket. All parts together
prove that every item of the table is in the lake, and every item of the lake in the table.
"""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from dataclasses import dataclass

from operations.digest import digest
from operations.table import SEGMENTS

MAX_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Part:
    """Part `number`, from 1, of `total`."""

    number: int
    total: int

    def __str__(self) -> str:
        return f"{self.number}/{self.total}"

    @property
    def segments(self) -> range:
        """The part's segments of a scan that has SEGMENTS times `total` of them."""
        return range((self.number - 1) * SEGMENTS, self.number * SEGMENTS)

    def has_key(self, key: str) -> bool:
        """Return whether a key of the lake is in the part's bucket."""
        return int(digest(key)[:15], 16) % self.total == self.number - 1


WHOLE = Part(1, 1)


def part(text: str) -> Part:
    """Return the part that an argument names."""
    match = re.fullmatch(r"([0-9]{1,5})/([0-9]{1,5})", text)
    if match:
        number, total = map(int, match.groups())
        if 1 <= number <= total <= MAX_PARTS:
            return Part(number, total)
    raise ArgumentTypeError(f"expected a part such as 3/24, of at most {MAX_PARTS}, found {text!r}")
