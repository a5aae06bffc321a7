"""Requests of any form: answered as by DynamoDB, or rejected in its words, never with a 500."""

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from local.core.server import Cloud
from local.services.dynamodb.service import ITEM_OPERATIONS, DynamoDb
from tests.support.laptop_cloud import aws, create_table, error_of, laptop, message_of

INFREQUENT = "STANDARD_INFREQUENT_ACCESS"
KEY = {"pk": {"S": "a"}, "sk": {"S": "1"}}


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    with laptop(DynamoDb) as cloud:
        create_table(aws("dynamodb"), "simple", {"id": "S"})
        aws("dynamodb").create_table(
            TableName="indexed",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=index("", "pk", "sk")["KeySchema"],
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", "gk", "lk")
            ],
            GlobalSecondaryIndexes=[index("global", "gk", NonKeyAttributes=["n"])],
            LocalSecondaryIndexes=[
                index("local", "pk", "lk"),
                index("narrow", "pk", "lk", NonKeyAttributes=["n"]),
            ],
        )
        yield cloud


def index(name: str, *keys: str, **projection: list[str]) -> dict[str, Any]:
    schema = [
        {"AttributeName": key, "KeyType": kind}
        for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
    ]
    kind = "INCLUDE" if projection else "ALL"
    return {
        "IndexName": name,
        "KeySchema": schema,
        "Projection": {"ProjectionType": kind, **projection},
    }


