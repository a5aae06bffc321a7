"""Caches bounded by bytes: what records bring as keys may be large, and new in every record."""

from collections.abc import Callable
from typing import Any, TypeVar

K = TypeVar("K")
V = TypeVar("V")

# Each cache may hold this much; the function has 512 MB.
MAX_BYTES = 4 * 2**20


class BoundedCache(dict[K, V]):
    """Values by key, computed when they are missing; a cache that would be too large is cleared."""

    def __init__(self, compute: Callable[[K], V]) -> None:
        super().__init__()
        self._compute = compute
        self._bytes = 0

    def __missing__(self, key: K) -> V:
        value = self._compute(key)
        entry_bytes = _max_bytes((key, value))
        self._bytes += entry_bytes
        if self._bytes > MAX_BYTES:
            self.clear()
            self._bytes = entry_bytes
        if entry_bytes <= MAX_BYTES:
            self[key] = value
        return value


# Keys and values are of any shape.
def _max_bytes(value: Any) -> int:
    """Return an upper bound of the memory of strings in tuples, lists and sets."""
    if isinstance(value, str):
        return 80 + 4 * len(value)
    if isinstance(value, (tuple, list, frozenset)):
        return 80 + sum(8 + _max_bytes(member) for member in value)
    return 80
