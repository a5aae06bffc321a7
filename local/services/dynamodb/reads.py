"""GetItem, Query and Scan: the items of a table or index, page by page.

Items are scanned in the order of a hash of their key, as in DynamoDB.
"""

import hashlib
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table

from local.services.dynamodb.capacity import Capacity, capacity_member, read_capacity, read_units
from local.services.dynamodb.item_image import item_image, to_moto
from local.services.dynamodb.item_writes import read_image
from local.services.dynamodb.keys import (
    Tables,
    check_key,
    find_index,
    find_table,
    key_types,
    moto_key,
)
from local.services.dynamodb.language.conditions import holds
from local.services.dynamodb.language.errors import INVALID, ONE_ERROR, Rejected
from local.services.dynamodb.language.expressions import Call, Path
from local.services.dynamodb.language.index import Index
from local.services.dynamodb.language.key_conditions import parse_key_conditions
from local.services.dynamodb.language.projections import project
from local.services.dynamodb.language.request_expressions import RequestExpressions
from local.services.dynamodb.language.values import Image, image_size, sort_key, type_of

PAGE_BYTES = 1024 * 1024
HASH_SPACE = 2**128
Params = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """What Query and Scan read, and what they return of it."""

    table: Table
    index: Index
    filter: Call | None
    paths: list[Path] | None
    params: Params


