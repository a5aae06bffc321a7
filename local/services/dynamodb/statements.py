"""PartiQL: ExecuteStatement, BatchExecuteStatement and ExecuteTransaction."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from functools import partial
from typing import Any

from moto.dynamodb.models.table import Table

from local.core.request import AwsError
from local.services.dynamodb.capacity import (
    Capacity,
    capacity_member,
    capacity_members,
    read_capacity,
)
from local.services.dynamodb.item_writes import (
    Write,
    check_condition,
    check_new_item,
    read_image,
    returned_image,
    update_write,
)
from local.services.dynamodb.keys import (
    Tables,
    check_key,
    find_index,
    find_table,
    indexes_of,
    moto_key,
    table_index,
)
from local.services.dynamodb.language.conditions import holds
from local.services.dynamodb.language.errors import INVALID, Rejected
from local.services.dynamodb.language.expressions import Attribute, Call, Literal
from local.services.dynamodb.language.index import Index
from local.services.dynamodb.language.partiql import (
    Statement,
    column_name,
    equalities,
    parse_statement,
)
from local.services.dynamodb.language.values import Image, image_size, value_at
from local.services.dynamodb.reads import (
    Selection,
    covering_index,
    query_images,
    respond,
    scan_images,
)
from local.services.dynamodb.transactions import (
    REASON_CODES,
    Operation,
    Transactions,
    read_all,
    target_of,
)

Params = Mapping[str, Any]
MISSING_KEY = "Where clause does not contain a mandatory equality on all key attributes"
ERROR_CODES = {**REASON_CODES, "ResourceNotFoundException": "ResourceNotFound"}


def execute_statement(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to ExecuteStatement."""
    statement = _parse(params)
    if statement.kind == "SELECT":
        return _select(tables, statement, params)
    write = _prepare(tables, statement, params)
    write.apply()
    image = _returned(statement, write)
    return {"Items": [image] if image else [], **capacity_member(params, write.capacity)}


def _parse(params: Params) -> Statement:
    return parse_statement(params["Statement"], params.get("Parameters") or ())


def _select(tables: Tables, statement: Statement, params: Params) -> dict[str, Any]:
    table = find_table(tables, statement.table)
    index = _index(table, statement, params)
    required = equalities(statement.where)
    if index.hash_name in required and statement.where is not None:
        _check_filter(index, statement.where)
    index = covering_index(index, statement.paths or [])
    start = params.get("NextToken")
    order = {"ScanIndexForward": statement.order is None or statement.order[1]}
    page = {"ExclusiveStartKey": json.loads(b64decode(start))} if start else {}
    selection = Selection(table, index, statement.where, None, {**params, **order, **page})
    if index.hash_name in required:
        hash_value = Literal(required[index.hash_name])
        key_condition = Call("=", (Attribute((index.hash_name,)), hash_value))
        response = respond(selection, query_images(selection, [key_condition]))
    else:
        response = respond(selection, scan_images(selection))
    items = [_columns(statement, image) for image in response["Items"]]
    members = {name: response[name] for name in ("ConsumedCapacity",) if name in response}
    if "LastEvaluatedKey" in response:
        token = json.dumps(response["LastEvaluatedKey"])
        members["NextToken"] = b64encode(token.encode()).decode()
    return {"Items": items, **members}


def _index(table: Table, statement: Statement, params: Params) -> Index:
    names = [index.name for index in indexes_of(table)]
    if statement.index is not None and statement.index not in names:
        raise Rejected("The table does not have the specified index")
    index = find_index(table, statement.index)
    if index.is_global and params.get("ConsistentRead"):
        message = "Strongly consistent read is not supported on Global Secondary Indexes"
        raise Rejected(message)
    return index


def _check_filter(index: Index, where: Call) -> None:
    missing = index.lacks(where.attribute_names())
    if missing:
        raise Rejected(
            f"{INVALID}Secondary index {index.name} does not project one or more filter "
            f"attributes: [{', '.join(missing)}]"
        )


def _columns(statement: Statement, image: Image) -> Image:
    if statement.paths is None:
        return image
    values = {column_name(path): value_at(image, path) for path in statement.paths}
    return {name: value for name, value in values.items() if value is not None}


def _prepare(tables: Tables, statement: Statement, params: Params) -> Write:
    """Return the write of an INSERT, UPDATE or DELETE."""
    table = find_table(tables, statement.table)
    if statement.index is not None:
        raise Rejected("This operation is not supported on an index")
    key_image = _key_image(table, statement)
    if statement.item is not None:
        check_new_item(table, statement.item)
        key = moto_key(table, statement.item)
        if read_image(table, key) is not None:
            raise AwsError("DuplicateItemException", "Duplicate primary key exists in table")
        return Write(table, key, None, statement.item)
    check_key(table, key_image)
    if statement.kind == "UPDATE":
        return update_write(table, key_image, list(statement.actions), statement.where, params)
    key = moto_key(table, key_image)
    old = read_image(table, key)
    if old is not None:
        check_condition(statement.where, old, params)
    return Write(table, key, old, None)


