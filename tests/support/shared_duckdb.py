"""DuckDB processes that the laptop clouds of a test process share: each takes long to start."""

import atexit
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

from local.services.athena.api import executions
from local.services.athena.backend.duckdb_process import DuckDbPool


class SharedPool(DuckDbPool):
    """A pool of processes that may read the folder of every cloud."""

    def close(self) -> None:
        """Leave the processes to the next cloud."""

    def close_at_exit(self) -> None:
        """End the processes."""
        super().close()


@cache
def shared_pool() -> SharedPool:
    """Return the pool of this process."""
    pool = SharedPool(Path(tempfile.gettempdir()).resolve())
    atexit.register(pool.close_at_exit)
    return pool


@contextmanager
def shared_duckdb() -> Iterator[None]:
    """Let the clouds that are created within the block share their DuckDB processes."""
    with patch.object(executions, "DuckDbPool", lambda _: shared_pool()):
        yield
