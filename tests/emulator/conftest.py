"""A cloud that a folder's tests share, empty for each of them."""

import pytest

from local.core.server import Cloud
from tests.support.laptop_cloud import empty_account


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Cloud:
    """An empty account."""
    empty_account()
    return shared_cloud