def _key_image(table: Table, statement: Statement) -> Image:
    """Return the key that a statement names; a WHERE clause must require all of it."""
    required = equalities(statement.where) if statement.item is None else statement.item
    names = table_index(table).key_names
    if statement.item is None and any(name not in required for name in names):
        raise Rejected(MISSING_KEY)
    return {name: required[name] for name in names if name in required}


def _returned(statement: Statement, write: Write) -> Image | None:
    return returned_image(statement.returning, write, list(statement.actions))


def batch_execute_statement(tables: Tables, params: Params) -> dict[str, Any]:
    """Return the response to BatchExecuteStatement: each statement succeeds or fails alone."""
    capacities: list[Capacity] = []
    responses = [_batch_result(tables, member, capacities) for member in params["Statements"]]
    return {"Responses": responses, **capacity_members(params, capacities)}


def _batch_result(tables: Tables, params: Params, capacities: list[Capacity]) -> dict[str, Any]:
    named: dict[str, str] = {}
    try:
        statement = _parse(params)
        named["TableName"] = statement.table
        image, capacity = _execute_one(tables, statement, params)
        capacities.append(capacity)
    except (AwsError, Rejected) as error:
        code = ERROR_CODES[error.code]
        if code == "ValidationError":
            named = {}
        return {"Error": {"Code": code, "Message": error.message}, **named}
    return {**named, **({"Item": image} if image else {})}


def _execute_one(
    tables: Tables, statement: Statement, params: Params
) -> tuple[Image | None, Capacity]:
    if statement.kind != "SELECT":
        write = _prepare(tables, statement, params)
        write.apply()
        return _returned(statement, write), write.capacity
    table, key = _read_key(tables, statement, "BatchExecuteStatement")
    check_key(table, key)
    image = read_image(table, moto_key(table, key))
    is_consistent = bool(params.get("ConsistentRead"))
    capacity = read_capacity(table.name, image_size(image or {}), is_consistent=is_consistent)
    return _selected(statement, image), capacity


def _selected(statement: Statement, image: Image | None) -> Image | None:
    """Return what SELECT returns of the item under its key; None if it does not satisfy WHERE."""
    if image is None or statement.where is None or not holds(statement.where, image):
        return None
    return _columns(statement, image)


def _read_key(tables: Tables, statement: Statement, operation: str) -> tuple[Table, Image]:
    table = find_table(tables, statement.table)
    required = equalities(statement.where)
    names = table_index(table).key_names
    if statement.index is not None or any(name not in required for name in names):
        raise Rejected(
            f"Select statements within {operation} must specify the primary key in the where "
            "clause."
        )
    return table, {name: required[name] for name in names}


def execute_transaction(
    transactions: Transactions, tables: Tables, params: Params
) -> dict[str, Any]:
    """Return the response to ExecuteTransaction: only reads, or only writes."""
    statements = [_parse(member) for member in params["TransactStatements"]]
    for position, statement in enumerate(statements):
        _check_transaction_statement(position, statement)
    kinds = {statement.kind == "SELECT" for statement in statements}
    if len(kinds) > 1:
        raise Rejected(
            "ExecuteTransaction API does not support both read and write operations in the same "
            "request."
        )
    if kinds == {True}:
        keys = [_read_key(tables, statement, "ExecuteTransaction") for statement in statements]
        images, members = read_all(keys, params)
        chosen = [_selected(*pair) for pair in zip(statements, images, strict=True)]
        return {"Responses": [{"Item": image} if image else {} for image in chosen], **members}
    return {"Responses": [], **transactions.write(params, lambda: _operations(tables, params))}


def _check_transaction_statement(position: int, statement: Statement) -> None:
    problem = ""
    if statement.returning != "NONE":
        problem = "RETURNING clause is not supported in ExecuteTransaction."
    elif statement.index is not None:
        problem = "Reads on indices are not supported within transactions."
    if problem:
        raise Rejected(f"Validation failed in TransactStatements[{position}]: {problem}")


def _operations(tables: Tables, params: Params) -> list[Operation]:
    operations = []
    for member in params["TransactStatements"]:
        statement = _parse(member)
        table = find_table(tables, statement.table)
        target = target_of(table, _key_image(table, statement))
        operations.append(Operation(target, partial(_prepare, tables, statement, member)))
    return operations
