"""Table digests: each item of the table, with the digests by which it is compared with the lake."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from operations.columns import DeclaredColumns
from operations.digest import digest
from operations.lake import item_digest
from operations.table import MAX_KEYS_PER_READ, SEGMENTS, Item, Table
from operations.verify.part import WHOLE, Part
from setup import names
from transform import Masking, canonical, canonical_and_flattened, parse_image


@dataclass(frozen=True, slots=True)
class TableItem:
    """An item as canonical text; as its image in the lake; the digests without and with columns.

    The text is as the table has it, for a repair; the image is masked.
    """

    text: str
    image: str
    image_digest: str
    digest: str


@dataclass(frozen=True, slots=True)
class TableDigests:
    """Consistent reads of a table's items, as digests of images and declared columns."""

    table: Table
    columns: DeclaredColumns
    masking: Masking

    def scan(self, part: Part = WHOLE) -> Iterator[tuple[str, str]]:
        """Yield key and digest of every item of a part, in no order, by a parallel scan."""
        start_keys = dict.fromkeys(part.segments)
        total_segments = SEGMENTS * part.total
        for page in self.table.scan_pages(start_keys, total_segments, self._key_and_digest):
            yield from page.items

    def of_keys(
        self, keys: Iterable[str], *, is_consistent: bool = True
    ) -> Iterator[tuple[str, str]]:
        """Yield key and digest of the items with the given keys."""
        remaining = iter(keys)
        while batch := list(islice(remaining, MAX_KEYS_PER_READ)):
            items = self.table.get_items(batch, is_consistent=is_consistent)
            for key, text in items.items():
                yield key, self._table_item(text).digest

    def get_items(self, keys: Collection[str]) -> dict[str, TableItem]:
        """Return the items with the given keys, at most 100, by key; missing items are left out."""
        items = self.table.get_items(keys)
        return {key: self._table_item(text) for key, text in items.items()}

    def _key_and_digest(self, item: Item) -> tuple[str, str]:
        image, columns = canonical_and_flattened(item, names.JSON_PATHS, self.masking)
        key = canonical(self.table.key_of(item))
        return key, item_digest(digest(image), self.columns.digest(columns))

    def _table_item(self, text: str) -> TableItem:
        item = parse_image(text)
        image, columns = canonical_and_flattened(item, names.JSON_PATHS, self.masking)
        image_digest = digest(image)
        item_and_columns = item_digest(image_digest, self.columns.digest(columns))
        return TableItem(text, image, image_digest, item_and_columns)
