"""The table's side: its items, read consistently, as pairs of canonical texts."""

import base64
import json
import time
from collections.abc import Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from transform import canonical, image

SEGMENTS = 4  # read in parallel; a page of each, of at most 1 MB, is in memory
BATCH = 100  # keys that BatchGetItem takes
PAUSES = tuple(min(0.05 * 2**attempt, 5.0) for attempt in range(12))  # about half a minute

Texts = tuple[str, str]  # an item's key, and the item
Key = dict[str, Any]  # a key as boto3 wants it


class Throttled(Exception):
    """The table withheld a part of what it was asked for, again and again."""


class NoSuchKey(Exception):
    """A text that was given as a key is no key of the table."""


@dataclass(frozen=True)
class Table:
    """A DynamoDB table; `key_types` names the attributes of its keys and their types."""

    dynamodb: Any
    name: str
    key_types: dict[str, str]

    @classmethod
    def described(cls, dynamodb: Any, name: str) -> "Table":
        """Return the table of that name."""
        table = dynamodb.describe_table(TableName=name)["Table"]
        defined = table["AttributeDefinitions"]
        types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in defined}
        names = [part["AttributeName"] for part in table["KeySchema"]]
        return cls(dynamodb, name, {name: types[name] for name in names})

    def items(self) -> Iterator[Texts]:
        """Return the key and the text of every item, in no order, by a parallel scan."""
        with ThreadPoolExecutor(SEGMENTS) as pool:
            reading = {pool.submit(self._page, segment): segment for segment in range(SEGMENTS)}
            while reading:
                read = wait(reading, return_when=FIRST_COMPLETED).done.pop()
                segment = reading.pop(read)
                texts, last = read.result()
                if last:
                    reading[pool.submit(self._page, segment, last)] = segment
                yield from texts

    def items_of(self, keys: Collection[str]) -> dict[str, str]:
        """Return, by key, the texts of those of at most 100 items that the table holds."""
        asked = [typed for key in keys if (typed := self.typed(key))]
        request = {self.name: {"Keys": asked, "ConsistentRead": True}} if asked else {}
        found: dict[str, str] = {}
        for pause in PAUSES:
            if not request:
                return found
            answer = self.dynamodb.batch_get_item(RequestItems=request)
            found.update(map(self._texts, answer["Responses"].get(self.name, ())))
            request = answer["UnprocessedKeys"]
            time.sleep(pause if request else 0)
        raise Throttled(f"table {self.name} is too busy to be read")

    def typed(self, key: str) -> Key | None:
        """Return a key as boto3 wants it, or None for a text that is no key of this table."""
        try:
            typed = image(key)
            if canonical(typed) != key:
                return None
        except (ValueError, RecursionError):
            return None
        types = {name: next(iter(value)) for name, value in typed.items()}
        return (
            {name: _raw(value) for name, value in typed.items()}
            if types == self.key_types
            else None
        )

    def checked(self, key: str) -> str:
        """Return a text that is a key of this table, and refuse another."""
        if self.typed(key) is None:
            form = json.dumps({name: {tag: "..."} for name, tag in self.key_types.items()})
            raise NoSuchKey(f"expected a key of table {self.name}, {form}; found {key}")
        return key

    def _page(self, segment: int, after: Key | None = None) -> tuple[list[Texts], Key | None]:
        """Return the texts of a segment's next page, and its last key where there are more."""
        page = self.dynamodb.scan(
            TableName=self.name,
            ConsistentRead=True,
            Segment=segment,
            TotalSegments=SEGMENTS,
            **({"ExclusiveStartKey": after} if after else {}),
        )
        return [self._texts(item) for item in page["Items"]], page.get("LastEvaluatedKey")

    def _texts(self, item: dict[str, Any]) -> Texts:
        return canonical({name: item[name] for name in self.key_types}), canonical(item)


def _raw(value: dict[str, str]) -> dict[str, Any]:
    """Return one value of a key with bytes as boto3 wants them."""
    return {"B": base64.b64decode(value["B"])} if "B" in value else value
