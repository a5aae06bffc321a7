"""Kills of a command that runs in this process: at one of its calls, before or after its effect."""

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
    operations: list[str] = []
    send = cloud.send_in_process

    def kill_or_send(request: AWSPreparedRequest, **options: Any) -> Any:
        operation = operation_name(request)
        if not is_counted(operation):
            return send(request, **options)
        operations.append(operation)
        if len(operations) != number + 1:
            return send(request, **options)
        if is_after_call:
            send(request, **options)
        raise KeyboardInterrupt

    with patch.object(cloud, "send_in_process", kill_or_send):
        yield operations
