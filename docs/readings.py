"""Write readings of sensors into a table of your own, which knows nothing of sales.

TABLE_NAME names the table; it is created, without a stream, unless it is there. Every run goes on
where the last one ended: readings come, some are corrected, the oldest go.
"""

import os
import sys
from itertools import count, islice

import boto3
from botocore.exceptions import BotoCoreError, ClientError

TABLE = os.environ.get("TABLE_NAME") or "Readings"
SENSORS = ("roof", "cellar", "müller's garden")
KEY = {"sensorId": "S", "frameId": "B"}


def frame(number: int) -> bytes:
    """Return the binary sort key of a reading: eight bytes, the greater the later."""
    return number.to_bytes(8, "big")


def reading(sensor: str, number: int, celsius: str) -> dict[str, dict[str, object]]:
    """Return an item, as DynamoDB types it."""
    place = {"siteName": {"S": "Nord"}, "floorLevel": {"N": str(number % 5)}}
    return {
        "sensorId": {"S": sensor},
        "frameId": {"B": frame(number)},
        "takenAt": {"N": str(1_790_000_000 + 60 * number)},
        "celsius": {"N": celsius},
        "measuredAt": {"M": place},
        "alarmLevels": {"NS": ["30", "-5.50"]},
        "isOutdoors": {"BOOL": sensor != "cellar"},
    }


def main() -> None:
    """Write twenty readings of each sensor, correct each fourth, and remove each tenth."""
    dynamodb = boto3.client("dynamodb")
    if TABLE not in dynamodb.list_tables()["TableNames"]:
        dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": type_} for name, type_ in KEY.items()
            ],
            KeySchema=[
                {"AttributeName": name, "KeyType": role}
                for name, role in zip(KEY, ("HASH", "RANGE"), strict=True)
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        dynamodb.get_waiter("table_exists").wait(TableName=TABLE)
    known = dynamodb.query(
        TableName=TABLE,
        KeyConditionExpression="sensorId = :sensor",
        ExpressionAttributeValues={":sensor": {"S": SENSORS[0]}},
        ScanIndexForward=False,
        Limit=1,
    )["Items"]
    start = 1 + int.from_bytes(known[0]["frameId"]["B"], "big") if known else 1
    for number in islice(count(start), 20):
        for sensor in SENSORS:
            item = reading(sensor, number, f"{number % 37}.25")
            dynamodb.put_item(TableName=TABLE, Item=item)
            if number % 4 == 0:
                dynamodb.put_item(TableName=TABLE, Item=item | {"celsius": {"N": "-0.5"}})
            if number % 10 == 0:
                dynamodb.delete_item(TableName=TABLE, Key={name: item[name] for name in KEY})
    print(f"table {TABLE} has readings up to frame {number} of {len(SENSORS)} sensors")


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"docs/readings.py: {error}")
