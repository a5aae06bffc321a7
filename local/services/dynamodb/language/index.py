"""A table's key and its secondary indexes, as reads and capacity need them."""

from collections.abc import Iterable
from dataclasses import dataclass

from local.services.dynamodb.language.values import Image


@dataclass(frozen=True, slots=True)
class Index:
    """A table's own key, or one of its secondary indexes."""

    name: str  # Empty for the table itself.
    hash_name: str
    range_name: str | None
    table_names: tuple[str, ...]
    projected: frozenset[str] | None = None  # None: all attributes.
    is_global: bool = False
    reads_table: bool = False  # Whether the rest of an item is read from the table.

    @property
    def key_names(self) -> list[str]:
        """The names of the index's key attributes."""
        return [self.hash_name] if self.range_name is None else [self.hash_name, self.range_name]

    @property
    def start_names(self) -> list[str]:
        """The names of the attributes that say where a page starts."""
        return list(dict.fromkeys([*self.key_names, *self.table_names]))

    def lacks(self, names: Iterable[str]) -> list[str]:
        """Return those of some attributes that the index does not have."""
        if self.projected is None:
            return []
        return [name for name in dict.fromkeys(names) if name not in self.projected]

    def view(self, image: Image | None) -> Image | None:
        """Return the part of an item that the index has; None if it does not have the item."""
        if image is None or any(name not in image for name in self.key_names):
            return None
        return image if self.reads_table else self.own_part(image)

    def own_part(self, image: Image) -> Image:
        """Return the attributes of an item that are in the index itself."""
        if self.projected is None:
            return image
        return {name: value for name, value in image.items() if name in self.projected}
