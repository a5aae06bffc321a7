"""The DynamoDB table: consistent reads of its items, as pairs of canonical texts."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from setup.lib.backoff import backoff
from setup.lib.errors import UserError
from transform import canonical, parse_image

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient
    from types_boto3_dynamodb.type_defs import KeysAndAttributesUnionTypeDef, ScanInputTypeDef

SEGMENTS = 4  # read in parallel; one page of each, of at most 1 MB, is in memory
MAX_KEYS_PER_READ = 100  # BatchGetItem's limit
# DynamoDB's size limits of a partition key and a sort key; one oversized key fails its whole batch.
MAX_KEY_BYTES = (2048, 1024)
RETRY_ATTEMPTS = 12  # with pauses of up to 5 s: about half a minute

Item = dict[str, Any]  # typed attributes, as boto3 returns them: their shape is the user's
Key = dict[str, Any]  # the attributes of an item that make up its key
CanonicalItem = tuple[str, str]  # the canonical texts of an item's key and of the item
T = TypeVar("T")


class TableThrottled(UserError):
    """DynamoDB kept returning a part of the requested keys unprocessed."""


class StreamDisabled(UserError):
    """The table has no stream."""


class InvalidKey(UserError):
    """A text is not a key of the table."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a segment's items; `last_key` is None on the last page."""

    segment: int
    items: list[T]
    last_key: Key | None
    read_at: datetime


