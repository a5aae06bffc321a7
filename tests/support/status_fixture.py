"""A chain whose status is asked again and again: sabotage, and metrics of the past."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from unittest.mock import patch

import boto3
from moto.cloudwatch.models import cloudwatch_backends

from local.core.server import ACCOUNT, Cloud
from local.environment import REGION
from local.services.registry import SERVICES
from operations.status import command
from operations.status.metrics import FRESHNESS
from setup import names
from setup.lib import drift
from tests.support.commands import Document, run_json_command
from tests.support.laptop_cloud import laptop


class StatusChain:
    """The pipeline as setup creates it, with orders in it.

    Metrics and status go by the cloud's clock, so that a test can let hours pass.
    """

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._stamped = 0
        self._order_count = 0

    def now(self) -> datetime:
        """Return the time of the cloud's clock."""
        return datetime.fromtimestamp(self.cloud.clock.now(), UTC)

    def write_orders(self, number: int = 5) -> None:
        """Write orders, and let the chain deliver them as far as it does."""
        for _ in range(number):
            self._order_count += 1
            item = {"order_id": {"S": f"SO-S{self._order_count}"}}
            boto3.client("dynamodb").put_item(TableName=names.TABLE, Item=item)
        for _ in range(3):
            self.poll()

    def wait(self, seconds: float) -> None:
        """Let time pass, and let the services poll at its end."""
        self.cloud.clock.advance(seconds)
        self.poll()

    def poll(self) -> None:
        """Let the services poll, deliver what is due, and publish their metrics."""
        self.cloud.clock.advance(100)
        for _ in range(5):
            self.cloud.tick()
        self._stamp_metrics()

    def _stamp_metrics(self) -> None:
        """Give the new metrics the cloud's time; moto gave them, and the records, the real time."""
        skipped_seconds = self.cloud.clock.now() - time.time()
        data = self._metric_data()
        for datum in data[self._stamped :]:
            datum.timestamp = self.now().replace(tzinfo=None)
            if datum.name == FRESHNESS.name:
                datum.value = max(0, datum.value - skipped_seconds)
        self._stamped = len(data)

    def forget_metrics(self) -> None:
        """Remove every metric, and let the services publish that they poll."""
        self.poll()
        self._metric_data().clear()
        self._stamped = 0
        self.poll()

    # moto's list, whose members have no public type.
    def _metric_data(self) -> list[Any]:
        data: list[Any] = cloudwatch_backends[ACCOUNT][REGION].metric_data
        return data

    def run_status(self) -> tuple[int, Document]:
        """Return the exit status of status, and its document."""
        return run_json_command(command.main)

    def find_faults(self) -> list[str]:
        """Return the parts that are not healthy, each with its message; none if status exits 0."""
        status, document = self.run_status()
        faults = [part for part in document["parts"] if part["status"]]
        assert bool(status) == bool(faults)
        return [f"{part['part']}: {part['message']} -> {part['remedy']}" for part in faults]


@contextmanager
def status_chain() -> Iterator[StatusChain]:
    """Yield a chain that delivered some orders an hour ago, and has been idle since."""
    with laptop(*SERVICES) as cloud:
        for script in drift.SCRIPTS:  # In this process, which has the clients already.
            import_module(f"setup.{script}").create()
        chain = StatusChain(cloud)
        chain.write_orders(12)
        chain.wait(3600)
        with patch.object(command, "_now", chain.now):
            yield chain
