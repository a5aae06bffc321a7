"""A cloud that checks permissions, empty for each test, and its guarded clients."""

from collections.abc import Iterator
from functools import partial

import pytest

from local.core.server import Cloud
from local.services.iam.service import Iam
from tests.support.iam_client import Connect, guarded_client
from tests.support.laptop_cloud import laptop


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with laptop(Iam) as cloud:
        yield cloud


@pytest.fixture
def connect(cloud: Cloud) -> Connect:
    """A function that returns a guarded client of a service."""
    return partial(guarded_client, cloud)
