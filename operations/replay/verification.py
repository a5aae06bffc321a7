"""Verification at the end of a replay: whether the lake equals the table for the keys sent.

A replayed change may be older than what the lake lacks. Then its row is right, but it becomes the
lake's current state, and the table has a newer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field

from analytics.athena import QueryFailed
from operations.replay.text_set import SentKeys
from operations.table import Table
from operations.verify.compare import Comparison
from operations.verify.damage import explain_failure
from operations.verify.diff import UNSETTLED, Difference
from operations.verify.result import EQUAL, INCONCLUSIVE, UNEQUAL, VerifyResult
from terminal.text import count

BATCH_SIZE = 500  # keys whose items are in memory at once
MAX_KEYS = 5000  # for more, which would take many queries, the whole table is compared
MAX_LISTED = 20  # keys of each kind in the text output; JSON lists all
REPAIR_COMMAND = "python -m operations.verify --repair"
VERIFY_COMMAND = "python -m operations.verify"


@dataclass
class SentKeysResult:
    """The number of keys that were sent, and those whose state in the lake is not the table's."""

    key_count: int
    wrong_keys: dict[str, list[str]] = field(default_factory=dict)  # by kind, as verify has them
    differences: dict[str, Difference] = field(default_factory=dict)

    def add(self, result: VerifyResult, sent_keys: SentKeys) -> None:
        """Add what a comparison found, without keys that were not sent."""
        for kind, keys in result.keys.items():
            sent = [key for key in keys if sent_keys.includes(key)]
            if sent:
                self.wrong_keys.setdefault(kind, []).extend(sent)
                self.differences |= {
                    key: result.differences[key] for key in sent if key in result.differences
                }

    @property
    def status(self) -> int:
        """EQUAL, UNEQUAL, or INCONCLUSIVE if the only differences are unsettled keys."""
        if not self.wrong_keys:
            return EQUAL
        return INCONCLUSIVE if set(self.wrong_keys) == {UNSETTLED} else UNEQUAL

    def document(self) -> dict[str, object]:
        """Return the result as JSON."""
        return {
            "keys": self.key_count,
            "equal": self.status == EQUAL,
            "wrong": self.wrong_keys,
            "differences": {key: asdict(value) for key, value in self.differences.items()},
        }

    def lines(self) -> Iterator[str]:
        """Yield the result as text; the last line is the summary."""
        for kind, keys in self.wrong_keys.items():
            for key in keys[:MAX_LISTED]:
                difference = self.differences.get(key)
                yield f"{kind:9}  {key}" + (f"  {difference}" if difference else "")
            unlisted = len(keys) - MAX_LISTED
            if unlisted > 0:
                yield f"{kind:9}  … and {unlisted} more: use --json to list them"
        yield self._summary()

    def _summary(self) -> str:
        total = count(self.key_count, "replayed key")
        wrong_count = sum(map(len, self.wrong_keys.values()))
        if self.status == EQUAL:
            return f"lake equals table for {total}"
        if self.status == INCONCLUSIVE:
            return f"inconclusive: {wrong_count} of {total} kept changing: run {VERIFY_COMMAND}"
        return f"lake differs from table for {wrong_count} of {total}: run {REPAIR_COMMAND}"


def verify_sent_keys(table: Table, sent_keys: SentKeys, wait: Callable[[], None]) -> SentKeysResult:
    """Wait until what was sent is in the lake, then compare its keys with the table.

    An error of a query names the damaged object that it is due to.
    """
    result = SentKeysResult(sent_keys.count)
    comparison = Comparison(table, lambda _: wait())
    wait()
    try:
        for keys in _batches(sent_keys):
            result.add(comparison.run(keys), sent_keys)
    except QueryFailed as error:
        raise explain_failure(error) from error
    return result


def _batches(sent_keys: SentKeys) -> Iterator[list[str]]:
    """Yield the keys in batches, or one empty batch, which stands for the whole table."""
    if sent_keys.count > MAX_KEYS:
        yield []
    else:
        yield from sent_keys.batches(BATCH_SIZE)
