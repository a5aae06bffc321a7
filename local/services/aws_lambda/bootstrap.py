"""Lambda runtime inside the function's own interpreter.

It is started as a script with `-I -S`, so it sees neither the project nor installed packages, but
for those whose paths are its arguments: boto3 and what it needs, as in AWS's runtime.
Requests arrive on stdin and responses leave on stdout, in frames: four bytes of length, then the
content. Everything that the function prints goes to stderr, which is its log.
"""

import ctypes
import importlib
import json
import logging
import os
import struct
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.util import spec_from_file_location
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO

TASK_ROOT = "/var/task"  # AWS's folder for the code; stack traces show it instead of ours.

# What a function may read besides Python and its own code: the system's libraries and settings.
SYSTEM_FOLDERS = ("/usr", "/lib", "/lib64", "/bin", "/opt", "/nix", "/etc")
# Numbers of Linux's kernel: https://docs.kernel.org/userspace-api/landlock.html
PR_SET_NO_NEW_PRIVS = 38
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
RIGHTS_BY_VERSION = (0, 13, 14, 15, 15, 16)  # How many rights each version of Landlock knows.
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER = 1, 2, 4, 8


class RuntimeFault(Exception):
    """An error of the runtime itself, with AWS's error type and message."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class Context:
    """The second argument of a handler."""

    def __init__(self, request_id: str, arn: str, deadline: float) -> None:
        self.aws_request_id = request_id
        self.invoked_function_arn = arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self) -> int:
        """Return the time left until the timeout."""
        return max(0, int((self._deadline - time.time()) * 1000))


Handler = Callable[[Any, Context], Any]


class RuntimeLog(logging.Handler):
    """Formats records of `logging` as AWS's runtime does, as text or JSON."""

    request_id = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line; as on AWS, wrong format arguments raise in the caller."""
        sys.stderr.write(self._line(record) + "\n")

    def _line(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        if os.environ.get("AWS_LAMBDA_LOG_FORMAT") != "JSON":
            timestamp = f"{seconds}.{int(record.msecs):03d}Z"
            return f"[{record.levelname}]\t{timestamp}\t{self.request_id}\t{self.format(record)}"
        entry = {
            "timestamp": f"{seconds}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self.request_id,
        }
        return json.dumps(entry, ensure_ascii=False)


class FileAccess:
    """Linux's Landlock: after `enforce`, this process can open only the files that were allowed."""

    def __init__(self) -> None:
        if sys.platform != "linux":
            raise OSError("Landlock exists on Linux only")
        self._libc = ctypes.CDLL(None, use_errno=True)
        version = self._call(LANDLOCK_CREATE_RULESET, None, 0, 1)
        self.all_rights = (1 << RIGHTS_BY_VERSION[min(version, 5)]) - 1
        handled = struct.pack("=Q", self.all_rights)
        self._rules = self._call(LANDLOCK_CREATE_RULESET, handled, len(handled), 0)

    def allow(self, path: str, rights: int) -> None:
        """Allow these rights on a file, or on a folder and all below it, if it exists."""
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_PATH)
            rule = struct.pack("=Qi", rights, descriptor)
            self._call(LANDLOCK_ADD_RULE, self._rules, 1, rule, 0)
            os.close(descriptor)

    def enforce(self) -> None:
        """Restrict this process, and those that it starts, for good."""
        self._libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        self._call(LANDLOCK_RESTRICT_SELF, self._rules, 0)
        os.close(self._rules)

    def _call(self, *arguments: Any) -> int:
        result: int = self._libc.syscall(*arguments)
        if result < 0:
            raise OSError(ctypes.get_errno(), "Landlock refused")
        return result


