"""Hive's partitions: `name=value/…`, escaped as Hive does it, and back."""

import re
from collections.abc import Mapping

from transform.errors import BadRecord

DEFAULT = "__HIVE_DEFAULT_PARTITION__"
# The characters that Hive's FileUtils.escapePathName escapes, and NUL, which no path can hold.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\"#%'*/:=?\\{\[\]^]")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")


def date_partition(changed_at: str) -> dict[str, str]:
    """Return the partition of a row: the UTC day of its change."""
    return {"dt": changed_at[:10]}


def partition_path(values: Mapping[str, str | None]) -> str:
    """Return the path of a partition; None and the empty text are Hive's default partition.

    >>> partition_path({"dt": "2026-11-23", "city": "a/b"})
    'dt=2026-11-23/city=a%2Fb'
    """
    return "/".join(f"{escaped(name)}={_directory(value)}" for name, value in values.items())


def partition_values(path: str) -> dict[str, str | None]:
    """Return the names and values of a partition's path.

    >>> partition_values("dt=2026-11-23/city=a%2Fb/")
    {'dt': '2026-11-23', 'city': 'a/b'}
    """
    return dict(map(_level, filter(None, path.split("/"))))


def escaped(text: str) -> str:
    """Return a text as Hive writes it into a path."""
    return _UNSAFE.sub(lambda unsafe: f"%{ord(unsafe[0]):02X}", text)


def unescaped(text: str) -> str:
    """Return the text that Hive reads from a path."""
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), text)


def _directory(value: str | None) -> str:
    if (
        value == DEFAULT
    ):  # A value of this very text is not the default partition: escape its first character.
        return f"%5F{DEFAULT[1:]}"
    return escaped(value) if value else DEFAULT


def _level(level: str) -> tuple[str, str | None]:
    name, equals, value = level.partition("=")
    if not equals:
        raise BadRecord("name=value", "another text", "partition")
    return unescaped(name), None if value == DEFAULT else unescaped(value)
