"""A deployed function at rest and at work: its zip, unzipped, in an interpreter of its own."""

import io
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
INHERITED = ("PATH", "LANG", "SYSTEMROOT")  # The last one: Windows starts no process without it.
RESPONSE_LIMIT = 6_291_556


@dataclass(frozen=True, slots=True)
class Function:
    """A function as its configuration and its code say; another version is another value."""

    name: str
    arn: str
    role: str
    runtime: str
    handler: str
    timeout: int
    memory: int
    region: str
    environment: Mapping[str, str]
    logging: Mapping[str, str]
    code: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one invocation came to."""

    payload: bytes
    failed: bool
    log: str
    seconds: float


class Sandbox:
    """A warm process of one function, started at its first event and kept for the next."""

    def __init__(self, function: Function, endpoints: Mapping[str, str]) -> None:
        self.function = function
        day = time.strftime("%Y/%m/%d", time.gmtime())
        self.log_stream = f"{day}/[$LATEST]{uuid.uuid4().hex}"
        self._environment = {**_environment(function, self.log_stream), **endpoints}
        self._folder = Path(tempfile.mkdtemp(prefix="lambda-"))
        self._unreadable = unzipped(function.code, self._folder / "task")
        self._log = self._folder / "log"
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._timed_out = False
        self._closed = False

    def invoke(self, request_id: str, event: bytes) -> Outcome | None:
        """Return what the function makes of an event in its allotted time; None after `close`."""
        with self._one_at_a_time:
            if self._closed:
                return None
            started = time.monotonic()
            answer = self._answer(request_id, event) or self._death(request_id)
            seconds = time.monotonic() - started
            return Outcome(*checked(*answer), self._written(), seconds)

    def kill(self) -> None:
        """End the process at once, in the middle of an event if there is one."""
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """End the process when it has answered, and remove what was unzipped."""
        with self._one_at_a_time:
            self._closed = True
            self._end()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _answer(self, request_id: str, event: bytes) -> tuple[bytes, bool] | None:
        """Return the payload and whether it is an error; None when the process did not survive."""
        if self._unreadable:
            return _unreadable(self._unreadable, self.function.handler), True
        process = self._running()
        timer = threading.Timer(self.function.timeout, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return _exchange(process, self._request(request_id), event)
        except (OSError, struct.error):  # The pipe broke, or ended within a frame.
            return None
        finally:
            timer.cancel()

    def _request(self, request_id: str) -> bytes:
        deadline = time.time() + self.function.timeout
        request = {"id": request_id, "arn": self.function.arn, "deadline": deadline}
        return json.dumps(request).encode()

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self._end()
            self._timed_out = False
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(BOOTSTRAP)],
                    cwd=self._folder / "task",
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is for us, who end it in order.
                )
        return self._process

    def _expire(self) -> None:
        self._timed_out = True
        if self._process is not None:
            self._process.kill()

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                with suppress(BrokenPipeError):  # It died with a part of its event unread.
                    stream.close()
            self._process = None

    def _death(self, request_id: str) -> tuple[bytes, bool]:
        """Return the error of a process that gave no answer."""
        status = self._process.wait()
        if self._timed_out:
            kind = "Sandbox.Timedout"
            reason = f"Task timed out after {self.function.timeout:.2f} seconds"
        else:
            kind, reason = "Runtime.ExitError", exit_reason(status)
        error = {"errorType": kind, "errorMessage": f"RequestId: {request_id} Error: {reason}"}
        return json.dumps(error).encode(), True

    def _written(self) -> str:
        """Return what the function has written since the last call."""
        if not self._log.exists():
            return ""
        text = self._log.read_bytes().decode("utf-8", "replace")
        os.truncate(self._log, 0)
        return text


def exit_reason(status: int) -> str:
    """Return how AWS words the end of a runtime by its exit status."""
    if status == 0:
        return "Runtime exited without providing a reason"
    if status < 0:
        return f"Runtime exited with error: signal: {signal.strsignal(-status).lower()}"
    return f"Runtime exited with error: exit status {status}"


def checked(payload: bytes, failed: bool) -> tuple[bytes, bool]:
    """Return an answer, or the error that replaces one too large to leave Lambda."""
    if len(payload) <= RESPONSE_LIMIT:
        return payload, failed
    text = f"Response payload size exceeded maximum allowed payload size ({RESPONSE_LIMIT} bytes)."
    error = {"errorMessage": text, "errorType": "Function.ResponseSizeTooLarge"}
    return json.dumps(error).encode(), True


def unzipped(code: bytes, folder: Path) -> list[str]:
    """Unzip a function's code, and return the names that Lambda's user may not read.

    Python's own `writestr` makes such entries (mode 0600), and no laptop would notice.
    """
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        archive.extractall(folder)  # It keeps every entry below the folder, whatever its name.
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    return [name for name, mode in modes.items() if mode and not mode & 0o004]


def _unreadable(names: list[str], handler: str) -> bytes:
    module = handler.rpartition(".")[0]
    text = (
        f"Unable to import module '{module}': [Errno 13] Permission denied: '/var/task/{names[0]}'"
    )
    error = {"errorMessage": text, "errorType": "Runtime.ImportModuleError", "stackTrace": []}
    return json.dumps(error).encode()


def _exchange(
    process: "subprocess.Popen[bytes]", request: bytes, event: bytes
) -> tuple[bytes, bool]:
    for frame in (request, event):
        process.stdin.write(struct.pack(">I", len(frame)) + frame)
    process.stdin.flush()
    size, ok = struct.unpack(">I?", process.stdout.read(5))
    payload = process.stdout.read(size - 1)
    if len(payload) < size - 1:
        raise BrokenPipeError
    return payload, not ok


def _environment(function: Function, log_stream: str) -> dict[str, str]:
    """Return the variables that AWS sets, and the function's own."""
    here = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {
        **here,
        "TZ": ":UTC",
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": "local",
        "AWS_LAMBDA_FUNCTION_NAME": function.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": function.logging["LogGroup"],
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_LAMBDA_LOG_FORMAT": function.logging["LogFormat"],
        "AWS_LAMBDA_LOG_LEVEL": function.logging.get("ApplicationLogLevel", "WARNING"),
        **function.environment,
    }
