"""Commands of operations, run in this process: their exit statuses and JSON documents."""

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import boto3

from setup.lib import drift

Main = Callable[[Sequence[str]], int]
Document = dict[str, Any]  # JSON whose shape depends on the command.


def run_json_command(main: Main, *options: str) -> tuple[int, Document]:
    """Return a command's exit status and its --json document, which is {} if it wrote none."""
    with TemporaryDirectory() as folder, output_discarded():
        path = Path(folder, "document.json")
        status = main([*options, "--json", str(path)])
        document: Document = json.loads(path.read_text()) if path.exists() else {}
    return status, document


@contextmanager
def output_discarded() -> Iterator[None]:
    """Discard everything printed within the block."""
    sink = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(sink), redirect_stderr(sink):
        yield


@contextmanager
def cached_clients() -> Iterator[None]:
    """Create each boto3 client once within the block, since that takes longer than most calls.

    A dry run has a session of its own, whose clients serve nobody else.
    """
    create_client: Callable[..., Any] = boto3.client

    # A client of any service.
    @cache
    def shared_client(service: str, _: boto3.Session | None) -> Any:
        return create_client(service)

    def client(service: str, **options: Any) -> Any:
        if options:
            return create_client(service, **options)
        return shared_client(service, boto3.DEFAULT_SESSION)

    with (
        patch.object(boto3, "client", client),
        patch.object(drift, "DryRunSession", cache(drift.DryRunSession)),
    ):
        yield