@pytest.fixture
def dynamodb(cloud: Cloud) -> Any:
    """Return a client that sends what boto3 would reject."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1})
    client: Any = boto3.client("dynamodb", config=config)
    client.meta.events.register("before-send", cloud.send_in_process)
    return client


def call(dynamodb: Any, operation: str, **params: Any) -> Any:
    return dynamodb._make_api_call(operation, params)


ITEM_CALLS: dict[str, dict[str, Any]] = {
    "GetItem": {"Key": KEY},
    "PutItem": {"Item": KEY},
    "UpdateItem": {"Key": KEY},
    "DeleteItem": {"Key": KEY},
    "Scan": {},
    "CreateTable": {
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
        "BillingMode": "PAY_PER_REQUEST",
    },
}


@pytest.mark.parametrize("operation", ITEM_CALLS)
@pytest.mark.parametrize(
    ("name", "constraint"),
    [
        ("ab", "Value 'ab' at 'tableName' .* greater than or equal to 3"),
        ("a" * 256, "less than or equal to 255"),
        ("two words", r"pattern: \[a-zA-Z0-9_.-\]\+"),
        (None, "'tableName' .* must not be null|'TableName' is required"),
    ],
)
def test_table_name_is_checked(
    dynamodb: Any, operation: str, name: str | None, constraint: str
) -> None:
    named = {} if name is None else {"TableName": name}
    with pytest.raises(ClientError, match=constraint):
        call(dynamodb, operation, **ITEM_CALLS[operation], **named)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 101) | st.sampled_from(["", "id", "simple", ":v"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["S", "N", "M", "id", "simple", "Keys", "Get", "TableName"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=6,
)
MEMBERS = [
    "TableName",
    "Key",
    "Item",
    "RequestItems",
    "TransactItems",
    "Statement",
    "Statements",
    "Parameters",
    "Limit",
    "Select",
    "KeyConditionExpression",
    "FilterExpression",
    "ProjectionExpression",
    "UpdateExpression",
    "AttributesToGet",
    "ExpressionAttributeValues",
    "ExpressionAttributeNames",
    "Expected",
    "ExclusiveStartKey",
    "Segment",
]


@given(
    st.sampled_from(sorted(ITEM_OPERATIONS)),
    st.dictionaries(st.sampled_from(MEMBERS), anything, max_size=4),
)
@settings(max_examples=75)
def test_no_request_is_an_internal_failure(
    cloud: Cloud, operation: str, params: dict[str, Any]
) -> None:
    request = {"TableName": "simple", **params}
    headers = {
        "X-Amz-Target": f"DynamoDB_20120810.{operation}",
        "Authorization": "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/dynamodb/aws4_request",
    }
    response = send(cloud, headers, request)
    assert response.status_code in (200, 400), response.text
    assert "json" in response.headers["Content-Type"]


def send(cloud: Cloud, headers: dict[str, str], request: dict[str, Any]) -> Any:
    return Client(cloud._respond).post("/", base_url=cloud.endpoint, headers=headers, json=request)


def test_attributes_to_get_select_attributes(dynamodb: Any) -> None:
    item = {"id": {"S": "one"}, "n": {"N": "1"}, "l": {"L": [{"M": {"x": {"N": "2"}}}]}}
    dynamodb.put_item(TableName="simple", Item=item)
    key = {"id": {"S": "one"}}
    legacy = dynamodb.get_item(TableName="simple", Key=key, AttributesToGet=["n", "zz"])
    assert legacy["Item"] == {"n": {"N": "1"}}
    nested = dynamodb.get_item(
        TableName="simple",
        Key=key,
        ProjectionExpression="#l[0]",
        ExpressionAttributeNames={"#l": "l"},
    )
    assert nested["Item"] == {"l": item["l"]}
    nothing = dynamodb.get_item(TableName="simple", Key=key, ProjectionExpression="zz")
    assert nothing["Item"] == {}


@pytest.mark.parametrize("count", [100, 101])
def test_transactions_have_at_most_100_items(dynamodb: Any, count: int) -> None:
    keys = [{"id": {"S": f"many-{number}"}} for number in range(count)]
    reads = [{"Get": {"TableName": "simple", "Key": key}} for key in keys]
    writes = [{"Put": {"TableName": "simple", "Item": key}} for key in keys]
    for operation, items in (("TransactGetItems", reads), ("TransactWriteItems", writes)):
        if count > 100:
            message = message_of(call, dynamodb, operation, TransactItems=items)
            assert "Member must have length less than or equal to 100" in message
        else:
            call(dynamodb, operation, TransactItems=items)


def test_expressions_are_parsed_before_tables_are_read(dynamodb: Any) -> None:
    missing = {"Put": {"TableName": "nobody", "Item": KEY}}
    check = {"TableName": "indexed", "Key": KEY, "ConditionExpression": "size("}
    items = [missing, {"ConditionCheck": check}]
    message = message_of(dynamodb.transact_write_items, TransactItems=items)
    assert message.startswith("Invalid ConditionExpression: Syntax error")


def test_repeated_token_is_not_executed_again(cloud: Cloud, dynamodb: Any) -> None:
    key = {"id": {"S": f"token-{time.monotonic_ns()}"}}
    update = {
        "TableName": "simple",
        "Key": key,
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    request = {"TransactItems": [{"Update": update}], "ClientRequestToken": key["id"]["S"]}

    def number() -> str:
        value: str = dynamodb.get_item(TableName="simple", Key=key)["Item"]["n"]["N"]
        return value

    dynamodb.transact_write_items(**request)
    dynamodb.transact_write_items(**request)
    assert number() == "1"
    other = {"Update": {**update, "UpdateExpression": "ADD m :one"}}
    code, _ = error_of(dynamodb.transact_write_items, **{**request, "TransactItems": [other]})
    assert code == "IdempotentParameterMismatchException"
    cloud.clock.advance(10 * 60 + 1)
    dynamodb.transact_write_items(**request)
    assert number() == "2"


def test_size_of_a_binary_filters_items(dynamodb: Any) -> None:
    dynamodb.put_item(TableName="simple", Item={"id": {"S": "raw"}, "raw0": {"B": b"123"}})
    response = dynamodb.scan(
        TableName="simple",
        FilterExpression="size(raw0) = :n",
        ExpressionAttributeValues={":n": {"N": "3"}},
    )
    assert [item["id"]["S"] for item in response["Items"]] == ["raw"]


def test_index_has_its_keys_and_projection(dynamodb: Any) -> None:
    for number in range(3):
        item = {"pk": {"S": "a"}, "sk": {"S": str(number)}, "gk": {"S": "g"}, "n": {"N": "1"}}
        dynamodb.put_item(TableName="indexed", Item={**item, "lk": {"S": str(9 - number)}})
    dynamodb.put_item(TableName="indexed", Item={"pk": {"S": "a"}, "sk": {"S": "sparse"}})
    values = {":v": {"S": "g"}}
    page = dynamodb.query(
        TableName="indexed",
        IndexName="global",
        KeyConditionExpression="gk = :v",
        ExpressionAttributeValues=values,
        Limit=2,
        ReturnConsumedCapacity="INDEXES",
    )
    assert [set(item) for item in page["Items"]] == [{"pk", "sk", "gk", "n"}] * 2
    assert set(page["LastEvaluatedKey"]) == {"pk", "sk", "gk"}
    capacity = page["ConsumedCapacity"]
    assert capacity["GlobalSecondaryIndexes"] == {"global": {"CapacityUnits": 0.5}}
    rest = dynamodb.query(
        TableName="indexed",
        IndexName="global",
        KeyConditionExpression="gk = :v",
        ExpressionAttributeValues=values,
        ExclusiveStartKey=page["LastEvaluatedKey"],
    )
    assert rest["Count"] == 1
    ordered = dynamodb.query(
        TableName="indexed",
        IndexName="local",
        KeyConditionExpression=":v = pk AND begins_with(lk, :any)",
        ExpressionAttributeValues={":v": {"S": "a"}, ":any": {"S": ""}},
    )
    assert [item["lk"]["S"] for item in ordered["Items"]] == ["7", "8", "9"]


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        (
            "Scan",
            {"IndexName": "global", "ProjectionExpression": "n, zz"},
            r"Global secondary index global does not project \[zz\]",
        ),
        ("Query", {}, "Either the KeyConditions or KeyConditionExpression parameter"),
        ("Query", {"KeyConditionExpression": "sk = :v"}, "missed key schema element: pk"),
        ("Query", {"KeyConditionExpression": "pk > :v"}, "Query key condition not supported"),
        ("Query", {"KeyConditionExpression": "pk.x = :v"}, "conditions on nested attributes"),
        (
            "Query",
            {"KeyConditionExpression": "pk = :v", "FilterExpression": "sk = :v"},
            "Primary key attribute: sk",
        ),
        ("Scan", {"Limit": 0}, "Value at 'Limit' .* greater than or equal to 1"),
        ("Scan", {"Select": "ALL"}, r"enum value set: \[SPECIFIC_ATTRIBUTES, COUNT"),
        ("Scan", {"Segment": 1}, "TotalSegments parameter is required"),
        ("Scan", {"Segment": 4, "TotalSegments": 4}, "must be less than parameter TotalSegments"),
        ("Scan", {"IndexName": "zzz"}, "does not have the specified index: zzz"),
        ("Scan", {"IndexName": "global", "ConsistentRead": True}, "Consistent reads are not"),
        ("Scan", {"ExclusiveStartKey": {"pk": {"S": "a"}}}, "starting key is invalid"),
        ("PutItem", {"Item": {**KEY, "gk": {"S": ""}}}, "IndexName: global, IndexKey: gk"),
        ("PutItem", {"Item": {**KEY, "gk": {"N": "1"}}}, "Type mismatch for Index Key gk"),
        ("PutItem", {"Item": {"pk": {"S": "a"}}}, "Missing the key sk in the item"),
        ("PutItem", {"Item": {**KEY, "pk": {"S": "x" * 2049}}}, "size limit of2048 bytes"),
        ("PutItem", {"Item": KEY, "ReturnValues": "ALL_NEW"}, "can only be ALL_OLD or NONE"),
        ("UpdateTable", {"BillingMode": "SOME"}, "enum value set"),
    ],
)
def test_invalid_request_is_rejected(
    dynamodb: Any, operation: str, params: dict[str, Any], message: str
) -> None:
    if ":v" in str(params):
        params = {**params, "ExpressionAttributeValues": {":v": {"S": "a"}}}
    with pytest.raises(ClientError, match=f"ValidationException.*{message}"):
        call(dynamodb, operation, TableName="indexed", **params)


ONE = "1 validation error detected: "
CONSTRAINT = "failed to satisfy constraint: Member must have"


@pytest.mark.parametrize(
    ("operation", "prefix"), [("PutItem", ONE), ("DeleteItem", ONE), ("GetItem", "")]
)
def test_single_writes_envelope_their_errors(dynamodb: Any, operation: str, prefix: str) -> None:
    params = {**ITEM_CALLS[operation], "ExpressionAttributeNames": {"#n": "n"}}
    message = message_of(call, dynamodb, operation, TableName="indexed", **params)
    assert message == (
        f"{prefix}ExpressionAttributeNames can only be specified when using expressions"
    )


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        ({"Exists": True}, "Value must be provided when Exists is true"),
        ({"Exists": False, "Value": {"S": "x"}}, "Value cannot be used when Exists is false"),
        (
            {"Value": {"S": "x"}, "ComparisonOperator": "EQ", "AttributeValueList": []},
            "Value and AttributeValueList cannot be used together",
        ),
        (
            {"ComparisonOperator": "GT"},
            "Value or AttributeValueList must be used with ComparisonOperator: GT",
        ),
    ],
)
def test_expected_must_not_contradict_itself(
    dynamodb: Any, test: dict[str, Any], problem: str
) -> None:
    message = message_of(
        call, dynamodb, "DeleteItem", TableName="indexed", Key=KEY, Expected={"n": test}
    )
    invalid = "One or more parameter values were invalid"
    assert message == f"{ONE}{invalid}: {problem} for Attribute: n"


@pytest.mark.parametrize(
    ("operation", "params", "message"),
    [
        ("UpdateItem", {"Key": KEY, "UpdateExpression": "SET pk = lk"}, "One or more parameter"),
        ("UpdateItem", {"TableName": ""}, "2 validation errors detected: Value '' at 'tableName'"),
        (
            "PutItem",
            {"TableName": "", "Item": KEY, "ReturnValues": "SOME"},
            f"{ONE}Value at 'TableName' {CONSTRAINT} length greater than or equal to 1",
        ),
        ("Scan", {"Segment": -1, "TotalSegments": 2}, f"{ONE}Value at 'Segment' {CONSTRAINT}"),
        ("BatchGetItem", {"RequestItems": {}}, f"{ONE}Value at 'RequestItems' {CONSTRAINT}"),
        (
            "BatchGetItem",
            {"RequestItems": {"indexed": {"Keys": []}}},
            f"{ONE}Value at 'RequestItems.indexed.member.Keys' {CONSTRAINT} length greater",
        ),
        (
            "BatchGetItem",
            {"RequestItems": {"two words": {"Keys": [KEY]}}},
            f"""{ONE}Value '{{"two words":{{"Keys":[{{"pk":{{"S":"a"}},"sk":{{"S":"1"}}}}]}}}}' """
            "at 'requestItems' failed to satisfy constraint: Map keys must satisfy constraint: [",
        ),
        (
            "BatchGetItem",
            {
                "RequestItems": {
                    "indexed": {"Keys": [KEY], "AttributesToGet": ["n"]},
                    "simple": {"Keys": [{"id": KEY["pk"]}], "ProjectionExpression": "n"},
                }
            },
            "Can not use both expression and non-expression parameters",
        ),
        (
            "PutItem",
            {"Item": {**KEY, "n": {"NULL": False}}},
            f"{ONE}One or more parameter values were invalid: Null attribute",
        ),
        (
            "BatchWriteItem",
            {"RequestItems": {"simple": [{"PutRequest": {"Item": {"id": {"N": "1"}}}}]}},
            "The provided key element does not match the schema",
        ),
    ],
)
def test_error_is_worded_as_on_aws(
    dynamodb: Any, operation: str, params: dict[str, Any], message: str
) -> None:
    request = params if "RequestItems" in params else {"TableName": "indexed", **params}
    assert message_of(call, dynamodb, operation, **request).startswith(message)


def test_local_index_reads_the_rest_from_its_table(dynamodb: Any) -> None:
    for number in range(3):
        item = {"pk": {"S": "narrow"}, "sk": {"S": str(number)}, "lk": {"S": "l"}}
        dynamodb.put_item(TableName="indexed", Item={**item, "zz": {"S": "z" * 5000}})

    def consumed(**params: Any) -> tuple[float, dict[str, float]]:
        response = dynamodb.query(
            TableName="indexed",
            IndexName="narrow",
            KeyConditionExpression="pk = :v",
            ExpressionAttributeValues={":v": {"S": "narrow"}},
            ReturnConsumedCapacity="INDEXES",
            **params,
        )
        capacity = response["ConsumedCapacity"]
        return capacity["Table"]["CapacityUnits"], capacity["LocalSecondaryIndexes"]["narrow"]

    assert consumed() == (0, {"CapacityUnits": 0.5})
    assert consumed(ProjectionExpression="zz") == (3, {"CapacityUnits": 0.5})
    assert consumed(ProjectionExpression="zz", Limit=1) == (1, {"CapacityUnits": 0.5})
    assert consumed(Select="ALL_ATTRIBUTES", ConsistentRead=True) == (6, {"CapacityUnits": 1})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"KeySchema": None}, "'keySchema' .* must not be null"),
        (
            {"StreamSpecification": {"StreamEnabled": False, "StreamViewType": "NEW_IMAGE"}},
            "UpdateViewType",
        ),
        ({"LocalSecondaryIndexes": [index("one", "id", "id")]}, "does not have a range key"),
        (
            {"GlobalSecondaryIndexes": [index("one", "id"), index("one", "id")]},
            "Duplicate index name",
        ),
    ],
)
def test_invalid_table_is_rejected(dynamodb: Any, params: dict[str, Any], message: str) -> None:
    request = {**ITEM_CALLS["CreateTable"], **params, "TableName": "another"}
    request = {name: member for name, member in request.items() if member is not None}
    with pytest.raises(ClientError, match=message):
        call(dynamodb, "CreateTable", **request)
    assert "another" not in dynamodb.list_tables()["TableNames"]


def test_protected_table_is_not_deleted(dynamodb: Any) -> None:
    dynamodb.update_table(TableName="simple", DeletionProtectionEnabled=True)
    message = message_of(dynamodb.delete_table, TableName="simple")
    assert "currently protected against deletion" in message
    dynamodb.update_table(TableName="simple", DeletionProtectionEnabled=False)


def test_tables_are_listed_in_order_of_name(dynamodb: Any) -> None:
    names = dynamodb.list_tables()["TableNames"]
    assert (names, len(names) >= 2) == (sorted(names), True)
    assert dynamodb.list_tables(Limit=1)["LastEvaluatedTableName"] == names[0]


def test_a_tag_has_one_value(dynamodb: Any) -> None:
    arn = dynamodb.describe_table(TableName="simple")["Table"]["TableArn"]
    for value in ("first", "second"):
        dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "kind", "Value": value}])
    tags = dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "kind", "Value": "second"}]
    foreign = arn.replace("123456789012", "000000000000")
    code, _ = error_of(dynamodb.list_tags_of_resource, ResourceArn=foreign)
    assert code == "AccessDeniedException"


def test_unknown_table_is_reported_in_all_calls(dynamodb: Any) -> None:
    for operation in ("DescribeTable", "DescribeTimeToLive", "DeleteTable", "Scan"):
        code, message = error_of(call, dynamodb, operation, TableName="nobody")
        assert (code, "not found" in message) == ("ResourceNotFoundException", True)


@pytest.mark.parametrize(
    ("operation", "params", "name"),
    [
        ("DescribeContributorInsights", {"TableName": "simple"}, "DescribeContributorInsights is"),
        ("ListExports", {}, "ListExports is"),
        ("ListImports", {}, "ListImports is"),
        ("UpdateTable", {"TableName": "simple", "TableClass": INFREQUENT}, "TableClass is"),
        ("UpdateTable", {"TableName": "simple", "ReplicaUpdates": [{}]}, "ReplicaUpdates is"),
    ],
)
def test_what_is_not_modelled_is_named(
    dynamodb: Any, operation: str, params: dict[str, Any], name: str
) -> None:
    assert f"{name} not modelled by the laptop cloud" in message_of(
        call, dynamodb, operation, **params
    )


def test_statement_reads_what_its_index_has(dynamodb: Any) -> None:
    item = {"pk": {"S": "q"}, "sk": {"S": "1"}, "gk": {"S": "only"}, "n": {"N": "1"}}
    dynamodb.put_item(TableName="indexed", Item={**item, "zz": {"N": "2"}})
    where = "FROM indexed.global WHERE gk = 'only'"
    assert dynamodb.execute_statement(Statement=f"SELECT * {where}")["Items"] == [item]
    for statement, message in (
        (f"SELECT zz {where}", "Global secondary index global does not project [zz]"),
        (f"SELECT * {where} AND zz = 2", "project one or more filter attributes: [zz]"),
    ):
        assert message in message_of(dynamodb.execute_statement, Statement=statement)
