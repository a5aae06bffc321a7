"""Setup on the laptop cloud: `SetupSandbox` runs the scripts there, and records their requests."""

from __future__ import annotations

import sys
import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from local.core.server import ACCOUNT, Cloud
from local.environment import client_environment
from local.services.athena import Athena
from local.services.registry import SERVICES
from setup import names, teardown
from setup.lib import views, waiters
from setup.lib.drift import READ_VERBS
from setup.lib.waiters import SetupError
from tests.support.laptop_cloud import empty_account, without_connections
from tests.support.paths import PROJECT
from tests.support.service_model import violations
from tests.support.shared_duckdb import shared_duckdb

if TYPE_CHECKING:
    from botocore.model import OperationModel

    from local.core.service import Service

__all__ = ["PROJECT", "SetupError", "names"]

SETUP = PROJECT / "setup"
SCRIPTS = tuple(sorted(path.stem for path in SETUP.glob("[0-9][0-9]_*.py")))
# Shared by all tests, since loading the service models takes long. It is Any because the stubs know
# neither a client whose service is a variable nor an event handler that returns a response.
SESSION: Any = boto3.Session()
POLL_SECONDS = 0.002
QUERY = "-- How many changes there are.\nSELECT count(*) FROM order_changes\n"

Call = tuple[str, str]  # A service and one of its operations.
Response = dict[str, Any]  # A parsed response of any operation.


@dataclass
class SetupSandbox:
    """The scripts on a laptop cloud, which works while they wait, and the calls that they made."""

    cloud: Cloud
    calls: list[Call] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    seconds_waited: float = 0.0
    clients: dict[str, Any] = field(default_factory=dict)
    stubs: dict[str, list[Response]] = field(default_factory=dict)

    def client(self, service: str, **options: Any) -> Any:
        """Return a client; those of the scripts are cached, since each takes long to create."""
        if options:  # The cloud's own clients have options, those of the scripts have none.
            return SESSION.client(service, **options)
        if boto3.DEFAULT_SESSION not in (None, SESSION):  # A dry run has a session of its own.
            return boto3.DEFAULT_SESSION.client(service)  # type: ignore[call-overload]  # any
        if service not in self.clients:
            self.clients[service] = self._create_client(service)
        return self.clients[service]

    def _create_client(self, service: str) -> Any:
        client = SESSION.client(service)
        client.meta.events.register("before-parameter-build", self.record)
        client.meta.events.register("before-call", self.next_stubbed_response)
        return client

    def monotonic(self) -> float:
        """Return a time that advances only while a script waits."""
        return self.seconds_waited

    def sleep(self, seconds: float) -> None:
        """Advance the cloud's clock and let it work, instead of waiting."""
        self._wait_for_queries()  # They take real time.
        self.seconds_waited += seconds
        self.cloud.clock.advance(seconds)
        self.cloud.tick()

    def _wait_for_queries(self) -> None:
        executions = self.cloud.service(Athena)._executions._executions
        while not all(execution.ended_at for execution in executions.values()):
            time.sleep(POLL_SECONDS)

    def record(self, params: dict[str, Any], model: OperationModel, **_: object) -> None:
        """Record a call of a script, and check its parameters against the service's model."""
        service = model.service_model.service_name
        self.calls.append((service, model.name))
        if model.input_shape:
            problems = violations(params, model.input_shape)
            self.violations += [f"{service}.{model.name}{problem}" for problem in problems]

    def stub(self, operation: str, *responses: Response) -> None:
        """Answer the scripts' next calls of an operation with the responses."""
        self.stubs[operation] = list(responses)

    def next_stubbed_response(
        self, model: OperationModel, **_: object
    ) -> tuple[AWSResponse, Response] | None:
        """Return the next stubbed response, or None to let the cloud answer."""
        if not self.stubs.get(model.name):
            return None
        response = self.stubs[model.name].pop(0)
        return AWSResponse("", 400 if "Error" in response else 200, HTTPHeaders(), None), response

    def has_unused_stubs(self) -> bool:
        """Return whether any stubbed response was not used."""
        return any(self.stubs.values())

    def run(self, *scripts: str) -> list[str]:
        """Run the scripts, by default all, and return their lines."""
        return [import_module(f"setup.{script}").create() for script in scripts or SCRIPTS]

    def writes(self) -> list[Call]:
        """Return the recorded calls that do not only read."""
        return writes_among(self.calls)


