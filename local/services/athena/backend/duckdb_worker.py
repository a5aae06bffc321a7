"""DuckDB in a process of its own: runs the SQL statements that arrive on stdin.

`duckdb_process.py` starts it as a script. Each request and each response is one line of JSON.
"""

import contextlib
import json
import os
import queue
import sys
import threading
from typing import Any

import duckdb


def limit_resources(memory_bytes: int, file_bytes: int) -> None:
    """Limit this process, where the system can, also for what DuckDB does not count."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - Windows lacks it.

        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))


def respond(connection: duckdb.DuckDBPyConnection, request: dict[str, Any]) -> dict[str, Any]:
    """Run one statement, and return its rows or its error."""
    try:
        rows = connection.execute(request["sql"], request["parameters"]).fetchall()
    except (duckdb.Error, MemoryError) as error:
        return {"error": type(error).__name__, "message": str(error)}
    return {"rows": rows}


def serve(requests: "queue.SimpleQueue[bytes]") -> None:
    """Answer requests until this process ends."""
    connection = duckdb.connect()
    while True:
        response = respond(connection, json.loads(requests.get()))
        sys.stdout.buffer.write(json.dumps(response, default=str).encode() + b"\n")
        sys.stdout.buffer.flush()


def main() -> None:
    """Serve on a thread, and end with the laptop cloud, even within a query."""
    limit_resources(*map(int, sys.argv[1:]))
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=serve, args=(requests,), daemon=True).start()
    for line in sys.stdin.buffer:
        requests.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
