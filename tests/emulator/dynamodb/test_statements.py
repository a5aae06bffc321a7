"""PartiQL: each statement does all that it says, in the table and in the stream, or nothing."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.laptop_cloud import error_of
from tests.support.orders_table import Orders


@pytest.fixture
def orders(orders: Orders) -> Orders:
    orders.put(n={"N": "1"}, greeting={"S": "hello"}, steps={"L": [{"N": "1"}, {"N": "2"}]})
    return orders


def run(orders: Orders, statement: str, *parameters: dict[str, Any], **params: Any) -> Any:
    """Execute a statement in which T stands for the table, and return its items."""
    if parameters:
        params["Parameters"] = list(parameters)
    text = statement.replace(" T", f' "{orders.name}"', 1)
    return orders.table.execute_statement(Statement=text, **params)["Items"]


def statements(orders: Orders, *texts: str) -> list[dict[str, str]]:
    return [{"Statement": text.replace(" T", f' "{orders.name}"', 1)} for text in texts]


WRITES = [
    (
        "INSERT INTO T VALUE {'id': 'two', 'n': 1.50, 's': <<'b', 'a'>>, 'm': {'x': [true, null]}}",
        "two",
        {
            "n": {"N": "1.5"},
            "s": {"SS": ["a", "b"]},
            "m": {"M": {"x": {"L": [{"BOOL": True}, {"NULL": True}]}}},
        },
    ),
    ("UPDATE T SET n = n + 1 REMOVE greeting WHERE id = 'one'", "one", {"n": {"N": "2"}}),
    ("UPDATE T SET steps[1] = 5 SET q = 'it''s' WHERE id = 'one' AND n = 1", "one", None),
    ("UPDATE T SET tags = set_add(tags, <<1, 2>>) WHERE id = 'one'", "one", None),
    ("DELETE FROM T WHERE id = 'one' AND begins_with(greeting, 'he')", "one", {}),
]


@pytest.mark.parametrize(("statement", "key", "attributes"), WRITES)
def test_write_changes_table_and_stream(
    orders: Orders, statement: str, key: str, attributes: dict[str, Any] | None
) -> None:
    before = orders.get(key)
    assert run(orders, statement) == []
    after = orders.get(key)
    change = orders.records()[-1]["dynamodb"]
    assert (change.get("OldImage", {}), change.get("NewImage", {})) == (before, after)
    assert before != after
    if attributes is not None:
        assert attributes.items() <= after.items()
        assert bool(after) == bool(attributes)


def test_parameters_are_values_of_any_type(orders: Orders) -> None:
    item: dict[str, Any] = {"n": {"N": "1.50"}, "tags": {"SS": ["b", "a"]}, "raw": {"B": b"\0"}}
    insert = "INSERT INTO T VALUE {'id': ?, 'n': ?, 'tags': ?, 'raw': ?}"
    run(orders, insert, {"S": "two"}, *item.values())
    expected = {"id": {"S": "two"}, **item, "n": {"N": "1.5"}, "tags": {"SS": ["a", "b"]}}
    assert orders.get("two") == expected
    assert run(orders, "SELECT * FROM T WHERE tags = ?", {"SS": ["a", "b"]}) == [expected]


@pytest.mark.parametrize(
    ("where", "is_found"),
    [
        ("id = 'one'", True),
        ("id = 'two'", False),
        ("n BETWEEN 0 AND 2 AND contains(greeting, 'ell')", True),
        ("n IN [1, 3] AND size(steps) = 2", True),
        ("n IN (3, 4)", False),
        ("NOT begins_with(greeting, 'he')", False),
        ("q IS MISSING AND n IS NOT MISSING", True),
        ("n IS NULL", False),
        ("steps = [1, 2]", True),
        ("steps != [1, 2] OR n <= 0", False),
    ],
)
def test_where_selects_items(orders: Orders, where: str, is_found: bool) -> None:
    expected = [orders.get()] if is_found else []
    assert run(orders, f"SELECT * FROM T WHERE {where}") == expected


def test_select_returns_paths_by_their_last_name(orders: Orders) -> None:
    items = run(orders, "SELECT n, steps[1], zz FROM T WHERE id = 'one'")
    assert items == [{"n": {"N": "1"}, "steps[1]": {"N": "2"}}]


def test_pages_of_a_select_cover_the_table(orders: Orders) -> None:
    orders.put("two")
    orders.put("three")
    text = f'SELECT id FROM "{orders.name}"'
    ids: set[str] = set()
    token: dict[str, str] = {}
    for _ in range(3):
        page = orders.table.execute_statement(Statement=text, Limit=1, **token)
        ids |= {item["id"]["S"] for item in page["Items"]}
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert ids == {"one", "two", "three"}


@pytest.mark.parametrize(
    ("returning", "expected"),
    [
        ("ALL OLD", {"n": {"N": "1"}, "q": None}),
        ("ALL NEW", {"n": {"N": "2"}, "q": {"N": "7"}}),
        ("MODIFIED OLD", {"n": {"N": "1"}, "id": None, "q": None}),
        ("MODIFIED NEW", {"n": {"N": "2"}, "id": None, "q": {"N": "7"}}),
    ],
)
def test_returning_chooses_the_image(
    orders: Orders, returning: str, expected: dict[str, Any]
) -> None:
    update = f"UPDATE T SET n = 2, q = 7 WHERE id = 'one' RETURNING {returning} *"
    (image,) = run(orders, update)
    assert {name: image.get(name) for name in expected} == expected


REJECTED = [
    ("SELEC * FROM T", "ValidationException", "Statement wasn't well formed"),
    ("SELECT * FROM T WHERE id = ?", "ValidationException", "Number of parameters"),
    ("SELECT count(*) FROM T", "ValidationException", "Statement wasn't well formed"),
    ("SELECT * FROM T LIMIT 1", "ValidationException", "Statement wasn't well formed"),
    ("SELECT * FROM T.zz WHERE id = 'one'", "ValidationException", "specified index"),
    ("SELECT * FROM nobody", "ResourceNotFoundException", "not found"),
    ("SELECT * FROM T WHERE n < true", "ValidationException", "operand type: BOOL"),
    ("INSERT INTO T VALUE {'id': 'one'}", "DuplicateItemException", "Duplicate primary key"),
    ("INSERT INTO T VALUE {'n': 1}", "ValidationException", "Missing the key id"),
    ("INSERT INTO T VALUE {'id': 'two', 'n': 1e999}", "ValidationException", "overflow"),
    ("UPDATE T SET n = 2 WHERE id = 'zz'", "ConditionalCheckFailedException", "conditional"),
    ("UPDATE T SET n = 2 WHERE id = 'one' AND n = 9", "ConditionalCheckFailedException", "cond"),
    ("UPDATE T SET n = 2 WHERE n = 1", "ValidationException", "mandatory equality on all key"),
    ("UPDATE T SET id = 'x' WHERE id = 'one'", "ValidationException", "part of the key"),
    ("UPDATE T SET zz.q = 1 WHERE id = 'one'", "ValidationException", "invalid for update"),
    ("DELETE FROM T WHERE id = 'one' AND n = 9", "ConditionalCheckFailedException", "cond"),
    ("SELECT * FROM T.zz WHERE id = 'one'", "ValidationException", "the specified index"),
    ("SELECT * FROM T.zz.yy WHERE id = 'one'", "ValidationException", "at most 2 components"),
    ('SELECT * FROM T."" WHERE n = 1', "ValidationException", "cannot be an empty string"),
    ("DELETE FROM T WHERE id = 'one' RETURNING ALL NEW *", "ValidationException", "ALL NEW"),
]


@pytest.mark.parametrize(("statement", "code", "message"), REJECTED)
def test_rejected_statement_changes_nothing(
    orders: Orders, statement: str, code: str, message: str
) -> None:
    before = orders.get()
    error_code, error_message = error_of(run, orders, statement)
    assert error_code == code
    assert message in error_message
    assert orders.get() == before
    assert orders.event_names() == ["INSERT"]


def test_parameters_must_all_be_used(orders: Orders) -> None:
    _, message = error_of(run, orders, "SELECT * FROM T WHERE id = ?", {"S": "a"}, {"S": "b"})
    assert message == "Number of parameters in request and statement don't match."


def test_delete_of_a_missing_item_does_nothing(orders: Orders) -> None:
    assert run(orders, "DELETE FROM T WHERE id = 'zz' AND n = 1") == []
    assert orders.event_names() == ["INSERT"]


def test_batch_statements_fail_one_by_one(orders: Orders) -> None:
    batch = statements(
        orders,
        "INSERT INTO T VALUE {'id': 'two'}",
        "INSERT INTO T VALUE {'id': 'one'}",
        "UPDATE T SET n = 7 WHERE id = 'one' RETURNING MODIFIED NEW *",
        "SELEC",
        "SELECT * FROM T WHERE n = 1",
        "SELECT * FROM T WHERE id = 'one' AND n = 1",
    )
    response = orders.table.batch_execute_statement(
        Statements=batch, ReturnConsumedCapacity="TOTAL"
    )
    responses = response["Responses"]
    codes = [response.get("Error", {}).get("Code") for response in responses]
    assert codes == [None, "DuplicateItem", None, "ValidationError", "ValidationError", None]
    assert "Item" not in responses[5]
    capacity = {"TableName": orders.name, "CapacityUnits": 1 + 1 + 0.5}
    assert response["ConsumedCapacity"] == [capacity]
    assert responses[2]["Item"] == {"n": {"N": "7"}}
    assert orders.event_names() == ["INSERT", "INSERT", "MODIFY"]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ("INSERT INTO T VALUE {'id': 'one'}", "DuplicateItem"),
        ("UPDATE T SET n = 6 WHERE id = 'zz'", "ConditionalCheckFailed"),
        ("UPDATE T SET n = zz + 1 WHERE id = 'one'", "ValidationError"),
    ],
)
def test_transaction_fails_as_a_whole(orders: Orders, second: str, reason: str) -> None:
    writes = statements(orders, "INSERT INTO T VALUE {'id': 'two'}", second)
    with pytest.raises(ClientError) as raised:
        orders.table.execute_transaction(TransactStatements=writes)
    response: Any = raised.value.response
    assert [entry["Code"] for entry in response["CancellationReasons"]] == ["None", reason]
    assert orders.get("two") == {}
    assert orders.event_names() == ["INSERT"]


def test_transaction_reads_or_writes_all(orders: Orders) -> None:
    writes = statements(
        orders, "INSERT INTO T VALUE {'id': 'two'}", "UPDATE T SET n = n + 1 WHERE id = 'one'"
    )
    for _ in range(2):  # The second call has the same token: it is not executed again.
        orders.table.execute_transaction(TransactStatements=writes, ClientRequestToken="once")
    assert orders.get()["n"] == {"N": "2"}
    reads = statements(
        orders, "SELECT n FROM T WHERE id = 'one'", "SELECT * FROM T WHERE id = 'two' AND n = 9"
    )
    response = orders.table.execute_transaction(
        TransactStatements=reads, ReturnConsumedCapacity="TOTAL"
    )
    assert response["Responses"] == [{"Item": {"n": {"N": "2"}}}, {}]
    assert response["ConsumedCapacity"][0]["CapacityUnits"] == 4
    code, message = error_of(
        orders.table.execute_transaction, TransactStatements=[*writes[:1], *reads]
    )
    assert (code, "both read and write" in message) == ("ValidationException", True)
