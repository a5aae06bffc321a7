"""Which items of a table have outlived their time to live."""

import re
from collections.abc import Iterator

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

from local.services.dynamodb.reads import items

OLDEST = 5 * 365.25 * 24 * 3600  # DynamoDB spares items that expired more than 5 years ago.


def expired_items(table: Table, now: float) -> Iterator[Item]:
    """Yield the items whose TTL attribute is a number of seconds that has passed."""
    name = table.ttl.get("AttributeName", "")
    if table.ttl["TimeToLiveStatus"] != "ENABLED":
        return
    for item in items(table):
        value = item.attrs.get(name)
        if value is not None and value.type == "N" and _is_over(value.value, now):
            yield item


def _is_over(second: str, now: float) -> bool:
    """Return whether a time in whole seconds has passed, though not too long ago."""
    return bool(re.fullmatch(r"\d{1,12}", second)) and now - OLDEST <= int(second) < now
