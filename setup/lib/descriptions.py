"""Descriptions in the catalog, which the console, BI tools and assistants show.

A description that a user has written stays. To recognize its own, which setup replaces when their
text changes, it keeps the digest of each as a parameter of the table or column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from itertools import takewhile
from typing import Any

# Glue's limits.
MAX_LENGTHS = {"Comment": 255, "Description": 2048}
DIGEST_PARAMETER = "{}.sha256"
COLUMN_LINE = re.compile(r"(\w+): (.+)")

# A table or column of the catalog, as GetTable returns it or UpdateTable accepts it.
Entry = Mapping[str, Any]


def with_description(entry: Entry, member: str, text: str | None) -> dict[str, Any]:
    """Return a table or column with the text as its member, unless a user has written another.

    >>> with_description({"Name": "total", "Comment": "a user's"}, "Comment", "Amount to pay")
    {'Name': 'total', 'Comment': "a user's"}
    """
    if not text or is_from_user(entry, member):
        return dict(entry)
    description = text[: MAX_LENGTHS[member]]
    digest = {DIGEST_PARAMETER.format(member.lower()): _digest(description)}
    return {**entry, member: description, "Parameters": {**entry.get("Parameters", {}), **digest}}


def is_from_user(entry: Entry, member: str) -> bool:
    """Return whether a table or column has a description that setup did not write."""
    current = entry.get(member)
    digest = entry.get("Parameters", {}).get(DIGEST_PARAMETER.format(member.lower()))
    return bool(current) and digest != _digest(str(current))


def with_comments(columns: Sequence[Entry], comments: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return columns with their comments, those of users included."""
    return [with_description(column, "Comment", comments.get(column["Name"])) for column in columns]


def columns_of(table: Entry) -> Sequence[Entry]:
    """Return the columns of a table or view, without its partition keys."""
    columns: Sequence[Entry] = table.get("StorageDescriptor", {}).get("Columns", [])
    return columns


def parse_header(statement: str) -> tuple[str, dict[str, str]]:
    r"""Return the description of a view and those of its columns, from the comment at its top.

    >>> parse_header("-- The orders.\n--\n-- total: amount to pay\nCREATE OR REPLACE VIEW …")
    ('The orders.', {'total': 'amount to pay'})
    """
    lines = takewhile(lambda line: line.startswith("--"), statement.split("\n"))
    header = [line.removeprefix("--").strip() for line in lines]
    end = header.index("") if "" in header else len(header)
    matches = filter(None, map(COLUMN_LINE.fullmatch, header[end:]))
    return " ".join(header[:end]), {match[1]: match[2] for match in matches}


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
