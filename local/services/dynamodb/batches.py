"""BatchGetItem and BatchWriteItem: many items in one call."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from local.services.dynamodb.capacity import Capacity, capacity_members, read_capacity
from local.services.dynamodb.item_writes import (
    Write,
    check_new_item,
    read_image,
)
from local.services.dynamodb.keys import (
    DUPLICATE_KEYS,
    Tables,
    check_key,
    find_table,
    moto_key,
    table_index,
)
from local.services.dynamodb.language.errors import Rejected
from local.services.dynamodb.language.expressions import Path
from local.services.dynamodb.language.projections import project
from local.services.dynamodb.language.request_expressions import RequestExpressions
from local.services.dynamodb.language.values import Image, image_size

Params = Mapping[str, Any]
BATCH_BYTES = 16 * 1024 * 1024
BATCH_KEYS = 100
PROJECTIONS = ("AttributesToGet", "ProjectionExpression")
BATCH_WRITES = 25


def batch_get_item(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to BatchGetItem; what exceeds 16 MB stays unprocessed."""
    requests = params["RequestItems"]
    if sum(len(request["Keys"]) for request in requests.values()) > BATCH_KEYS:
        raise Rejected("Too many items requested for the BatchGetItem call")
    _check_one_kind_of_projection(requests)
    projections = {name: parse_projection_of(request) for name, request in requests.items()}
    for name, request in requests.items():
        _check_batch_keys(tables, name, request["Keys"])
    responses: dict[str, list[Image]] = {name: [] for name in requests}
    unprocessed: dict[str, Any] = {}
    capacities: list[Capacity] = []
    total = 0
    for name, request in requests.items():
        table = find_table(tables, name)
        for key in request["Keys"]:
            image = read_image(table, moto_key(table, key))
            size = image_size(image or {})
            total += size
            if total > BATCH_BYTES:
                unprocessed.setdefault(name, {**request, "Keys": []})["Keys"].append(key)
                continue
            is_consistent = bool(request.get("ConsistentRead"))
            capacities.append(read_capacity(table.name, size, is_consistent=is_consistent))
            if image is not None:
                paths = projections[name]
                responses[name].append(image if paths is None else project(image, paths))
    members = capacity_members(params, capacities)
    return {"Responses": responses, "UnprocessedKeys": unprocessed, **members}


def _check_one_kind_of_projection(requests: Mapping[str, Params]) -> None:
    """Reject a batch that projects one table by today's parameter and another by the old one."""
    used = {name for request in requests.values() for name in PROJECTIONS if name in request}
    RequestExpressions(dict.fromkeys(used, ""))


def parse_projection_of(request: Params) -> list[Path] | None:
    """Return the projection of a batch's table or of a transaction's Get."""
    expressions = RequestExpressions(request)
    paths = expressions.projection()
    expressions.check_used()
    return paths


def _check_batch_keys(tables: Tables, name: str, keys: Sequence[Image]) -> None:
    table = find_table(tables, name)
    for key in keys:
        check_key(table, key)
    if len({json.dumps(key, sort_keys=True) for key in keys}) < len(keys):
        raise Rejected(DUPLICATE_KEYS)


def batch_write_item(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to BatchWriteItem."""
    requests = params["RequestItems"]
    if sum(map(len, requests.values())) > BATCH_WRITES:
        raise Rejected("Too many items requested for the BatchWriteItem call")
    writes = [
        _batch_write(tables, name, request)
        for name, table_requests in requests.items()
        for request in table_requests
    ]
    if len({write.target for write in writes}) < len(writes):
        raise Rejected(DUPLICATE_KEYS)
    for write in writes:
        write.apply()
    members = capacity_members(params, (write.capacity for write in writes))
    return {"UnprocessedItems": {}, **members}


def _batch_write(tables: Tables, name: str, request: Params) -> Write:
    table = find_table(tables, name)
    match request:
        case {"PutRequest": {"Item": dict(new)}}:
            names = table_index(table).key_names
            check_key(table, {name: new[name] for name in names if name in new})
            check_new_item(table, new)
            key = moto_key(table, new)
            return Write(table, key, read_image(table, key), new)
        case {"DeleteRequest": {"Key": dict(key_image)}}:
            check_key(table, key_image)
            key = moto_key(table, key_image)
            return Write(table, key, read_image(table, key), None)
    raise Rejected(
        "Supplied AttributeValue has more than one datatypes set, must contain exactly one of "
        "the supported datatypes"
    )
