"""What roles were refused since IAM was last changed, in one place, which AWS has not."""

from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary


@dataclass(slots=True)
class Denials:
    """One sentence for each role and action; a change of IAM makes all of them stale."""

    changes: int = 0
    sentences: dict[tuple[str, str], str] = field(default_factory=dict)

    def at(self, changes: int) -> "Denials":
        """Return the refusals that hold after so many changes of IAM."""
        if self.changes != changes:
            self.changes, self.sentences = changes, {}
        return self


_DENIALS: WeakKeyDictionary[Any, Denials] = WeakKeyDictionary()


def denials_of(iam: Any, changes: int) -> Denials:
    """Return the refusals by the policies that this client reads."""
    return _DENIALS.setdefault(iam, Denials()).at(changes)
