"""The laptop cloud as the setup scripts meet it, and what tests ask of it."""

import sys
import threading
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.awsrequest import AWSResponse

from local.core.server import ACCOUNT, Cloud
from local.core.service import Service
from local.environment import exports
from local.services.registry import SERVICES
from tests.support.paths import PROJECT
from tests.support.service_model import violations

SETUP = PROJECT / "setup"

names, teardown, waiting = map(
    import_module, ("setup.names", "setup.teardown", "setup.lib.waiters")
)
SetupError = waiting.SetupError

SCRIPTS = tuple(sorted(path.stem for path in SETUP.glob("[0-9][0-9]_*.py")))
SESSION = boto3.Session()  # One for all tests: it keeps the service models that it has read.
QUESTION = "-- How many changes there are.\nSELECT count(*) FROM order_changes\n"


@dataclass
class World:
    """The laptop cloud as the scripts meet it; what they wait for comes while they wait."""

    cloud: Cloud
    asked: list[tuple[str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    passed: float = 0.0
    stepping: bool = False
    clients: dict[str, Any] = field(default_factory=dict)
    pretended: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def client(self, service: str, **options: Any) -> Any:
        """Return a client; those of the scripts are kept, since each takes long to make."""
        if self.is_cloud():
            return SESSION.client(service, **options)
        if service not in self.clients:
            self.clients[service] = SESSION.client(service)
        return self.clients[service]

    def is_cloud(self) -> bool:
        """Return whether it is the cloud that acts at the moment, and not a script."""
        return self.stepping or threading.current_thread() is not threading.main_thread()

    def monotonic(self) -> float:
        """Return a time that only waiting lets pass."""
        return self.passed

    def sleep(self, seconds: float) -> None:
        """Let the cloud work instead of waiting for it."""
        self.passed += seconds
        self.cloud.clock.advance(seconds)
        self.stepping = True
        self.cloud.tick()
        self.stepping = False

    def run_until_idle(self) -> None:
        """Let the cloud work until nothing moves."""
        self.stepping = True
        self.cloud.run_until_idle()
        self.stepping = False

    def record(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        """Check a request of the scripts, not of the cloud itself, against the service's model."""
        if self.is_cloud():
            return
        service = model.service_model.service_name
        self.asked.append((service, model.name))
        found = violations(params, model.input_shape) if model.input_shape else ()
        self.broken += [f"{service}.{model.name}{each}" for each in found]

    def pretend(self, operation: str, *answers: dict[str, Any]) -> None:
        """Give the scripts' next calls of an operation these answers, and not the cloud's."""
        self.pretended[operation] = list(answers)

    def answer(self, model: Any, **_: Any) -> tuple[AWSResponse, dict[str, Any]] | None:
        """Return what was pretended, or None: then the cloud answers."""
        if self.is_cloud() or not self.pretended.get(model.name):
            return None
        answer = self.pretended[model.name].pop(0)
        return AWSResponse("", 400 if "Error" in answer else 200, {}, None), answer

    def run(self, *scripts: str) -> list[str]:
        """Run the scripts, or all, and return their lines."""
        return [import_module(f"setup.{script}").create() for script in scripts or SCRIPTS]


@contextmanager
def a_world(
    folder: Path, region: str = "us-east-1", *more: type[Service], account: str = ACCOUNT
) -> Iterator[World]:
    """Yield a fresh cloud in a region, with the scripts' clients leading to it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("AWS_DEFAULT_REGION", region)
        patched.setenv("MOTO_ACCOUNT_ID", account)
        for name, module in list(sys.modules.items()):
            if name.startswith("local.") and hasattr(module, "ACCOUNT"):
                patched.setattr(module, "ACCOUNT", account)
        cloud = Cloud((*more, *SERVICES))
        urlopen(Request(f"{cloud.endpoint}/moto-api/reset", method="POST")).close()
        for name, value in exports(cloud.endpoint, {"AWS_DEFAULT_REGION": region}).items():
            patched.setenv(name, value)
        patched.setattr(boto3, "DEFAULT_SESSION", SESSION)
        forget_where()
        made = World(cloud)
        SESSION.events.register("before-parameter-build", made.record)
        SESSION.events.register("before-call", made.answer)
        patched.setattr(boto3, "client", made.client)
        patched.setattr(waiting, "time", made)
        patched.setattr(import_module("setup.11_athena"), "ANALYTICS", analytics(folder))
        try:
            yield made
        finally:
            SESSION.events.unregister("before-parameter-build", made.record)
            SESSION.events.unregister("before-call", made.answer)
            cloud.close()
            forget_where()
        assert not made.broken, made.broken  # Every request of every test obeys the whole model.


def forget_where() -> None:
    """Let the names find out anew where they are."""
    for cached in (names.account, names.location):
        cached.cache_clear()


def analytics(folder: Path) -> Path:
    """Return a folder with small views and a question in place of the real ones."""
    for name in ("views", "questions"):
        (folder / name).mkdir()
    first, *others = names.VIEWS
    view = "CREATE OR REPLACE VIEW {} AS SELECT order_id FROM {}"
    (folder / "views" / f"{first}.sql").write_text(view.format(first, names.CHANGES))
    for other in others:
        (folder / "views" / f"{other}.sql").write_text(view.format(other, first))
    (folder / "questions" / "how_many.sql").write_text(QUESTION)
    return folder


def removed(delete_data: bool) -> str:
    """Take the pipeline down and return the last line."""
    return teardown.remove(Namespace(yes=True, delete_data=delete_data))


ASKING = ("Describe", "Get", "List", "Head")


def changes(asked: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return those of the calls that do not only ask."""
    return [each for each in asked if not each[1].startswith(ASKING)]


def inventory() -> Counter[str]:
    """Return how many resources there are of each kind that setup makes."""
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
        topics=len(client("sns").list_topics()["Topics"]),
        databases=len(client("glue").get_databases()["DatabaseList"]),
        crawlers=len(client("glue").list_crawlers()["CrawlerNames"]),
        workgroups=len(client("athena").list_work_groups()["WorkGroups"]),
    )
