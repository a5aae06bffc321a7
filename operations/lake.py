"""The lake's side: its state, which Athena finds by the law of state (the greatest rank holds)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from analytics.athena import run_query
from operations.verify.diff import digest
from setup.names import CHANGES
from transform.state import Row

ASKED = 3000  # keys that a query can name: Athena takes 256 KiB of SQL

# A row without a key is not ours, but it is in the lake: it is shown, not skipped.
KEY = "coalesce(cdc_key, 'null')"
STATE = f"""
SELECT {KEY} AS cdc_key, {{columns}}
FROM (
  SELECT *, row_number() OVER (
    PARTITION BY {KEY}
    ORDER BY cdc_source DESC, cdc_sequence DESC, coalesce(cdc_snapshot_at, '') DESC,
      cdc_event_id DESC
  ) AS place
  FROM {CHANGES}
  WHERE {{asked}}
)
WHERE place = 1"""
DIGEST = "lower(to_hex(sha256(to_utf8({}))))"


@dataclass(frozen=True, slots=True)
class Held:
    """The row that decides what the lake holds of a key; a removed item has no image."""

    key: str
    image: str | None
    source: str | None
    sequence: str | None
    snapshot_at: str | None

    @property
    def row(self) -> Row:
        """As much of the row as its rank needs."""
        source, sequence = self.source or "", self.sequence or ""
        return Row("", self.key, source, sequence, self.snapshot_at, "", "", None, self.image)


def digests(keys: Collection[str] = ()) -> Iterator[tuple[str, str]]:
    """Return key and digest of every item that the lake holds, or of those among `keys`."""
    columns = f"{DIGEST.format('cdc_new_image')} AS digest"
    return run_query(f"{_state(columns, keys)} AND cdc_new_image IS NOT NULL").rows


def held(keys: Collection[str]) -> Iterator[Held]:
    """Return the deciding row of each of the keys, or of every key when they are too many."""
    columns = "cdc_new_image, cdc_source, cdc_sequence, cdc_snapshot_at"
    query = _state(columns, keys if len(keys) <= ASKED else ())
    return (Held(*row) for row in run_query(query).rows)


def _state(columns: str, keys: Collection[str]) -> str:
    """Return the query; it names keys by their digests, so no key's text becomes SQL."""
    named = ", ".join(f"'{digest(key)}'" for key in keys)
    asked = f"{DIGEST.format(KEY)} IN ({named})" if keys else "true"
    return STATE.format(columns=columns, asked=asked)