class RuntimePackages:
    """Finds the packages of the runtime, and no other in the folders that they lie in."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = {Path(path).stem: Path(path) for path in paths}

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        """Return the spec of a package, or None for any other module."""
        if name not in self._paths:
            return None
        package = self._paths[name]
        return spec_from_file_location(
            name, package / "__init__.py" if package.is_dir() else package
        )


def restrict_files() -> None:
    """Leave this process only the files that a function needs, where Linux can do so.

    As on AWS it reads its code and writes only below its temporary folder.
    """
    with suppress(OSError):
        access = FileAccess()
        for path in (*SYSTEM_FOLDERS, sys.base_prefix, sys.base_exec_prefix, str(Path.cwd())):
            access.allow(path, EXECUTE | READ_FILE | READ_FOLDER)
        for path in sys.argv[1:]:
            folder_rights = READ_FOLDER if Path(path).is_dir() else 0
            access.allow(path, EXECUTE | READ_FILE | folder_rights)
        access.allow(os.path.realpath("/etc/resolv.conf"), READ_FILE)
        for device in ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"):
            access.allow(device, READ_FILE | WRITE_FILE)
        access.allow(os.environ["TMPDIR"], access.all_rights)
        access.enforce()


def load_handler(name: str) -> Handler:
    """Import and return the function named `module.function`."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        message = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise RuntimeFault("Runtime.MalformedHandlerName", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = f"Unable to import module '{module_name}': {error}"
        raise RuntimeFault("Runtime.ImportModuleError", message) from None
    except SyntaxError as error:
        message = f"Syntax error in module '{module_name}': {error}"
        raise RuntimeFault("Runtime.UserCodeSyntaxError", message) from None
    if not hasattr(module, function_name):
        message = f"Handler '{function_name}' missing on module '{module_name}'"
        raise RuntimeFault("Runtime.HandlerNotFound", message)
    handler: Handler = getattr(module, function_name)
    return handler


def marshal(result: Any) -> bytes:
    """Return a handler's result as JSON."""
    try:
        return json.dumps(result, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise RuntimeFault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def report_error(error: BaseException, request_id: str) -> bytes:
    """Write an error to the log, and return it as AWS's payload."""
    if isinstance(error, RuntimeFault):
        error_type = error.error_type
        trace = []
    else:
        error_type = type(error).__name__
        trace = stack_trace(error)
    sys.stderr.write(f"[ERROR] {error_type}: {error}\n{''.join(trace)}")
    payload = {
        "errorMessage": str(error),
        "errorType": error_type,
        "requestId": request_id,
        "stackTrace": trace,
    }
    return json.dumps(payload).encode()


def stack_trace(error: BaseException) -> list[str]:
    """Return the lines of an error's stack trace, without the frames of this file."""
    frames = traceback.extract_tb(error.__traceback__)
    user_frames = [frame for frame in frames if frame.filename != __file__]
    lines = traceback.StackSummary.from_list(user_frames).format()
    return [line.replace(str(Path.cwd()), TASK_ROOT) for line in lines]


def read_frame(stream: BinaryIO) -> bytes:
    """Return the next frame; exit at the end of the stream, because the cloud has closed it."""
    head = stream.read(4)
    if len(head) < 4:
        os._exit(0)
    return stream.read(struct.unpack(">I", head)[0])


def send_response(stream: BinaryIO, is_success: bool, payload: bytes) -> None:
    """Send a response, after all output that the function has written so far."""
    sys.stdout.flush()
    sys.stderr.flush()
    stream.write(struct.pack(">I?", len(payload) + 1, is_success) + payload)
    stream.flush()


def call_handler(handler: Handler, request: dict[str, Any], event: bytes) -> bytes:
    """Return the handler's result for one event as JSON."""
    context = Context(request["id"], request["arn"], request["deadline"])
    return marshal(handler(json.loads(event), context))


def serve(handler_name: str, requests: BinaryIO, responses: BinaryIO, log: RuntimeLog) -> None:
    """Handle requests until stdin closes; load the handler again if that has failed."""
    handler = None
    while True:
        request = json.loads(read_frame(requests))
        event = read_frame(requests)
        log.request_id = request["id"]
        try:
            handler = handler or load_handler(handler_name)
            payload = call_handler(handler, request, event)
        except Exception as error:  # noqa: BLE001 - the runtime reports every error of user code.
            send_response(responses, False, report_error(error, request["id"]))
        else:
            send_response(responses, True, payload)


def main() -> None:
    """Reserve stdin and stdout for the runtime, send prints to the log, and serve."""
    requests = os.fdopen(os.dup(0), "rb")
    responses = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    restrict_files()
    log = RuntimeLog()
    logging.getLogger().addHandler(log)
    logging.getLogger().setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "WARNING"))
    sys.path.insert(0, str(Path.cwd()))
    sys.meta_path.append(RuntimePackages(sys.argv[1:]))
    serve(os.environ["_HANDLER"], requests, responses, log)


if __name__ == "__main__":
    main()
