"""Interruptions of a command in this process, at one of its calls: a kill, or another action."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore.awsrequest import AWSPreparedRequest

from local.core.server import Cloud
from tests.support.recorded_requests import operation_name


@contextmanager
def killed_at_call(
    cloud: Cloud,
    number: int,
    *,
    is_after_call: bool,
    is_counted: Callable[[str], bool] = lambda _: True,
) -> Iterator[list[str]]:
    """Raise KeyboardInterrupt at the call with this number, from 0; yield the counted calls.

    Only operations are counted that `is_counted` accepts; for S3 it is the method, such as Get.
    """

    def kill() -> None:
        raise KeyboardInterrupt

    with interrupted_at_call(
        cloud, number, kill, is_after_call=is_after_call, is_counted=is_counted
    ) as operations:
        yield operations


@contextmanager
def interrupted_at_call(
    cloud: Cloud,
    number: int,
    action: Callable[[], object],
    *,
    is_after_call: bool = False,
    is_counted: Callable[[str], bool] = lambda _: True,
) -> Iterator[list[str]]:
    """Call a function at the call with this number, from 0; yield the counted calls."""
    operations: list[str] = []
    send = cloud.send_in_process

    def act_and_send(request: AWSPreparedRequest, **options: Any) -> Any:
        operation = operation_name(request)
        if not is_counted(operation):
            return send(request, **options)
        operations.append(operation)
        if len(operations) != number + 1:
            return send(request, **options)
        if is_after_call:
            response = send(request, **options)
            action()
            return response
        action()
        return send(request, **options)

    with patch.object(cloud, "send_in_process", act_and_send):
        yield operations
