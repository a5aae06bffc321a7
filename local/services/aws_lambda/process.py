"""Processes of deployed functions: the unzipped code in an interpreter of its own."""

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
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO

BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
INHERITED = ("SYSTEMROOT",)  # Windows needs it to start a process.
RESPONSE_BYTES = 6_291_556
RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")


@dataclass(frozen=True, slots=True)
class Function:
    """A function's configuration and code; every update makes a new value."""

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
    """The result of one invocation."""

    payload: bytes
    is_error: bool
    log: str
    seconds: float


class Sandbox:
    """A warm process of one function, started for its first event and kept for later ones."""

    def __init__(self, function: Function, endpoints: Mapping[str, str]) -> None:
        self.function = function
        day = time.strftime("%Y/%m/%d", time.gmtime())
        self.log_stream = f"{day}/[$LATEST]{uuid.uuid4().hex}"
        self._folder = Path(tempfile.mkdtemp(prefix="lambda-")).resolve()
        scratch = self._folder / "tmp"
        scratch.mkdir()
        self._environment = {
            **_environment(function, self.log_stream),
            **endpoints,
            "TMPDIR": str(scratch),
        }
        self._unreadable_files = unzip_code(function.code, self._folder / "task")
        self._log = self._folder / "log"
        self._invoke_lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._timed_out = False
        self._closed = False

    def invoke(self, request_id: str, event: bytes) -> Outcome | None:
        """Let the function handle an event within its timeout; return None after `close`."""
        with self._invoke_lock:
            if self._closed:
                return None
            started_at = time.monotonic()
            response = self._handle(request_id, event) or self._crash_response(request_id)
            payload, is_error = limited_response(*response)
            seconds = time.monotonic() - started_at
            return Outcome(payload, is_error, self._take_log(), seconds)

    def kill(self) -> None:
        """Kill the process at once, even while it handles an event."""
        if (process := self._process) is not None:
            process.kill()

    def close(self) -> None:
        """Stop the process after its current event, and delete its files."""
        with self._invoke_lock:
            self._closed = True
            self._stop()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _handle(self, request_id: str, event: bytes) -> tuple[bytes, bool] | None:
        """Return the payload and whether it is an error; None if the process died."""
        if self._unreadable_files:
            return _unreadable_file_error(self._unreadable_files[0], self.function.handler), True
        process = self._running_process()
        timer = threading.Timer(self.function.timeout, self._expire)
        timer.daemon = True
        timer.start()
        try:
            return _exchange(process, self._request(request_id), event)
        except (OSError, struct.error):  # The pipe broke, or closed within a frame.
            return None
        finally:
            timer.cancel()

    def _request(self, request_id: str) -> bytes:
        deadline = time.time() + self.function.timeout
        request = {"id": request_id, "arn": self.function.arn, "deadline": deadline}
        return json.dumps(request).encode()

    def _running_process(self) -> "subprocess.Popen[bytes]":
        if self._process is None or self._process.poll() is not None:
            self._stop()
            self._timed_out = False
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(BOOTSTRAP), *runtime_packages()],
                    cwd=self._folder / "task",
                    env=self._environment,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C must not reach it: the cloud stops it.
                )
        return self._process

    def _expire(self) -> None:
        self._timed_out = True
        if self._process is not None:
            self._process.kill()

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in _pipes(self._process):
                with suppress(BrokenPipeError):  # It died before it had read its whole event.
                    pipe.close()
            self._process = None

    def _crash_response(self, request_id: str) -> tuple[bytes, bool]:
        """Return the error for a process that died or was killed at its timeout."""
        status = self._process.wait() if self._process else 0
        if self._timed_out:
            error_type = "Sandbox.Timedout"
            reason = f"Task timed out after {self.function.timeout:.2f} seconds"
        else:
            error_type = "Runtime.ExitError"
            reason = exit_reason(status)
        message = f"RequestId: {request_id} Error: {reason}"
        return json.dumps({"errorType": error_type, "errorMessage": message}).encode(), True

    def _take_log(self) -> str:
        """Return the output of the function since the last call."""
        if not self._log.exists():
            return ""
        text = self._log.read_bytes().decode("utf-8", "replace")
        os.truncate(self._log, 0)
        return text


@cache
def runtime_packages() -> list[str]:
    """Return the paths of the packages that AWS's runtime has besides Python: boto3 and its own."""
    origins = [spec.origin for name in RUNTIME_PACKAGES if (spec := find_spec(name))]
    paths = [Path(origin) for origin in origins if origin]
    return [str(path.parent if path.name == "__init__.py" else path) for path in paths]


def exit_reason(status: int) -> str:
    """Return AWS's message for a runtime that exited with a status."""
    if status == 0:
        return "Runtime exited without providing a reason"
    if status < 0:
        return f"Runtime exited with error: signal: {(signal.strsignal(-status) or '').lower()}"
    return f"Runtime exited with error: exit status {status}"


def limited_response(payload: bytes, is_error: bool) -> tuple[bytes, bool]:
    """Return a response, or AWS's error if it is too large."""
    if len(payload) <= RESPONSE_BYTES:
        return payload, is_error
    message = (
        f"Response payload size exceeded maximum allowed payload size ({RESPONSE_BYTES} bytes)."
    )
    error = {"errorMessage": message, "errorType": "Function.ResponseSizeTooLarge"}
    return json.dumps(error).encode(), True


def unzip_code(code: bytes, folder: Path) -> list[str]:
    """Unzip a function's code, and return the files that Lambda's user may not read.

    Python's `writestr` creates such entries (mode 0600); the laptop's own user could read them.
    """
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        archive.extractall(folder)  # It never writes outside the folder.
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
    return [name for name, mode in modes.items() if mode and not mode & 0o004]


def _unreadable_file_error(name: str, handler: str) -> bytes:
    module = handler.rpartition(".")[0]
    message = (
        f"Unable to import module '{module}': [Errno 13] Permission denied: '/var/task/{name}'"
    )
    error = {"errorMessage": message, "errorType": "Runtime.ImportModuleError", "stackTrace": []}
    return json.dumps(error).encode()


def _exchange(
    process: "subprocess.Popen[bytes]", request: bytes, event: bytes
) -> tuple[bytes, bool]:
    stdin, stdout = _pipes(process)
    for frame in (request, event):
        stdin.write(struct.pack(">I", len(frame)) + frame)
    stdin.flush()
    size, is_success = struct.unpack(">I?", stdout.read(5))
    payload = stdout.read(size - 1)
    if len(payload) < size - 1:
        raise BrokenPipeError
    return payload, not is_success


def _pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    """Return a process's stdin and stdout, which it always has here."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("the process was started without pipes")
    return process.stdin, process.stdout


def _environment(function: Function, log_stream: str) -> dict[str, str]:
    """Return the variables that AWS sets, and the function's own."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {
        **inherited,
        "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "_HANDLER": function.handler,
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
        "AWS_REGION": function.region,
        "AWS_DEFAULT_REGION": function.region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_SESSION_TOKEN": function.role,  # So that services know who calls.
        "AWS_CONFIG_FILE": os.devnull,  # A function has no profiles.
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
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
