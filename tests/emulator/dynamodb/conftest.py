"""A cloud with DynamoDB, empty for each test, and a table of orders in it."""

import time
from collections.abc import Iterator

import pytest

from local.core.server import Cloud
from local.services.dynamodb.service import DynamoDb
from tests.support.laptop_cloud import laptop
from tests.support.orders_table import Orders


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with laptop(DynamoDb) as cloud:
        yield cloud


@pytest.fixture
def orders(cloud: Cloud) -> Orders:
    return Orders(cloud, f"orders-{time.monotonic_ns()}")
