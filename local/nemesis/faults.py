"""Faults of a call that one service makes to another.

A fault is a generator. What it does before its `yield` changes the request; the `yield` returns
the response, which it may then change. A fault that raises fails the call. One that ends before
its `yield` does not apply to the call.
"""

import io
import json
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, NoReturn

from botocore.exceptions import ConnectionClosedError
from botocore.response import StreamingBody

from local.core.server import Cloud
from local.services.aws_lambda import Lambda

Response = dict[str, Any]
Fault = Generator[None, Response, None]

THROTTLING_CODES = {
    "dynamodb-streams": "ThrottlingException",
    "kinesis": "ProvisionedThroughputExceededException",
    "lambda": "TooManyRequestsException",
    "s3": "SlowDown",
}
MAX_PUT_RECORDS = 500
MAX_DELAY_SECONDS = 20 * 60.0  # Longer than the lifetime of any shard iterator.
ERROR_MESSAGE = "Injected fault."
REJECTED_ENTRY = {
    "ErrorCode": "ProvisionedThroughputExceededException",
    "ErrorMessage": "Rate exceeded.",
}
READ_PREFIXES = ("Describe", "Get", "List")
READ_RATE = 0.2  # Services poll with read-only calls, so these fail less often.


class Killed(Exception):
    """The calling service is killed and loses what it has in memory."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """A call that is about to be made; faults draw their details from `rng`."""

    client: Any
    service: str
    operation: str
    params: dict[str, Any]
    rng: Random
    cloud: Cloud

    @property
    def name(self) -> str:
        """The service and the operation, such as `kinesis.PutRecords`."""
        return f"{self.service}.{self.operation}"

    def fail(self, code: str, status: int) -> NoReturn:
        """Raise the error of the service with this code."""
        response: Any = {
            "Error": {"Code": code, "Message": ERROR_MESSAGE},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }
        raise self.client.exceptions.from_code(code)(response, self.operation)


def throttled(call: CallContext) -> Fault:
    """The service throttles the call."""
    call.fail(THROTTLING_CODES.get(call.service, "ThrottlingException"), 400)
    yield


def internal_error(call: CallContext) -> Fault:
    """The service fails with an internal error."""
    call.fail("InternalFailure", 500)
    yield


def response_lost(call: CallContext) -> Fault:
    """The call succeeds, but its response is lost."""
    yield
    raise ConnectionClosedError(endpoint_url=call.client.meta.endpoint_url)


def killed_before(_: CallContext) -> Fault:
    """The caller is killed before the call."""
    raise Killed
    yield


def killed_after(_: CallContext) -> Fault:
    """The caller is killed after the call, before it has processed the response."""
    yield
    raise Killed


def delayed(call: CallContext) -> Fault:
    """The call takes long: usually seconds, sometimes longer than a shard iterator lives."""
    call.cloud.clock.advance(MAX_DELAY_SECONDS ** call.rng.random())
    yield


def empty_page(call: CallContext) -> Fault:
    """A page of records is empty although the shard has more."""
    response = yield
    response["Records"] = []
    response["NextShardIterator"] = call.params["ShardIterator"]


def short_page(call: CallContext) -> Fault:
    """A page has fewer records than the caller's limit."""
    call.params["Limit"] = call.rng.randint(1, min(10, call.params.get("Limit", 10)))
    yield


def partly_rejected(call: CallContext) -> Fault:
    """Kinesis rejects some records of a batch, which the caller then sends behind later ones."""
    records = call.params["Records"]
    if len(records) == 1:
        return
    rejected = set(_sample(call.rng, range(len(records)), len(records) - 1))
    call.params["Records"] = [
        record for index, record in enumerate(records) if index not in rejected
    ]
    response = yield
    accepted = iter(response["Records"])
    response["Records"] = [
        REJECTED_ENTRY if index in rejected else next(accepted) for index in range(len(records))
    ]
    response["FailedRecordCount"] = len(rejected)


def reordered(call: CallContext) -> Fault:
    """Kinesis stores a batch in another order."""
    records = call.params["Records"]
    if len(records) == 1:
        return
    order = call.rng.sample(range(len(records)), len(records))
    call.params["Records"] = [records[index] for index in order]
    response = yield
    entry_by_index = dict(zip(order, response["Records"], strict=True))
    response["Records"] = [entry_by_index[index] for index in range(len(records))]


def duplicated(call: CallContext) -> Fault:
    """Kinesis stores some records of a batch twice."""
    records = call.params["Records"]
    max_duplicates = min(len(records), MAX_PUT_RECORDS - len(records))
    if not max_duplicates:
        return
    duplicates = _sample(call.rng, records, max_duplicates)
    call.params["Records"] = [*records, *duplicates]
    response = yield
    del response["Records"][len(records) :]


def function_failed(_: CallContext) -> Fault:
    """The function raises after it has done its work."""
    response = yield
    _fail_function(response, {"errorType": "RuntimeError", "errorMessage": ERROR_MESSAGE})


def function_timed_out(call: CallContext) -> Fault:
    """The function times out."""
    response = yield
    call.cloud.clock.advance(60)
    error = {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"}
    _fail_function(response, error)


def function_killed(call: CallContext) -> Fault:
    """The function's process is killed after it has done its work."""
    response = yield
    call.cloud.service(Lambda).restart()
    message = "Runtime exited with error: signal: killed"
    _fail_function(response, {"errorType": "Runtime.ExitError", "errorMessage": message})


# The order matters: a seed draws a fault by its position.
COMMON_FAULTS = (throttled, internal_error, response_lost, delayed, killed_before, killed_after)
SPECIFIC_FAULTS: dict[str, tuple[Callable[[CallContext], Fault], ...]] = {
    "dynamodb-streams.GetRecords": (empty_page, short_page),
    "kinesis.GetRecords": (empty_page, short_page),
    "kinesis.PutRecords": (partly_rejected, reordered, duplicated),
    "lambda.Invoke": (function_failed, function_timed_out, function_killed),
}


def relative_rate(operation: str) -> float:
    """Return how often an operation fails, relative to one that is not read-only."""
    return READ_RATE if operation.startswith(READ_PREFIXES) else 1.0


def possible_faults(call_name: str) -> Sequence[Callable[[CallContext], Fault]]:
    """Return the faults of a call such as `kinesis.PutRecords`."""
    return (*COMMON_FAULTS, *SPECIFIC_FAULTS.get(call_name, ()))


def _sample(rng: Random, choices: Iterable[Any], max_count: int) -> list[Any]:
    """Return at least one of the choices, and at most `max_count`."""
    return rng.sample(list(choices), rng.randint(1, max_count))


def _fail_function(response: Response, error: dict[str, str]) -> None:
    payload = json.dumps(error).encode()
    response["FunctionError"] = "Unhandled"
    response["Payload"] = StreamingBody(io.BytesIO(payload), len(payload))
