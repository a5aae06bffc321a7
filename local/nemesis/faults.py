"""What may go wrong with a call that one service makes to another.

A fault is a generator: what it does before its `yield` happens to the request, and what it does
with the answer that it gets there happens to the answer. A fault that raises fails the call, and
one that ends before its `yield` found nothing to spoil.
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

Answer = dict[str, Any]
Fault = Generator[None, Answer, None]

THROTTLES = {
    "dynamodb-streams": "ThrottlingException",
    "kinesis": "ProvisionedThroughputExceededException",
    "lambda": "TooManyRequestsException",
    "s3": "SlowDown",
}
RECORD_LIMIT = 500  # of PutRecords
LONGEST_DELAY = 20 * 60.0  # seconds: longer than any shard iterator lives
FULL = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded."}


class Killed(Exception):
    """The part that was at work is gone, with all that it had in memory."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A call that is about to be made; `dice` decides what a fault leaves open."""

    client: Any
    service: str
    operation: str
    params: dict[str, Any]
    dice: Random
    cloud: Cloud

    @property
    def name(self) -> str:
        """The call as faults are filed."""
        return f"{self.service}.{self.operation}"

    def refuse(self, code: str, status: int) -> NoReturn:
        """Raise the error with which the service refuses the call."""
        said: Any = {"Code": code, "Message": "Drawn by the nemesis."}
        error = {"Error": said, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise self.client.exceptions.from_code(code)(error, self.operation)


def throttled(moment: Moment) -> Fault:
    """The service has too much to do."""
    moment.refuse(THROTTLES.get(moment.service, "ThrottlingException"), 400)
    yield


def failing(moment: Moment) -> Fault:
    """The service has a trouble of its own."""
    moment.refuse("InternalFailure", 500)
    yield


def answer_lost(moment: Moment) -> Fault:
    """The call is done, but nobody hears of it."""
    yield
    raise ConnectionClosedError(endpoint_url=moment.client.meta.endpoint_url)


def killed_before(_: Moment) -> Fault:
    """The caller dies before it does what it is about to do."""
    raise Killed
    yield


def killed_after(_: Moment) -> Fault:
    """The caller dies after it has done something, and before it remembers that."""
    yield
    raise Killed


def delayed(moment: Moment) -> Fault:
    """The call takes its time: mostly seconds, now and then longer than an iterator lives."""
    moment.cloud.clock.advance(LONGEST_DELAY ** moment.dice.random())
    yield


def nothing_yet(moment: Moment) -> Fault:
    """A page of records comes empty, which does not mean that there are none."""
    answer = yield
    answer["Records"] = []
    answer["NextShardIterator"] = moment.params["ShardIterator"]


def short_page(moment: Moment) -> Fault:
    """A page holds fewer records than were asked for."""
    moment.params["Limit"] = moment.dice.randint(1, min(10, moment.params.get("Limit", 10)))
    yield


def partly_refused(moment: Moment) -> Fault:
    """Kinesis takes some records of a batch; the others come later, behind their successors."""
    records = moment.params["Records"]
    if len(records) == 1:
        return
    refused = set(_some(moment.dice, range(len(records)), len(records) - 1))
    moment.params["Records"] = [each for n, each in enumerate(records) if n not in refused]
    answer = yield
    taken = iter(answer["Records"])
    answer["Records"] = [FULL if n in refused else next(taken) for n in range(len(records))]
    answer["FailedRecordCount"] = len(refused)


def reordered(moment: Moment) -> Fault:
    """Kinesis takes a batch in another order than it was sent."""
    records = moment.params["Records"]
    if len(records) == 1:
        return
    order = moment.dice.sample(range(len(records)), len(records))
    moment.params["Records"] = [records[n] for n in order]
    answer = yield
    placed = dict(zip(order, answer["Records"], strict=True))
    answer["Records"] = [placed[n] for n in range(len(records))]


def taken_twice(moment: Moment) -> Fault:
    """Kinesis holds some records of a batch twice."""
    records = moment.params["Records"]
    room = min(len(records), RECORD_LIMIT - len(records))
    if not room:
        return
    twice = _some(moment.dice, records, room)
    moment.params["Records"] = [*records, *twice]
    answer = yield
    del answer["Records"][len(records) :]


def function_failed(_: Moment) -> Fault:
    """The function raises after it has done its work."""
    answer = yield
    _fail(answer, {"errorType": "RuntimeError", "errorMessage": "Drawn by the nemesis."})


def function_timed_out(moment: Moment) -> Fault:
    """The function does not answer in time."""
    answer = yield
    moment.cloud.clock.advance(60)
    _fail(answer, {"errorType": "Sandbox.Timedout", "errorMessage": "Task timed out"})


def function_killed(moment: Moment) -> Fault:
    """The function's process dies after it has done its work."""
    answer = yield
    moment.cloud.service(Lambda).restart()
    text = "Runtime exited with error: signal: killed"
    _fail(answer, {"errorType": "Runtime.ExitError", "errorMessage": text})


ANYWHERE = (throttled, failing, answer_lost, delayed, killed_before, killed_after)
ONLY: dict[str, tuple[Callable[[Moment], Fault], ...]] = {
    "dynamodb-streams.GetRecords": (nothing_yet, short_page),
    "kinesis.GetRecords": (nothing_yet, short_page),
    "kinesis.PutRecords": (partly_refused, reordered, taken_twice),
    "lambda.Invoke": (function_failed, function_timed_out, function_killed),
}


READING = ("Describe", "Get", "List")  # What a call begins with that changes nothing.
READING_SHARE = 0.2  # Such calls are made over and over: they go wrong that much more seldom.


def share(operation: str) -> float:
    """Return how often an operation goes wrong, beside one that changes something."""
    return READING_SHARE if operation.startswith(READING) else 1.0


def faults(call: str) -> Sequence[Callable[[Moment], Fault]]:
    """Return what may go wrong with a call, by its service and operation."""
    return (*ANYWHERE, *ONLY.get(call, ()))


def _some(dice: Random, choices: Iterable[Any], most: int) -> list[Any]:
    """Return at least one of the choices, and at most `most`."""
    return dice.sample(list(choices), dice.randint(1, most))


def _fail(answer: Answer, error: dict[str, str]) -> None:
    payload = json.dumps(error).encode()
    answer["FunctionError"] = "Unhandled"
    answer["Payload"] = StreamingBody(io.BytesIO(payload), len(payload))
