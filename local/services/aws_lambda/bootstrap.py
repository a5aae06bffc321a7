"""The half of the Lambda runtime that runs inside the function's own interpreter.

It is started as a script under `-I -S`, so it sees neither the project nor installed packages.
Requests come by stdin and answers leave by stdout, in frames: four bytes of length, then the
bytes. Whatever the function prints goes to stderr, which the runtime keeps as its log.
"""

import importlib
import json
import logging
import os
import struct
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO

TASK_ROOT = "/var/task"  # Where AWS unzips a function; traces name it instead of our directory.


class Fault(Exception):
    """An error of the runtime itself, by the name and text that AWS gives it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Context:
    """What a handler gets as its second argument."""

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
        """Return how long the invocation may still take."""
        return max(0, int((self._deadline - time.time()) * 1000))


class RuntimeLog(logging.Handler):
    """Writes records of `logging` the way AWS's runtime does, as text or as JSON."""

    request_id = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record as one line; a message that its arguments do not fit fails the caller.

        That is so on AWS too.
        """
        sys.stderr.write(self._line(record) + "\n")

    def _line(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        if os.environ.get("AWS_LAMBDA_LOG_FORMAT") != "JSON":
            moment = f"{at}.{int(record.msecs):03d}Z"
            return f"[{record.levelname}]\t{moment}\t{self.request_id}\t{self.format(record)}"
        entry = {
            "timestamp": f"{at}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self.request_id,
        }
        return json.dumps(entry, ensure_ascii=False)


def handler_of(name: str) -> Callable[[Any, Context], Any]:
    """Return the function that `module.function` names."""
    module_name, dot, function_name = name.rpartition(".")
    if not dot:
        text = f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)"
        raise Fault("Runtime.MalformedHandlerName", text)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        text = f"Unable to import module '{module_name}': {error}"
        raise Fault("Runtime.ImportModuleError", text) from None
    except SyntaxError as error:
        text = f"Syntax error in module '{module_name}': {error}"
        raise Fault("Runtime.UserCodeSyntaxError", text) from None
    if not hasattr(module, function_name):
        text = f"Handler '{function_name}' missing on module '{module_name}'"
        raise Fault("Runtime.HandlerNotFound", text)
    return getattr(module, function_name)


def marshalled(result: Any) -> bytes:
    """Return a handler's result as JSON."""
    try:
        return json.dumps(result, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise Fault("Runtime.MarshalError", f"Unable to marshal response: {error}") from None


def failure(error: BaseException, request_id: str) -> bytes:
    """Return an error as the payload that AWS answers with, and write it to the log."""
    own = isinstance(error, Fault)
    kind = error.kind if own else type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename != __file__]
    trace = [] if own else [line.replace(os.getcwd(), TASK_ROOT) for line in ours_as_text(ours)]
    sys.stderr.write(f"[ERROR] {kind}: {error}\n{''.join(trace)}")
    payload = {
        "errorMessage": str(error),
        "errorType": kind,
        "requestId": request_id,
        "stackTrace": trace,
    }
    return json.dumps(payload).encode()


def ours_as_text(frames: list[traceback.FrameSummary]) -> list[str]:
    """Return the lines of a stack trace."""
    return traceback.StackSummary.from_list(frames).format()


def frame(stream: BinaryIO) -> bytes:
    """Return the next frame; leave when there is none, because the runtime is gone."""
    head = stream.read(4)
    if len(head) < 4:
        os._exit(0)
    return stream.read(struct.unpack(">I", head)[0])


def reply(stream: BinaryIO, ok: bool, payload: bytes) -> None:
    """Send an answer, after all that the function has written so far."""
    sys.stdout.flush()
    sys.stderr.flush()
    stream.write(struct.pack(">I?", len(payload) + 1, ok) + payload)
    stream.flush()


def answer(handler: Callable[[Any, Context], Any], request: dict[str, Any], event: bytes) -> bytes:
    """Return the handler's answer to one event as JSON."""
    context = Context(request["id"], request["arn"], request["deadline"])
    return marshalled(handler(json.loads(event), context))


def serve(handler_name: str, requests: BinaryIO, replies: BinaryIO, log: RuntimeLog) -> None:
    """Answer requests until there are no more; a start that failed is tried again with the next."""
    handler = None
    while True:
        request, event = json.loads(frame(requests)), frame(requests)
        log.request_id = request["id"]
        try:
            handler = handler or handler_of(handler_name)
            ok, payload = True, answer(handler, request, event)
        except Exception as error:  # Whatever user code raises is this runtime's to report.
            ok, payload = False, failure(error, request["id"])
        reply(replies, ok, payload)


def main() -> None:
    """Keep stdin and stdout for the runtime, send prints to the log, and serve."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace")
    log = RuntimeLog()
    logging.getLogger().addHandler(log)
    logging.getLogger().setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "WARNING"))
    sys.path.insert(0, os.getcwd())
    serve(os.environ["_HANDLER"], requests, replies, log)


if __name__ == "__main__":
    main()