@dataclass(frozen=True)
class Table:
    """A DynamoDB table.

    `key_types` maps its key attributes to their types. `stream` is the ARN of its stream, or None.
    DynamoDB updates `item_count` every six hours; another server may not report it.
    """

    dynamodb: DynamoDBClient
    name: str
    key_types: dict[str, str]
    arn: str
    stream: str | None
    item_count: int | None

    @classmethod
    def describe(cls, dynamodb: DynamoDBClient, name: str) -> Table:
        """Return the table with that name."""
        table = dynamodb.describe_table(TableName=name)["Table"]
        attribute_types: dict[str, str] = {
            attribute["AttributeName"]: attribute["AttributeType"]
            for attribute in table["AttributeDefinitions"]
        }
        key_names = [element["AttributeName"] for element in table["KeySchema"]]
        has_stream = table.get("StreamSpecification", {}).get("StreamEnabled")
        return cls(
            dynamodb=dynamodb,
            name=name,
            key_types={key_name: attribute_types[key_name] for key_name in key_names},
            arn=table["TableArn"],
            stream=table["LatestStreamArn"] if has_stream else None,
            item_count=table.get("ItemCount"),
        )

    def require_stream(self) -> str:
        """Return the ARN of the table's stream; raise StreamDisabled if it has none."""
        if self.stream is None:
            raise StreamDisabled(
                f"table {self.name} has no stream: run python setup/01_dynamodb.py"
            )
        return self.stream

    def scan_items(self) -> Iterator[CanonicalItem]:
        """Yield every item, in no order, by a parallel scan."""
        start_keys: dict[int, Key | None] = dict.fromkeys(range(SEGMENTS))
        for page in self.scan_pages(start_keys, SEGMENTS, self._canonical_item):
            yield from page.items

    def scan_pages(
        self,
        start_keys: Mapping[int, Key | None],
        total_segments: int,
        convert: Callable[[Item], T],
        page_size: int | None = None,
    ) -> Iterator[Page[T]]:
        """Yield the pages of some of the table's segments, each from after its start key.

        A segment's pages come in order, and its next page is read meanwhile. Items are converted
        as soon as they are read: boto3's form of an item takes much memory.
        """
        with ThreadPoolExecutor(len(start_keys) or 1) as pool:

            def submit(segment: int, start_key: Key | None) -> Future[Page[T]]:
                request = self._scan_request(segment, total_segments, start_key, page_size)
                return pool.submit(self._read_page, segment, request, convert)

            pending = {submit(segment, start_key) for segment, start_key in start_keys.items()}
            while pending:
                future = wait(pending, return_when=FIRST_COMPLETED).done.pop()
                pending.remove(future)
                page = future.result()
                if page.last_key:
                    pending.add(submit(page.segment, page.last_key))
                yield page

    def get_items(self, keys: Collection[str], *, is_consistent: bool = True) -> dict[str, str]:
        """Return the items with the given keys, by key; missing items are left out.

        Reads that are not consistent cost half, and may return what was there a second ago.
        """
        parsed_keys = [parsed for key in keys if (parsed := self.parse_key(key))]
        items: dict[str, str] = {}
        for start in range(0, len(parsed_keys), MAX_KEYS_PER_READ):
            batch = parsed_keys[start : start + MAX_KEYS_PER_READ]
            items |= self._get_batch(batch, is_consistent)
        return items

    def _get_batch(self, parsed_keys: list[Key], is_consistent: bool) -> dict[str, str]:
        request: Mapping[str, KeysAndAttributesUnionTypeDef] = {
            self.name: {"Keys": parsed_keys, "ConsistentRead": is_consistent}
        }
        items: dict[str, str] = {}
        pauses = backoff(0.05, 5.0, attempts=RETRY_ATTEMPTS)
        while request:
            response = self.dynamodb.batch_get_item(RequestItems=request)
            items.update(map(self._canonical_item, response["Responses"].get(self.name, ())))
            request = response["UnprocessedKeys"]
            if request:
                pause = next(pauses, None)
                if pause is None:
                    raise TableThrottled(f"table {self.name} is throttling reads: try again later")
                time.sleep(pause)
        return items

    def parse_key(self, key: str) -> Key | None:
        """Return a canonical key as boto3 expects it, or None if it is not a key of this table."""
        try:
            parsed = parse_image(key)
            if canonical(parsed) != key:
                return None
        except (ValueError, RecursionError):
            return None
        types = {name: next(iter(value)) for name, value in parsed.items()}
        if types != self.key_types:
            return None
        decoded = {name: with_bytes(value) for name, value in parsed.items()}
        sizes = [_byte_length(*decoded[name].values()) for name in self.key_types]
        limits = zip(sizes, MAX_KEY_BYTES, strict=False)
        return decoded if all(0 < size <= limit for size, limit in limits) else None

    def require_key(self, key: str) -> str:
        """Return a text that is a key of this table; raise InvalidKey if it is not."""
        if self.parse_key(key) is None:
            example = json.dumps({name: {tag: "..."} for name, tag in self.key_types.items()})
            raise InvalidKey(f"expected a key of table {self.name}, {example}; found {key}")
        return key

    def key_of(self, item: Item) -> Key:
        """Return the key of an item."""
        return {name: item[name] for name in self.key_types}

    def _scan_request(
        self, segment: int, total_segments: int, start_key: Key | None, page_size: int | None
    ) -> ScanInputTypeDef:
        request: ScanInputTypeDef = {
            "TableName": self.name,
            "ConsistentRead": True,
            "Segment": segment,
            "TotalSegments": total_segments,
        }
        if start_key:
            request["ExclusiveStartKey"] = start_key
        if page_size:
            request["Limit"] = page_size
        return request

    def _read_page(
        self, segment: int, request: ScanInputTypeDef, convert: Callable[[Item], T]
    ) -> Page[T]:
        read_at = datetime.now(UTC)
        response = self.dynamodb.scan(**request)
        items = [convert(item) for item in response["Items"]]
        return Page(segment, items, response.get("LastEvaluatedKey"), read_at)

    def _canonical_item(self, item: Item) -> CanonicalItem:
        return canonical(self.key_of(item)), canonical(item)


def _byte_length(content: str | bytes) -> int:
    """Return the number of bytes of a value; 0 for a text that UTF-8 cannot encode."""
    try:
        return len(content.encode() if isinstance(content, str) else content)
    except UnicodeEncodeError:
        return 0


def with_bytes(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a typed value with base64 decoded to bytes, as boto3 expects it."""
    [(tag, content)] = value.items()
    if tag == "B":
        return {tag: base64.b64decode(content)}
    if tag == "BS":
        return {tag: [base64.b64decode(text) for text in content]}
    if tag == "L":
        return {tag: [with_bytes(element) for element in content]}
    if tag == "M":
        return {tag: {name: with_bytes(member) for name, member in content.items()}}
    return {tag: content}
