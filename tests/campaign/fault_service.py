"""Fault injection at the API: a service in front of the others that fails chosen calls."""

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

PUT_RECORDS_CALL, INVOKE_CALL, QUERY_CALL = "PutRecords", "Invoke", "StartQueryExecution"
RATE_EXCEEDED = "Rate exceeded."
REJECTED_ENTRY = {
    "ErrorCode": "ProvisionedThroughputExceededException",
    "ErrorMessage": RATE_EXCEEDED,
}


class FaultService(Service):
    """Fails calls with the faults `queued` for their kind while active; `injected` counts them."""

    credential_scopes = ("athena", "kinesis", "lambda")

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.queued: dict[str, deque[str]] = {kind: deque() for kind in FAULTS}
        self.injected: Counter[str] = Counter()
        self._is_active = False

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        """Return the response of the next queued fault, or None to let the call pass."""
        kind = INVOKE_CALL if request.path.endswith("/invocations") else request.operation
        queued = self.queued.get(kind)
        if not self._is_active or not queued:
            return None
        fault = queued.popleft()
        self.injected[f"{kind} {fault}"] += 1
        faults = {**FAULTS[kind], **SABOTAGES}
        return faults[fault](self.cloud, request)

    def clear(self) -> None:
        """Discard the queued faults."""
        for queued in self.queued.values():
            queued.clear()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Inject faults within the block."""
        self._is_active = True
        try:
            yield
        finally:
            self._is_active = False


def _throttle_put(*_: object) -> ApiResponse:
    raise AwsError("ProvisionedThroughputExceededException", RATE_EXCEEDED)


def _throttle_invoke(*_: object) -> ApiResponse:
    raise AwsError("TooManyRequestsException", RATE_EXCEEDED, 429)


def _handle(service: Service, request: ApiRequest) -> ApiResponse:
    """Return the response of a service that handles the call itself."""
    response = service.handle(request)
    assert response is not None
    return response


# The entries of requests and responses, which are JSON.
def _put_records(cloud: Cloud, request: ApiRequest, records: list[Any]) -> list[Any]:
    """Put these records instead of the request's, and return the entry of each."""
    body = dumps({**request.params, "Records": records}).encode()
    response = _handle(cloud.service(Kinesis), replace(request, body=body))
    payload = response.payload
    if response.status != 200:
        raise AwsError(payload["__type"], payload.get("message", ""), response.status)
    entries: list[Any] = payload["Records"]
    return entries


def _lose_put_response(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    _put_records(cloud, request, request.params["Records"])
    raise AwsError("InternalFailure", "The response was lost.", 500)


def _store_twice(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    records = request.params["Records"]
    duplicates = records[: PUT_RECORDS - len(records)]
    entries = _put_records(cloud, request, [*records, *duplicates])
    return json_response({"FailedRecordCount": 0, "Records": entries[: len(records)]})


def _reorder(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    entries = _put_records(cloud, request, request.params["Records"][::-1])
    return json_response({"FailedRecordCount": 0, "Records": entries[::-1]})


def _reject_every_other(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    """Reject every other record, so that the caller sends it again after its successor."""
    records = request.params["Records"]
    if len(records) == 1:
        return _throttle_put()
    accepted = iter(_put_records(cloud, request, records[1::2]))
    entries = [next(accepted) if index % 2 else REJECTED_ENTRY for index in range(len(records))]
    return json_response({"FailedRecordCount": entries.count(REJECTED_ENTRY), "Records": entries})


def _drop_silently(_: Cloud, request: ApiRequest) -> ApiResponse:
    """Drop records that the response acknowledges, which Kinesis itself never does."""
    entries = [{"SequenceNumber": "1", "ShardId": "shardId-0"} for _ in request.params["Records"]]
    return json_response({"FailedRecordCount": 0, "Records": entries})


def _lose_invoke_response(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    _handle(cloud.service(Lambda), request)
    raise AwsError("ServiceException", "The response was lost.", 500)


def _kill_function(cloud: Cloud) -> ApiResponse:
    """Kill the function's process, and return the response of Lambda to that."""
    cloud.service(Lambda).restart()
    error = {"errorType": "Runtime.ExitError", "errorMessage": "Runtime exited: signal: killed"}
    return ApiResponse(dumps(error).encode(), headers=(("X-Amz-Function-Error", "Unhandled"),))


def _kill_before_invoke(cloud: Cloud, _: ApiRequest) -> ApiResponse:
    return _kill_function(cloud)


def _kill_after_invoke(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    _handle(cloud.service(Lambda), request)
    return _kill_function(cloud)


def _kill_query(cloud: Cloud, request: ApiRequest) -> ApiResponse:
    """Restart Athena as soon as it has started a query."""
    athena = cloud.service(Athena)
    response = _handle(athena, request)
    athena.restart()
    return response


Fault = Callable[[Cloud, ApiRequest], ApiResponse]
PARTLY_REJECTED = "partly rejected"
FAULTS: dict[str, dict[str, Fault]] = {
    PUT_RECORDS_CALL: {
        "response lost": _lose_put_response,
        PARTLY_REJECTED: _reject_every_other,
        "reordered": _reorder,
        "stored twice": _store_twice,
        "throttled": _throttle_put,
    },
    INVOKE_CALL: {
        "response lost": _lose_invoke_response,
        "killed before": _kill_before_invoke,
        "killed after": _kill_after_invoke,
        "throttled": _throttle_invoke,
    },
    QUERY_CALL: {"query killed": _kill_query},
}
SABOTAGES: dict[str, Fault] = {"dropped silently": _drop_silently}
