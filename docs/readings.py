"""Sensor readings for a table of your own: an example that has nothing to do with orders.

TABLE_NAME names the table; it is created, without a stream, if it does not exist. Each run
continues where the last one ended: it adds readings, corrects some, and deletes a few.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

TABLE = os.environ.get("TABLE_NAME") or "Readings"
SENSORS = ("roof", "cellar", "müller's garden")
FRAMES_PER_RUN = 20


def frame_id(frame: int) -> bytes:
    """Return the binary sort key of a frame: eight bytes, in the order of the numbers."""
    return frame.to_bytes(8, "big")


def reading(sensor: str, frame: int, celsius: str) -> dict[str, Any]:
    """Return one reading as a DynamoDB item."""
    return {
        "sensorId": {"S": sensor},
        "frameId": {"B": frame_id(frame)},
        "takenAt": {"N": str(1_790_000_000 + 60 * frame)},
        "celsius": {"N": celsius},
        "measuredAt": {"M": {"siteName": {"S": "Nord"}, "floorLevel": {"N": str(frame % 5)}}},
        "alarmLevels": {"NS": ["30", "-5.50"]},
        "isOutdoors": {"BOOL": sensor != "cellar"},
    }


def create_table(dynamodb: DynamoDBClient) -> None:
    """Create the table, without a stream, and wait until it exists."""
    dynamodb.create_table(
        TableName=TABLE,
        AttributeDefinitions=[
            {"AttributeName": "sensorId", "AttributeType": "S"},
            {"AttributeName": "frameId", "AttributeType": "B"},
        ],
        KeySchema=[
            {"AttributeName": "sensorId", "KeyType": "HASH"},
            {"AttributeName": "frameId", "KeyType": "RANGE"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    dynamodb.get_waiter("table_exists").wait(TableName=TABLE)


def newest_frame(dynamodb: DynamoDBClient) -> int:
    """Return the number of the newest frame in the table, 0 if it has none."""
    items = dynamodb.query(
        TableName=TABLE,
        KeyConditionExpression="sensorId = :sensor",
        ExpressionAttributeValues={":sensor": {"S": SENSORS[0]}},
        ScanIndexForward=False,
        Limit=1,
    )["Items"]
    if not items:
        return 0
    return int.from_bytes(items[0]["frameId"]["B"], "big")


def write_frame(dynamodb: DynamoDBClient, frame: int) -> None:
    """Write a reading of each sensor; correct every fourth frame, and delete every tenth."""
    for sensor in SENSORS:
        item = reading(sensor, frame, f"{frame % 37}.25")
        dynamodb.put_item(TableName=TABLE, Item=item)
        if frame % 4 == 0:
            dynamodb.put_item(TableName=TABLE, Item=item | {"celsius": {"N": "-0.5"}})
        if frame % 10 == 0:
            key = {"sensorId": item["sensorId"], "frameId": item["frameId"]}
            dynamodb.delete_item(TableName=TABLE, Key=key)


def main() -> None:
    """Write the next frames, creating the table first if it does not exist."""
    dynamodb = boto3.client("dynamodb")
    if TABLE not in dynamodb.list_tables()["TableNames"]:
        create_table(dynamodb)
    first = newest_frame(dynamodb) + 1
    last = first + FRAMES_PER_RUN - 1
    for frame in range(first, last + 1):
        write_frame(dynamodb, frame)
    print(f"table {TABLE} has readings up to frame {last} of {len(SENSORS)} sensors")


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"docs/readings.py: {error}")
