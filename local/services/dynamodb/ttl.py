"""Time to live: the items of a table that have expired."""

import re
from collections.abc import Iterator

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

from local.services.dynamodb.reads import all_items

MAX_AGE = 5 * 365.25 * 24 * 3600  # DynamoDB keeps items that expired more than 5 years ago.


def expired_items(table: Table, now: float) -> Iterator[Item]:
    """Yield the items whose TTL attribute is a number of seconds that has passed."""
    if table.ttl["TimeToLiveStatus"] != "ENABLED":
        return
    attribute = table.ttl.get("AttributeName", "")
    for item in all_items(table):
        value = item.attrs.get(attribute)
        if value is not None and value.type == "N" and _has_expired(value.value, now):
            yield item


def _has_expired(expiry: str, now: float) -> bool:
    """Return whether a time in whole seconds has passed, but at most five years ago."""
    if not re.fullmatch(r"\d{1,12}", expiry):
        return False
    return now - MAX_AGE <= int(expiry) < now
