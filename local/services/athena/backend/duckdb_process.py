"""Processes of DuckDB: each runs one query at a time, and dies alone."""

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from local.services.athena.backend.macros import macros, used_macros
from local.services.athena.backend.quoting import quote_literal
from local.services.athena.errors import QueryFailed

_WORKER = Path(__file__).with_name("duckdb_worker.py")
# DuckDB counts what it buffers, the system whatever the process has: long strings, for one.
_BUFFER_LIMIT = "2GB"
_PROCESS_BYTES = 4 << 30
_DISK_LIMIT = "4GB"
_FILE_BYTES = 4 << 30
_MAX_IDLE = 4


class DuckDbError(Exception):
    """An error of DuckDB: the name of its exception, and the message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class DuckDbProcess:
    """One DuckDB that cannot open files outside `folder`, with the macros of Trino's functions."""

    def __init__(self, folder: Path) -> None:
        self._spill_folder = Path(tempfile.mkdtemp(prefix="spilled-", dir=folder))
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(_WORKER), str(_PROCESS_BYTES), str(_FILE_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C must not reach it: the cloud stops it.
        )
        self._macros: set[str] = set()
        for statement in _settings(folder, self._spill_folder):
            self.execute(statement)

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process can run a query."""
        return self._process.poll() is None

    def execute(self, sql: str, parameters: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows."""
        missing = used_macros(sql) - self._macros
        if missing:
            self._run("".join(text for name, text in macros().items() if name in missing))
            self._macros |= missing
        return self._run(sql, parameters)

    def _run(self, sql: str, parameters: Sequence[str] = ()) -> list[tuple[Any, ...]]:
        request = json.dumps({"sql": sql, "parameters": list(parameters)})
        line = self._exchange(request.encode() + b"\n")
        if not line.endswith(b"\n"):
            raise QueryFailed("GENERIC_INTERNAL_ERROR", self._exit_reason())
        response = json.loads(line)
        if "error" in response:
            raise DuckDbError(response["error"], response["message"])
        return [tuple(row) for row in response["rows"]]

    def kill(self) -> None:
        """End the process at once, even within a query."""
        self._process.kill()

    def close(self) -> None:
        """End the process, and delete what it has spilled to disk."""
        self.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # It died before it had read its whole request.
                    pipe.close()
        shutil.rmtree(self._spill_folder, ignore_errors=True)

    def _exchange(self, request: bytes) -> bytes:
        """Return the line that answers a request; it is incomplete if the process has died."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise ValueError("the process was started without pipes")
        try:
            stdin.write(request)
            stdin.flush()
            return stdout.readline()
        except OSError:
            return b""

    def _exit_reason(self) -> str:
        status = self._process.wait()
        if status < 0:
            return f"The query's process was ended by {signal.Signals(-status).name}"
        return f"The query's process ended with exit status {status}"


def _settings(folder: Path, spill_folder: Path) -> list[str]:
    settings = {
        "memory_limit": f"'{_BUFFER_LIMIT}'",
        "temp_directory": quote_literal(str(spill_folder)),
        "max_temp_directory_size": f"'{_DISK_LIMIT}'",
        "allowed_directories": f"[{quote_literal(str(folder) + '/')}]",
        "TimeZone": "'UTC'",
        "default_null_order": "'NULLS LAST'",
        "ieee_floating_point_ops": "true",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "enable_external_access": "false",
    }
    return [
        "CALL enable_logging('FileSystem')",  # It tells which files a query opens.
        *(f"SET {name} = {value}" for name, value in settings.items()),
        "CREATE SCHEMA trino",
        "SET lock_configuration = true",
    ]


class DuckDbPool:
    """Processes that are started when queries need them; a few stay warm for the next ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._idle: list[DuckDbProcess] = []
        self._lock = threading.Lock()
        self._is_closed = False

    def acquire(self) -> DuckDbProcess:
        """Return a process for one query."""
        with self._lock:
            process = self._idle.pop() if self._idle else None
        if process is not None and process.is_alive:
            return process
        if process is not None:
            process.close()
        return DuckDbProcess(self._folder)

    def release(self, process: DuckDbProcess) -> None:
        """Keep a process for a later query, or close it."""
        with self._lock:
            is_kept = process.is_alive and len(self._idle) < _MAX_IDLE and not self._is_closed
            if is_kept:
                self._idle.append(process)
        if not is_kept:
            process.close()

    def close(self) -> None:
        """Close all idle processes, and each other one when it is released."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for process in idle:
            process.close()
