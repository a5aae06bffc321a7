"""A part in front of all others that lets calls between the services go wrong, as it is told to."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from json import dumps
from typing import Any

from local.core.request import ApiRequest, ApiResponse, AwsError, json_response
from local.core.server import Cloud
from local.core.service import Service
from local.services.athena import Athena
from local.services.aws_lambda import Lambda
from local.services.kinesis.service import PUT_RECORDS, Kinesis

PUT, INVOKE, ASK = "PutRecords", "Invoke", "StartQueryExecution"
FULL = {"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded."}


class Storm(Service):
    """While it rages, calls meet what is `coming` for their kind; `struck` counts what did."""

    credential_scopes = ("athena", "kinesis", "lambda")

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.coming: dict[str, deque[str]] = {kind: deque() for kind in FAULTS}
        self.struck: Counter[str] = Counter()
        self._rages = False

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the reply to a call that goes wrong, and let all others pass."""
        kind = INVOKE if request.path.endswith("/invocations") else request.operation
        coming = self.coming.get(kind)
        if not self._rages or not coming:
            return None
        fault = coming.popleft()
        self.struck[f"{kind} {fault}"] += 1
        return {**FAULTS[kind], **SABOTAGES}[fault](self.cloud, request)

    def calm(self) -> None:
        """Let nothing more come."""
        for coming in self.coming.values():
            coming.clear()

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Let calls go wrong as long as this lasts."""
        self._rages = True
        try:
            yield
        finally:
            self._rages = False


def _throttled_put(*_: Any) -> ApiResponse:
    raise AwsError("ProvisionedThroughputExceededException", "Rate exceeded.")


def _throttled_invoke(*_: Any) -> ApiResponse:
    raise AwsError("TooManyRequestsException", "Rate exceeded.", 429)


def _put(cloud: Cloud, request: ApiRequest, records: list[Any]) -> list[Any]:
    """Put records, and return what became of each."""
    body = dumps({**request.params, "Records": records}).encode()
    response = cloud.service(Kinesis).handle(replace(request, body=body))
    if response.status != 200:
        raise AwsError(
            response.payload["__type"], response.payload.get("message", ""), response.status
        )
    return response.payload["Records"]


def _answer_lost(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    _put(cloud, request, request.params["Records"])
    raise AwsError("InternalFailure", "The answer was lost.", 500)


def _taken_twice(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    records = request.params["Records"]
    twice = records[: PUT_RECORDS - len(records)]
    results = _put(cloud, request, [*records, *twice])[: len(records)]
    return json_response({"FailedRecordCount": 0, "Records": results})


def _reordered(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    results = _put(cloud, request, request.params["Records"][::-1])[::-1]
    return json_response({"FailedRecordCount": 0, "Records": results})


def _partly_refused(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    """Kinesis takes every second record; the others come later, behind their successors."""
    records = request.params["Records"]
    if len(records) == 1:
        return _throttled_put()
    taken = iter(_put(cloud, request, records[1::2]))
    results = [next(taken) if place % 2 else FULL for place in range(len(records))]
    return json_response({"FailedRecordCount": results.count(FULL), "Records": results})


def _swallowed(_: Cloud, request: ApiRequest) -> ApiResponse:
    """Kinesis loses what it says that it took, as it never does: a sabotage."""
    results = [{"SequenceNumber": "1", "ShardId": "shardId-0"} for _ in request.params["Records"]]
    return json_response({"FailedRecordCount": 0, "Records": results})


def _invoke_answer_lost(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    cloud.service(Lambda).handle(request)
    raise AwsError("ServiceException", "The answer was lost.", 500)


def _died(cloud: Cloud) -> ApiResponse:
    """End the function's process, and return what Lambda says of that."""
    cloud.service(Lambda).restart()
    said = {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited: signal: killed"}
    return ApiResponse(dumps(said).encode(), headers=(("X-Amz-Function-Error", "Unhandled"),))


def _died_first(cloud: Cloud, _: ApiRequest) -> ApiResponse:
    return _died(cloud)


def _died_then(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    cloud.service(Lambda).handle(request)
    return _died(cloud)


def _query_died(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    """Athena dies as soon as it has begun with a query."""
    response = cloud.service(Athena).handle(request)
    cloud.service(Athena).restart()
    return response


Fault = Callable[[Cloud, ApiRequest], ApiResponse]
FAULTS: dict[str, dict[str, Fault]] = {
    PUT: {
        "throttled": _throttled_put,
        "answer lost": _answer_lost,
        "taken twice": _taken_twice,
        "reordered": _reordered,
        "partly refused": _partly_refused,
    },
    INVOKE: {
        "throttled": _throttled_invoke,
        "answer lost": _invoke_answer_lost,
        "died first": _died_first,
        "died then": _died_then,
    },
    ASK: {"query died": _query_died},
}
SABOTAGES: dict[str, Fault] = {"swallowed": _swallowed}