def aws_error(code: str, message: str) -> Response:
    """Return an error as AWS's response, for a stub."""
    return {"Error": {"Code": code, "Message": message}}


def aws_client(service: str) -> Any:
    """Return a client whose requests and responses are plain dictionaries to the type checker."""
    return boto3.client(service)  # type: ignore[call-overload]  # Any service.


@contextmanager
def setup_sandbox(
    folder: Path, region: str = "us-east-1", *services: type[Service], account: str = ACCOUNT
) -> Iterator[SetupSandbox]:
    """Yield setup on a fresh cloud in the region, with small queries in the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", region)
        patch.setenv("MOTO_ACCOUNT_ID", account)
        for name, module in list(sys.modules.items()):
            if name.startswith("local.") and hasattr(module, "ACCOUNT"):
                patch.setattr(module, "ACCOUNT", account)
        with shared_duckdb():
            cloud = Cloud((*services, *SERVICES))
        empty_account()
        for name, value in client_environment(
            cloud.endpoint, {"AWS_DEFAULT_REGION": region}
        ).items():
            patch.setenv(name, value)
        patch.setattr(boto3, "DEFAULT_SESSION", SESSION)
        clear_location()
        sandbox = SetupSandbox(cloud)
        patch.setattr(boto3, "client", sandbox.client)
        patch.setattr(waiters, "time", sandbox)
        patch.setattr(views, "ANALYTICS", write_small_queries(folder))
        try:
            with without_connections(cloud):
                yield sandbox
        finally:
            cloud.close()
            clear_location()
        assert sandbox.violations == []  # In every test, every request obeys the whole model.


def clear_location() -> None:
    """Clear the cached account and location, after a change of the environment."""
    names.account.cache_clear()
    names.location.cache_clear()


def write_small_queries(folder: Path) -> Path:
    """Write small views and one named query, in place of the real ones, and return the folder."""
    (folder / "views").mkdir()
    (folder / "queries").mkdir()
    first_view, *other_views = names.VIEWS
    view = "CREATE OR REPLACE VIEW {} AS SELECT order_id FROM {}"
    (folder / "views" / f"{first_view}.sql").write_text(view.format(first_view, names.CHANGES))
    for name in other_views:
        (folder / "views" / f"{name}.sql").write_text(view.format(name, first_view))
    (folder / "queries" / "how_many.sql").write_text(QUERY)
    return folder


def tear_down(delete_data: bool) -> str:
    """Run teardown without a prompt, and return its last line."""
    return teardown.tear_down(Namespace(yes=True, delete_data=delete_data))


def writes_among(calls: Iterable[Call]) -> list[Call]:
    """Return the calls that do not only read."""
    return [call for call in calls if not call[1].startswith(READ_VERBS)]


def count_resources() -> Counter[str]:
    """Return the number of resources of each kind that setup creates."""
    client = boto3.client
    return Counter(
        tables=len(client("dynamodb").list_tables()["TableNames"]),
        streams=len(client("kinesis").list_streams()["StreamNames"]),
        buckets=len(client("s3").list_buckets()["Buckets"]),
        roles=len(client("iam").list_roles()["Roles"]),
        functions=len(client("lambda").list_functions()["Functions"]),
        logs=len(client("logs").describe_log_groups()["logGroups"]),
        filters=len(client("logs").describe_metric_filters()["metricFilters"]),
        deliveries=len(client("firehose").list_delivery_streams()["DeliveryStreamNames"]),
        subscriptions=len(client("sns").list_subscriptions()["Subscriptions"]),
        pipes=len(client("pipes").list_pipes()["Pipes"]),
        queues=len(client("sqs").list_queues().get("QueueUrls", [])),
        alarms=len(client("cloudwatch").describe_alarms()["MetricAlarms"]),
        dashboards=len(client("cloudwatch").list_dashboards()["DashboardEntries"]),
        topics=len(client("sns").list_topics()["Topics"]),
        databases=len(client("glue").get_databases()["DatabaseList"]),
        crawlers=len(client("glue").list_crawlers()["CrawlerNames"]),
        workgroups=len(client("athena").list_work_groups()["WorkGroups"]),
    )
