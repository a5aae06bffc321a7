"""Descriptions of the listed differences: where the images or columns of a key first differ."""

from __future__ import annotations

from itertools import islice

from operations import lake
from operations.lake import LakeItem
from operations.table import MAX_KEYS_PER_READ
from operations.verify.diff import (
    COLUMNS,
    DIFFERENT,
    UNSETTLED,
    Difference,
    first_column_difference,
    first_difference,
)
from operations.verify.result import VerifyResult
from operations.verify.table_digests import TableDigests, TableItem
from setup import names
from transform import flattened, parse_image


def describe_differences(result: VerifyResult, table: TableDigests) -> None:
    """Add to a result the first difference of its listed keys, of at most one query's keys."""
    listed = [key for kind in (DIFFERENT, COLUMNS, UNSETTLED) for key in result.keys[kind]]
    keys = listed[: lake.MAX_KEYS_IN_QUERY]
    lake_items = (
        lake.fetch_items(table.columns, keys, result.source.refreshed()) if keys else iter(())
    )
    while batch := list(islice(lake_items, MAX_KEYS_PER_READ)):
        items = table.get_items([lake_item.key for lake_item in batch])
        for lake_item in batch:
            difference = _difference(items.get(lake_item.key), lake_item)
            if difference:
                result.differences[lake_item.key] = difference


def _difference(item: TableItem | None, lake_item: LakeItem) -> Difference | None:
    if item is None or lake_item.image is None:
        return None
    if item.image != lake_item.image:
        return first_difference(item.image, lake_item.image)
    columns = flattened(parse_image(item.image), names.JSON_PATHS)
    return first_column_difference(columns, lake_item.columns)
