"""Monkeypatches that last as long as a cloud that needs them."""

import threading
from typing import Any

_MISSING = object()


class Patches:
    """Attributes of moto's classes and modules, replaced while at least one cloud is open.

    Several clouds can be open in a process: the first `apply` replaces, the last `undo` restores.
    """

    def __init__(self, *replacements: tuple[Any, str, Any]) -> None:
        self._replacements = replacements
        self._originals: list[Any] = []
        self._lock = threading.Lock()
        self._users = 0

    def apply(self) -> None:
        """Replace the attributes, unless another cloud has done so."""
        with self._lock:
            self._users += 1
            if self._users > 1:
                return
            for owner, name, replacement in self._replacements:
                self._originals.append(vars(owner).get(name, _MISSING))
                setattr(owner, name, replacement)

    def undo(self) -> None:
        """Restore the attributes, unless another cloud still needs the replacements."""
        with self._lock:
            self._users -= 1
            if self._users > 0:
                return
            for (owner, name, _), original in zip(self._replacements, self._originals, strict=True):
                if original is _MISSING:
                    delattr(owner, name)
                else:
                    setattr(owner, name, original)
            self._originals.clear()
