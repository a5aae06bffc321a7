"""The table's side: its items, read consistently, as pairs of canonical texts."""

import base64
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from transform import canonical, parse_image

SEGMENTS = 4  # read in parallel; a page of each, of at most 1 MB, is in memory
BATCH = 100  # keys that BatchGetItem takes
KEY_BYTES = (2048, 1024)  # of a partition key, a sort key: of another none of a batch is read
PAUSES = tuple(min(0.05 * 2**attempt, 5.0) for attempt in range(12))  # about half a minute

Texts = tuple[str, str]  # an item's key, and the item
Key = Item = dict[str, Any]  # as boto3 wants and gives them


class Throttled(Exception):
    """The table withheld a part of what it was asked for, again and again."""


class NoStream(Exception):
    """The table tells its changes to nobody."""


class NoSuchKey(Exception):
    """A text that was given as a key is no key of the table."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some items of a segment; after the last ones of it, `last` is None."""

    segment: int
    items: list[Any]
    last: Key | None
    read_at: datetime


@dataclass(frozen=True)
class Table:
    """A DynamoDB table.

    `key_types` names the attributes of its keys and their types, `stream` is the ARN under which
    it tells its changes, and `item_count` is some hours old.
    """

    dynamodb: Any
    name: str
    key_types: dict[str, str]
    arn: str
    stream: str | None
    item_count: int

    @classmethod
    def described(cls, dynamodb: Any, name: str) -> "Table":
        """Return the table of that name."""
        table = dynamodb.describe_table(TableName=name)["Table"]
        defined = table["AttributeDefinitions"]
        types = {attribute["AttributeName"]: attribute["AttributeType"] for attribute in defined}
        key_types = {
            part["AttributeName"]: types[part["AttributeName"]] for part in table["KeySchema"]
        }
        streams = table.get("StreamSpecification", {}).get("StreamEnabled")
        stream = table["LatestStreamArn"] if streams else None
        return cls(dynamodb, name, key_types, table["TableArn"], stream, table["ItemCount"])

    def checked_stream(self) -> str:
        """Return the ARN of its stream, and refuse a table without one."""
        if self.stream is None:
            raise NoStream(f"table {self.name} has no stream: run python setup/01_dynamodb.py")
        return self.stream

    def items(self) -> Iterator[Texts]:
        """Return the key and the text of every item, in no order, by a parallel scan."""
        for page in self.pages(dict.fromkeys(range(SEGMENTS)), SEGMENTS, shape=self._texts):
            yield from page.items

    def pages(
        self,
        starts: Mapping[int, Key | None],
        segments: int,
        most: int | None = None,
        shape: Callable[[Item], Any] = dict,
    ) -> Iterator[Page]:
        """Return the pages of some of the table's segments, each from after its key on.

        Each segment's come in order, its next one being read meanwhile; `most` items are in one.
        Each item has the `shape` that it was given when it came: an item as such takes much room.
        """
        with ThreadPoolExecutor(len(starts) or 1) as pool:

            def read(segment: int, after: Key | None) -> Future[Page]:
                scan = self._scan(segment, segments, after, most)
                return pool.submit(self._page, segment, scan, shape)

            reading = {read(segment, after) for segment, after in starts.items()}
            while reading:
                done = wait(reading, return_when=FIRST_COMPLETED).done.pop()
                reading.remove(done)
                page = done.result()
                if page.last:
                    reading.add(read(page.segment, page.last))
                yield page

    def items_of(self, keys: Collection[str]) -> dict[str, str]:
        """Return, by key, the texts of those of at most 100 items that the table holds."""
        asked = [typed for key in keys if (typed := self.typed(key))]
        request = {self.name: {"Keys": asked, "ConsistentRead": True}} if asked else {}
        found: dict[str, str] = {}
        pauses = iter(PAUSES)
        while request:
            answer = self.dynamodb.batch_get_item(RequestItems=request)
            found.update(map(self._texts, answer["Responses"].get(self.name, ())))
            if request := answer["UnprocessedKeys"]:
                if (pause := next(pauses, None)) is None:
                    raise Throttled(f"table {self.name} is too busy to be read: try again later")
                time.sleep(pause)
        return found

    def typed(self, key: str) -> Key | None:
        """Return a key as boto3 wants it, or None for a text that is no key of this table."""
        try:
            typed = parse_image(key)
            if canonical(typed) != key:
                return None
        except (ValueError, RecursionError):
            return None
        types = {name: next(iter(value)) for name, value in typed.items()}
        if types != self.key_types:
            return None
        raw = {name: _raw(value) for name, value in typed.items()}
        sizes = (_size(*raw[name].values()) for name in self.key_types)
        fits = all(0 < size <= most for size, most in zip(sizes, KEY_BYTES, strict=False))
        return raw if fits else None

    def checked(self, key: str) -> str:
        """Return a text that is a key of this table, and refuse another."""
        if self.typed(key) is None:
            form = json.dumps({name: {tag: "..."} for name, tag in self.key_types.items()})
            raise NoSuchKey(f"expected a key of table {self.name}, {form}; found {key}")
        return key

    def _scan(
        self, segment: int, segments: int, after: Key | None, most: int | None
    ) -> dict[str, Any]:
        """Return the request for a segment's next page."""
        asked = {"ExclusiveStartKey": after, "Limit": most}
        return {
            "TableName": self.name,
            "ConsistentRead": True,
            "Segment": segment,
            "TotalSegments": segments,
            **{name: value for name, value in asked.items() if value},
        }

    def _page(self, segment: int, scan: dict[str, Any], shape: Callable[[Item], Any]) -> Page:
        """Return the answer to a request."""
        read_at = datetime.now(timezone.utc)
        page = self.dynamodb.scan(**scan)
        shaped = [shape(item) for item in page["Items"]]
        return Page(segment, shaped, page.get("LastEvaluatedKey"), read_at)

    def key(self, item: Item) -> Key:
        """Return the key of an item."""
        return {name: item[name] for name in self.key_types}

    def _texts(self, item: Item) -> Texts:
        return canonical(self.key(item)), canonical(item)


def _size(content: str | bytes) -> int:
    """Return how many bytes a value has; 0 for a text that UTF-8 cannot hold."""
    try:
        return len(content.encode() if isinstance(content, str) else content)
    except UnicodeEncodeError:
        return 0


def _raw(value: dict[str, str]) -> dict[str, Any]:
    """Return one value of a key with bytes as boto3 wants them."""
    return {"B": base64.b64decode(value["B"])} if "B" in value else value
