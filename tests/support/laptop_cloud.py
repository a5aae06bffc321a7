"""A laptop cloud for a test, of which nothing is left, and what tests ask of it."""

import io
import os
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.exceptions import ClientError
from moto.moto_api._internal.models import moto_api_backend

from local.core.server import Cloud
from local.core.service import Service
from local.environment import REGION, enter

HOUR = 3600

aws = cache(boto3.client)  # Of the cloud that was entered last.


@contextmanager
def laptop(
    *services: type[Service],
    region: str = REGION,
    cloud_of: Callable[[tuple[type[Service], ...]], Cloud] = Cloud,
) -> Iterator[Any]:
    """Yield a cloud of these parts, empty, which every client of this process finds."""
    with patch.dict(os.environ, AWS_DEFAULT_REGION=region):
        _begin_anew()
        try:
            with closing(cloud_of(services)) as cloud:
                enter(cloud.endpoint)
                yield cloud
        finally:
            _begin_anew()


def _begin_anew() -> None:
    aws.cache_clear()
    empty_account()


def empty_account() -> None:
    """Delete all that moto holds: it is the process's, whichever cloud it was made in."""
    moto_api_backend.reset()


def refused(call: Callable[..., Any], *given: Any, **named: Any) -> tuple[str, str]:
    """Return code and text with which AWS refuses a call."""
    with pytest.raises(ClientError) as caught:
        call(*given, **named)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def code_of(call: Callable[..., Any], *given: Any, **named: Any) -> str:
    """Return the code with which AWS refuses a call."""
    return refused(call, *given, **named)[0]


def message_of(call: Callable[..., Any], *given: Any, **named: Any) -> str:
    """Return the text with which AWS refuses a call."""
    return refused(call, *given, **named)[1]


def metric_sum(namespace: str, name: str, **dimensions: str) -> float:
    """Return the sum of what was measured within the hour."""
    now = time.time()
    found = aws("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=name,
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        StartTime=now - HOUR,
        EndTime=now + HOUR,
        Period=2 * HOUR,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in found["Datapoints"])


def zipped(code: str, name: str = "main.py", mode: int = 0o644) -> bytes:
    """Return a function's code as Lambda takes it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        file.writestr(entry, code)
    return archive.getvalue()