def get_item(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to GetItem."""
    expressions = RequestExpressions(params)
    paths = expressions.projection()
    expressions.check_used()
    table = find_table(tables, params["TableName"])
    check_key(table, params["Key"])
    image = read_image(table, moto_key(table, params["Key"]))
    is_consistent = bool(params.get("ConsistentRead"))
    capacity = read_capacity(table.name, image_size(image or {}), is_consistent=is_consistent)
    response = capacity_member(params, capacity)
    if image is not None:
        response["Item"] = image if paths is None else project(image, paths)
    return response


def scan(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to Scan."""
    _check_segments(params)
    expressions = RequestExpressions(params)
    condition = expressions.condition("FilterExpression", "ScanFilter")
    selection = _selection(tables, params, expressions, condition)
    return respond(selection, scan_images(selection))


def scan_images(selection: Selection) -> Iterator[Image]:
    """Yield the items of a segment of an index, in the order of their hash."""
    start = selection.params.get("ExclusiveStartKey")
    if start is not None:
        _check_start_key(selection, start)
    start_position = -1 if start is None else _position_of(selection.table, start)
    candidates = [
        (position, item)
        for item in all_items(selection.table)
        if (position := item_position(item)) > start_position
        and _is_in_segment(position, selection.params)
    ]
    candidates.sort(key=lambda pair: pair[0])
    images = (selection.index.view(item_image(item)) for _, item in candidates)
    return (image for image in images if image is not None)


def query(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to Query."""
    expressions = RequestExpressions(params)
    conditions = parse_key_conditions(expressions, params)
    condition = expressions.condition("FilterExpression", "QueryFilter")
    selection = _selection(tables, params, expressions, condition)
    conditions.check(selection.index, key_types(selection.table))
    _check_filter(condition, selection.index)
    return respond(selection, query_images(selection, conditions.calls))


def query_images(selection: Selection, conditions: Sequence[Call]) -> Iterator[Image]:
    """Yield the items of an index that satisfy key conditions, in the order of its range key."""
    params = selection.params
    images = (selection.index.view(item_image(item)) for item in _partition(selection, conditions))
    matching = [
        image
        for image in images
        if image is not None and all(holds(condition, image) for condition in conditions)
    ]
    is_forward = params.get("ScanIndexForward") is not False
    matching.sort(key=lambda image: _order_of(selection, image), reverse=not is_forward)
    start = params.get("ExclusiveStartKey")
    if start is None:
        return iter(matching)
    _check_start_key(selection, start)
    if not all(holds(condition, start) for condition in conditions):
        raise Rejected(
            "The provided starting key is outside query boundaries based on provided conditions"
        )
    position = _order_of(selection, start)
    is_after = operator.gt if is_forward else operator.lt
    return (image for image in matching if is_after(_order_of(selection, image), position))


def _partition(selection: Selection, conditions: Sequence[Call]) -> Iterator[Item]:
    """Yield the items with a query's hash key; those of an index are among all items."""
    table, index = selection.table, selection.index
    if index.name:
        yield from all_items(table)
        return
    calls = {call.attribute_names()[0]: call for call in conditions}
    (hash_value,) = calls[index.hash_name].literals()
    items: dict[Any, Any] = table.items
    partition = items.get(to_moto(hash_value))
    if index.range_name is not None:
        yield from (partition or {}).values()
    elif partition is not None:
        yield partition


def _order_of(selection: Selection, image: Image) -> tuple[Any, int]:
    range_name = selection.index.range_name
    range_order = sort_key(image[range_name]) if range_name is not None else 0
    return range_order, _position_of(selection.table, image)


def _selection(
    tables: Tables, params: Params, expressions: RequestExpressions, condition: Call | None
) -> Selection:
    paths = expressions.projection()
    _check_select(params)
    expressions.check_used()
    table = find_table(tables, params["TableName"])
    index = find_index(table, params.get("IndexName"))
    if index.is_global and params.get("ConsistentRead"):
        raise Rejected("Consistent reads are not supported on global secondary indexes")
    index = covering_index(index, paths or [])
    if params.get("Select") == "ALL_ATTRIBUTES" and index.projected is not None:
        index = _whole_items(index)
    return Selection(table, index, condition, paths, params)


def covering_index(index: Index, paths: Sequence[Path]) -> Index:
    """Return an index that has what these paths name; a local one reads it from the table."""
    missing = index.lacks(str(path[0]) for path in paths)
    if not missing:
        return index
    if index.is_global:
        raise Rejected(
            f"{INVALID}Global secondary index {index.name} does not project [{', '.join(missing)}]"
        )
    return _whole_items(index)


def _whole_items(index: Index) -> Index:
    """Return a local index that reads whole items from the table; a global one cannot."""
    if index.is_global:
        raise Rejected(
            f"{INVALID}Select type ALL_ATTRIBUTES is not supported for global secondary index "
            f"{index.name} because its projection type is not ALL"
        )
    return replace(index, reads_table=True)


def _check_select(params: Params) -> None:
    select = params.get("Select")
    named = [name for name in ("AttributesToGet", "ProjectionExpression") if name in params]
    if select is None or (select == "SPECIFIC_ATTRIBUTES" and named):
        return
    if select == "SPECIFIC_ATTRIBUTES":
        problem = (
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get "
            "SPECIFIC_ATTRIBUTES"
        )
    elif named:
        chosen = "only the Count" if select == "COUNT" else select
        problem = f"Cannot specify the {named[0]} when choosing to get {chosen}"
    elif select == "ALL_PROJECTED_ATTRIBUTES" and "IndexName" not in params:
        problem = "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName"
    else:
        return
    raise Rejected(f"{ONE_ERROR}{problem}")


def _check_filter(condition: Call | None, index: Index) -> None:
    for name in condition.attribute_names() if condition is not None else ():
        if name in index.key_names:
            raise Rejected(
                "Filter Expression can only contain non-primary key attributes: "
                f"Primary key attribute: {name}"
            )


def _check_segments(params: Params) -> None:
    given = [name for name in ("Segment", "TotalSegments") if name in params]
    if len(given) == 1:
        (missing,) = {"Segment", "TotalSegments"} - set(given)
        when = f"{given[0]} parameter is present"
        if given[0] == "TotalSegments":
            when = "parameter TotalSegments is present"
        raise Rejected(
            f"The {missing} parameter is required but was not present in the request when {when}"
        )
    if given and params["Segment"] >= params["TotalSegments"]:
        raise Rejected(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments"
        )


def _check_start_key(selection: Selection, start: Image) -> None:
    types = key_types(selection.table)
    expected = {name: types[name] for name in selection.index.start_names}
    if {name: type_of(value) for name, value in start.items()} != expected:
        raise Rejected("The provided starting key is invalid")


def respond(selection: Selection, candidates: Iterable[Image]) -> dict[str, Any]:
    """Return the response to Query or Scan on these items."""
    params = selection.params
    page, size, has_more = take_page(candidates, params.get("Limit"))
    chosen = [image for image in page if selection.filter is None or holds(selection.filter, image)]
    response: dict[str, Any] = {"Count": len(chosen), "ScannedCount": len(page)}
    if params.get("Select") != "COUNT":
        paths = selection.paths
        response["Items"] = chosen if paths is None else [project(image, paths) for image in chosen]
    if has_more:
        names = selection.index.start_names
        response["LastEvaluatedKey"] = {name: page[-1][name] for name in names}
    return {**response, **capacity_member(params, _page_capacity(selection, page, size))}


def _page_capacity(selection: Selection, page: Sequence[Image], size: int) -> Capacity:
    """Return the capacity of reading a page; each item read from the table is one more read."""
    index = selection.index
    is_consistent = bool(selection.params.get("ConsistentRead"))
    if index.reads_table:
        size = sum(image_size(index.own_part(image)) for image in page)
    capacity = read_capacity(selection.table.name, size, is_consistent=is_consistent, index=index)
    if index.reads_table:
        units = (read_units(image_size(image), is_consistent=is_consistent) for image in page)
        capacity.table += sum(units)
    return capacity


def take_page(candidates: Iterable[Image], limit: int | None) -> tuple[list[Image], int, bool]:
    """Return the items that fit into one page, their size, and whether a next page exists.

    A page that ends at the limit has a next page, although that may be empty.
    """
    page: list[Image] = []
    size = 0
    for image in candidates:
        page.append(image)
        size += image_size(image)
        if size >= PAGE_BYTES or len(page) == limit:
            return page, size, True
    return page, size, False


def _is_in_segment(position: int, params: Params) -> bool:
    segment = params.get("Segment", 0)
    total_segments = params.get("TotalSegments", 1)
    return bool(position * total_segments // HASH_SPACE == segment)


def all_items(table: Table) -> Iterator[Item]:
    """Yield every item of a table."""
    # With a range key, moto maps each hash key to a dictionary of items.
    items: dict[Any, Any] = table.items
    for item in items.values():
        if table.range_key_attr is None:
            yield item
        else:
            yield from item.values()


def item_position(item: Item) -> int:
    """Return the hash of an item's key, which orders the items of a table."""
    keys = [item.hash_key] if item.range_key is None else [item.hash_key, item.range_key]
    return _position(*(str({key.type: key.value}) for key in keys))


def _position_of(table: Table, image: Mapping[str, Any]) -> int:
    keys = [key for key in moto_key(table, image) if key is not None]
    return _position(*(str({key.type: key.value}) for key in keys))


@lru_cache(maxsize=200_000)
def _position(*keys: str) -> int:
    digest = hashlib.md5("\0".join(keys).encode(), usedforsecurity=False)
    return int.from_bytes(digest.digest(), "big")
