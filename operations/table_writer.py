"""Table writer: puts items into a DynamoDB table, and retries each until DynamoDB accepts it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from tqdm import tqdm

from operations.rate_limit import RateLimit
from operations.table import Item, Table, TableThrottled, with_bytes
from setup.lib.backoff import backoff
from transform import parse_image

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import WriteRequestUnionTypeDef

MAX_BATCH_ITEMS = 25  # BatchWriteItem's limit
MAX_BATCH_CHARACTERS = 1024 * 1024  # escaped as JSON at most 12 MB; it accepts 16
RETRY_ATTEMPTS = 12  # with pauses of up to 10 s: about a minute


class TableWriter:
    """Puts items into a table, at most `rate` per second."""

    def __init__(self, table: Table, rate: float) -> None:
        self._table = table
        self._rate = RateLimit(rate)

    def write(self, images: Iterable[str], total: int) -> None:
        """Put the items with these images, `total` in number."""
        with tqdm(desc="write", unit=" items", total=total, disable=None) as bar:
            for batch in _split_into_batches(images, self._rate.batch_size(MAX_BATCH_ITEMS)):
                self._rate.wait(len(batch))
                self._put_until_accepted([typed_item(image) for image in batch])
                bar.update(len(batch))

    def _put_until_accepted(self, items: Sequence[Item]) -> None:
        """Put a batch, then what DynamoDB did not process, until it has accepted all."""
        pauses = backoff(0.1, 10.0, attempts=RETRY_ATTEMPTS)
        writes: Sequence[WriteRequestUnionTypeDef] = [
            {"PutRequest": {"Item": item}} for item in items
        ]
        while True:
            request = {self._table.name: writes}
            response = self._table.dynamodb.batch_write_item(RequestItems=request)
            rejected = response["UnprocessedItems"].get(self._table.name)
            if not rejected:
                return
            if len(rejected) < len(writes):
                pauses = backoff(0.1, 10.0, attempts=RETRY_ATTEMPTS)
            pause = next(pauses, None)
            if pause is None:
                raise TableThrottled(
                    f"table {self._table.name} is throttling writes: run it again later, or with a "
                    f"lower --rate"
                )
            time.sleep(pause)
            writes = rejected


def typed_item(image: str) -> Item:
    """Return the item with a canonical image, as boto3 expects it."""
    return {name: with_bytes(value) for name, value in parse_image(image).items()}


def _split_into_batches(images: Iterable[str], batch_size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for image in images:
        characters = len(image) + sum(map(len, batch))
        if batch and (len(batch) == batch_size or characters > MAX_BATCH_CHARACTERS):
            yield batch
            batch = []
        batch.append(image)
    if batch:
        yield batch
