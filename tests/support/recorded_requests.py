"""The operations that the clients of this process call on a laptop cloud."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest

from local.core.server import Cloud


@contextmanager
def recorded_operations(cloud: Cloud) -> Iterator[list[str]]:
    """Yield a list to which each operation that is called within the block is added.

    For S3, which sends no operation, it is the method, such as Get.
    """
    operations: list[str] = []
    send = cloud.send_in_process

    def record(request: AWSPreparedRequest, **options: Any) -> Any:
        operations.append(operation_name(request))
        return send(request, **options)

    with patch.object(cloud, "send_in_process", record):
        yield operations


def operation_name(request: AWSPreparedRequest) -> str:
    """Return the operation of a request; for S3, which sends none, its method, such as Get."""
    if target := request.headers.get("X-Amz-Target"):
        name = target.decode() if isinstance(target, bytes) else target
        return name.rpartition(".")[2]
    if action := re.search(r"Action=(\w+)", str(request.body)):
        return action[1]
    operation = urlsplit(request.url).path.rpartition("/operation/")
    return operation[2] if operation[1] else str(request.method).capitalize()
