"""Laptop clouds for tests, which leave nothing behind, and helpers to call them."""

import io
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ClientError
from botocore.httpsession import URLLib3Session
from moto.moto_api._internal.models import moto_api_backend

from local.core.server import Cloud
from local.core.service import Service
from local.environment import REGION, use_cloud
from tests.support.commands import cached_clients
from tests.support.shared_duckdb import shared_duckdb

HOUR = 3600

aws = cache(boto3.client)  # Clients of the cloud that was opened last.


@contextmanager
def laptop(
    *services: type[Service],
    region: str = REGION,
    create_cloud: Callable[[tuple[type[Service], ...]], Cloud] = Cloud,
    has_connections: bool = False,
    shares_duckdb: bool = True,
) -> Iterator[Any]:
    """Open an empty cloud of these services for every client of this process.

    These call it without a connection, which would take most of a call's time; other processes
    connect to it. Each client is created once, unless it has options.
    """
    with patch.dict(os.environ, AWS_DEFAULT_REGION=region):
        _reset()
        try:
            with shared_duckdb() if shares_duckdb else nullcontext():
                new_cloud = create_cloud(services)
            with closing(new_cloud) as cloud:
                use_cloud(cloud.endpoint)
                connections = nullcontext() if has_connections else without_connections(cloud)
                with connections, cached_clients():
                    yield cloud
        finally:
            _reset()


@contextmanager
def without_connections(cloud: Cloud) -> Iterator[None]:
    """Let the clients of this process call `cloud` as its own clients do.

    They name their credentials, but compute no signature, since nobody would check it.
    """
    connect_and_send = URLLib3Session.send

    def send(session: URLLib3Session, request: AWSPreparedRequest) -> AWSResponse:
        return cloud.send_in_process(request) or connect_and_send(session, request)

    with (
        patch.object(URLLib3Session, "send", send),
        patch.object(SigV4Auth, "canonical_request", lambda *_: ""),
        patch.object(SigV4Auth, "signature", lambda *_: ""),
    ):
        yield


def _reset() -> None:
    aws.cache_clear()
    empty_account()


def empty_account() -> None:
    """Delete all resources: moto keeps them per process, not per cloud."""
    moto_api_backend.reset()


def error_of(call: Callable[..., Any], *args: Any, **params: Any) -> tuple[str, str]:
    """Return the code and message of the error that a call must raise."""
    with pytest.raises(ClientError) as raised:
        call(*args, **params)
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def code_of(call: Callable[..., Any], *args: Any, **params: Any) -> str:
    """Return the code of the error that a call must raise."""
    return error_of(call, *args, **params)[0]


def message_of(call: Callable[..., Any], *args: Any, **params: Any) -> str:
    """Return the message of the error that a call must raise."""
    return error_of(call, *args, **params)[1]


def create_table(dynamodb: Any, name: str, key_types: dict[str, str], **params: Any) -> None:
    """Create a table whose partition key, and perhaps sort key, have those types."""
    dynamodb.create_table(
        TableName=name,
        KeySchema=[
            {"AttributeName": attribute, "KeyType": role}
            for attribute, role in zip(key_types, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[
            {"AttributeName": attribute, "AttributeType": tag}
            for attribute, tag in key_types.items()
        ],
        **{"BillingMode": "PAY_PER_REQUEST", **params},
    )


def metric_sum(namespace: str, name: str, **dimensions: str) -> float:
    """Return the sum of a metric over the last hour."""
    now = time.time()
    response = aws("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - HOUR,
        EndTime=now + HOUR,
        Period=2 * HOUR,
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in response["Datapoints"]))


def zip_code(code: str, name: str = "main.py", mode: int = 0o644) -> bytes:
    """Return a zip archive with one file, as Lambda expects it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        file.writestr(entry, code)
    return archive.getvalue()
