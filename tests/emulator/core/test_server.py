"""The laptop cloud's server: routing of calls, responses, ticks and time."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any, ClassVar
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from local.core.clock import Clock
from local.core.request import ApiRequest, ApiResponse, AwsError, error_response, json_response
from local.core.server import HOST, Cloud
from local.core.service import Service
from tests.support.laptop_cloud import aws, empty_account, laptop


class RecordingService(Service):
    """Records the calls of some AWS services, and leaves them to moto."""

    credential_scopes = ("kinesis", "sqs", "dynamodb", "firehose", "s3", "pipes")
    requests: ClassVar[list[ApiRequest]] = []
    guarded_clients: ClassVar[list[tuple[Any, ...]]] = []

    def guard_client(self, *arguments: Any) -> None:
        self.guarded_clients.append(arguments)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        self.requests.append(request)
        return None


class RejectingService(Service):
    """Rejects every call."""

    credential_scopes = ("athena", "pipes", "glue")

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        raise AwsError("ConflictException", f"{request.service} is busy", 409)


class RewritingService(Service):
    """Changes the request that moto gets, and moto's response."""

    credential_scopes = ("logs",)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        body = json.dumps({"logGroupName": "renamed"}).encode()
        response = self.cloud.forward_to_moto(
            request, body if request.operation == "CreateLogGroup" else None
        )
        if not response.body:
            return response
        return json_response({**response.payload, "nextToken": "added"})


class BuggyService(Service):
    """Fails with an error that nobody foresaw, or reads a member of the request."""

    credential_scopes = ("events",)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        return json_response({"Name": request.params["Name"] + 1})


class TimedService(Service):
    """Has work at given times, and records when it did it."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.due_times: list[float] = []
        self.done_times: list[float] = []

    def tick(self) -> bool:
        now = self.cloud.clock.now()
        ready = [time for time in self.due_times if time <= now]
        self.due_times = [time for time in self.due_times if time > now]
        self.done_times += [now for _ in ready]
        return bool(ready)

    def next_due_at(self) -> float | None:
        return min(self.due_times, default=None)


class FirstTimedService(TimedService):
    """The first of two timed services."""


class SecondTimedService(TimedService):
    """The second of two timed services."""


@pytest.fixture(scope="module")
def shared_cloud() -> Iterator[Cloud]:
    with laptop(
        RecordingService,
        RejectingService,
        RewritingService,
        BuggyService,
        FirstTimedService,
        SecondTimedService,
        region="eu-west-1",
        has_connections=True,
    ) as cloud:
        yield cloud


@pytest.fixture
def cloud(shared_cloud: Cloud) -> Cloud:
    """An empty account, without recorded calls."""
    empty_account()
    RecordingService.requests.clear()
    return shared_cloud


def test_signature_selects_the_service(cloud: Cloud) -> None:
    boto3.client("kinesis").list_streams()
    boto3.client("sqs").list_queues()
    boto3.client("sns").list_topics()
    assert [(request.service, request.operation) for request in RecordingService.requests] == [
        ("kinesis", "ListStreams"),
        ("sqs", "ListQueues"),
    ]


def test_dynamodb_streams_calls_go_to_dynamodb(cloud: Cloud) -> None:
    boto3.client("dynamodbstreams").list_streams()
    assert [(request.service, request.operation) for request in RecordingService.requests] == [
        ("dynamodb", "ListStreams")
    ]


def test_request_has_region_path_and_parameters(cloud: Cloud) -> None:
    boto3.client("kinesis", region_name="us-west-2").create_stream(StreamName="s", ShardCount=1)
    request = RecordingService.requests[0]
    assert (request.region, request.method, request.path) == ("us-west-2", "POST", "/")
    assert request.params == {"StreamName": "s", "ShardCount": 1}


def test_rest_call_has_a_path_and_a_query(cloud: Cloud) -> None:
    with pytest.raises(ClientError):  # RejectingService gets it next.
        boto3.client("pipes").list_pipes(NamePrefix="sales &", Limit=3)
    request = RecordingService.requests[0]
    assert (request.operation, request.method, request.path) == ("", "GET", "/v1/pipes")
    assert request.query == {"NamePrefix": "sales &", "Limit": "3"}
    assert request.params == {}


def test_unhandled_calls_go_to_moto(cloud: Cloud) -> None:
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    assert len(RecordingService.requests) == 1
    assert kinesis.list_streams()["StreamNames"] == ["s"]


def test_moto_gets_the_forwarded_body(cloud: Cloud) -> None:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="original")
    response = logs.describe_log_groups()
    assert [group["logGroupName"] for group in response["logGroups"]] == ["renamed"]
    assert response["nextToken"] == "added"


def test_services_get_bucket_policies_not_objects(cloud: Cloud) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="lake", Key="x", Body=b"\x00\xff" * 1000)
    assert s3.get_object(Bucket="lake", Key="x")["Body"].read() == b"\x00\xff" * 1000
    assert RecordingService.requests == []
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    s3.put_bucket_policy(Bucket="lake", Policy=policy)
    assert s3.get_bucket_policy(Bucket="lake")["Policy"] == policy
    assert [(request.service, request.method) for request in RecordingService.requests] == [
        ("s3", "PUT"),
        ("s3", "GET"),
    ]


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_url_goes_to_s3(cloud: Cloud, version: str) -> None:
    s3 = boto3.client("s3", config=Config(signature_version=version))
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="lake", Key="a b", Body=b"text")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "lake", "Key": "a b"})
    with urlopen(url) as response:
        assert response.read() == b"text"


def test_url_presigned_for_sqs_goes_to_sqs(cloud: Cloud) -> None:
    sqs = boto3.client("sqs")
    url = sqs.generate_presigned_url("list_queues")
    with urlopen(Request(url, data=b"", method="POST")) as response:
        response.read()
    assert [request.service for request in RecordingService.requests] == ["sqs"]


@pytest.mark.parametrize(
    ("service", "operation"), [("athena", "list_work_groups"), ("pipes", "list_pipes")]
)
def test_both_json_protocols_carry_errors(cloud: Cloud, service: str, operation: str) -> None:
    with pytest.raises(ClientError) as raised:
        getattr(aws(service), operation)()
    response = raised.value.response
    assert response["Error"]["Code"] == "ConflictException"
    assert response["Error"]["Message"] == f"{service} is busy"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_error_becomes_the_modeled_exception(cloud: Cloud) -> None:
    pipes = boto3.client("pipes")
    with pytest.raises(pipes.exceptions.ConflictException):
        pipes.list_pipes()


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3))
def test_json_response_round_trips(payload: dict[str, Any]) -> None:
    assert json_response(payload).payload == payload


def test_error_code_is_in_header_and_body() -> None:
    response = error_response(AwsError("Code", "reason", 404))
    assert response.status == 404
    assert dict(response.headers)["x-amzn-errortype"] == "Code"
    assert response.payload == {"__type": "Code", "message": "reason", "Message": "reason"}


def test_empty_bodies_have_no_parameters() -> None:
    assert ApiRequest("s", "", "GET", "/", {}, "", b"", {}).params == {}
    assert ApiResponse().payload == {}


def test_cloud_listens_on_loopback_only(cloud: Cloud) -> None:
    assert urlsplit(cloud.endpoint).hostname == HOST == "127.0.0.1"
    addresses = {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    for address in addresses - {HOST}:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as client:
            client.settimeout(2)
            assert client.connect_ex((address, urlsplit(cloud.endpoint).port)) != 0


def response_headers(cloud: Cloud, method: str, **headers: str) -> http.client.HTTPMessage:
    connection = http.client.HTTPConnection(urlsplit(cloud.endpoint).netloc)
    connection.request(method, "/", headers=headers)
    response = connection.getresponse()
    connection.close()
    return response.headers


@pytest.mark.parametrize("service", ["s3", "kinesis", "athena"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_web_page_may_read_a_response(cloud: Cloud, service: str, method: str) -> None:
    scope = f"AWS4-HMAC-SHA256 Credential=x/20261123/eu-west-1/{service}/aws4_request"
    headers = response_headers(
        cloud, method, Authorization=scope, Origin="https://example.com", **PREFLIGHT
    )
    assert [name for name in headers if name.lower().startswith("access-control")] == []


PREFLIGHT = {"Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize("service", ["s3", "kinesis", "athena"])
def test_response_has_one_content_length(cloud: Cloud, service: str) -> None:
    scope = f"AWS4-HMAC-SHA256 Credential=x/20261123/eu-west-1/{service}/aws4_request"
    headers = response_headers(cloud, "GET", Authorization=scope)
    assert len(headers.get_all("Content-Length", [])) == 1


def post(cloud: Cloud, service: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
    """Return the status, the content type and the body of the response to a raw call."""
    scope = f"AWS4-HMAC-SHA256 Credential=x/20261123/eu-west-1/{service}/aws4_request, x"
    connection = http.client.HTTPConnection(urlsplit(cloud.endpoint).netloc)
    connection.request("POST", "/", body, {"Authorization": scope, **headers})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response.status, response.headers["Content-Type"], content


TARGETS = {
    "dynamodb": "DynamoDB_20120810.ListTables",
    "kinesis": "Kinesis_20131202.ListStreams",
    "events": "AWSEvents.ListRules",
    "kms": "TrentService.ListKeys",
}


@pytest.mark.parametrize("service", TARGETS)
@pytest.mark.parametrize("body", [b"{no", b"[1]", b"7", b'{"a":' * 5000, b"\xff", b'{"a":1}}'])
def test_malformed_json_is_rejected_as_by_aws(
    cloud: Cloud, service: str, body: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    target = {"X-Amz-Target": TARGETS[service], "Content-Type": "application/x-amz-json-1.1"}
    status, content_type, content = post(cloud, service, body, **target)
    assert (status, content_type) == (400, "application/x-amz-json-1.1")
    assert json.loads(content)["__type"] == "SerializationException"
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [({}, 400, "ValidationException"), ({"Name": "x"}, 500, "InternalFailure")],
)
def test_error_inside_a_service_has_a_code(
    cloud: Cloud, capfd: pytest.CaptureFixture[str], name: Any, status: int, code: str
) -> None:
    response = post(cloud, "events", json.dumps(name).encode())
    assert response[0] == status
    assert json.loads(response[2])["__type"] == code
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("service", "body", "start"),
    [
        ("s3", b'{"a":' * 200_000, b"<Error><Code>InternalFailure"),
        ("lambda", b"", b'{"__type": "UnknownOperation'),
    ],
)
def test_moto_never_answers_with_html(
    cloud: Cloud, capfd: pytest.CaptureFixture[str], service: str, body: bytes, start: bytes
) -> None:
    _, content_type, content = post(cloud, service, body, **{"Content-Type": "application/json"})
    assert "html" not in content_type
    assert content.startswith(start)
    assert capfd.readouterr() == ("", "")


def test_clients_are_cached_by_service_and_role(cloud: Cloud) -> None:
    assert cloud.client("sqs") is cloud.client("sqs")
    role = "arn:aws:iam::123456789012:role/r"
    source = "arn:aws:pipes:eu-west-1::pipe/p"
    client = cloud.client("sqs", role, "pipes.amazonaws.com", source)
    assert client is not cloud.client("sqs")
    assert client is cloud.client("sqs", role, "pipes.amazonaws.com", source)
    context = {"aws:SourceArn": source}
    assert RecordingService.guarded_clients == [(client, role, "pipes.amazonaws.com", context)]


def test_concurrent_threads_get_the_same_client(cloud: Cloud) -> None:
    clients: list[Any] = []
    threads = [
        threading.Thread(target=lambda: clients.append(cloud.client("ssm"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in clients}) == 1


def test_service_is_found_by_its_type(cloud: Cloud) -> None:
    assert cloud.service(RejectingService) is cloud.services[1]


def test_run_until_idle_works_in_order_of_time(cloud: Cloud) -> None:
    start = cloud.clock.now()
    done_times: list[float] = []
    first = cloud.service(FirstTimedService)
    second = cloud.service(SecondTimedService)
    first.due_times = [start + 7200, start + 60]
    second.due_times = [start + 3600]
    first.done_times = second.done_times = done_times
    cloud.run_until_idle()
    assert done_times == [pytest.approx(start + wait, abs=30) for wait in (60, 3600, 7200)]


def test_tick_returns_whether_any_service_worked(cloud: Cloud) -> None:
    service = cloud.service(FirstTimedService)
    assert not cloud.tick()
    service.due_times = [cloud.clock.now()]
    assert cloud.tick()
    assert not cloud.tick()


@given(st.lists(st.floats(-1e6, 1e6), max_size=5))
def test_time_never_goes_back(waits: list[float]) -> None:
    clock = Clock()
    before = clock.now()
    for seconds in waits:
        clock.advance(seconds)
        assert before + max(0.0, seconds) <= clock.now() + 1e-3
        before = clock.now()


def test_close_closes_the_services_and_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    closed_services: list[Service] = []

    def record_close(service: Service) -> None:
        closed_services.append(service)

    monkeypatch.setattr(FirstTimedService, "close", record_close)
    cloud = Cloud((FirstTimedService,))
    port = urlsplit(cloud.endpoint).port
    cloud.close()
    assert closed_services == list(cloud.services)
    with socket.socket() as client:
        client.settimeout(2)
        assert client.connect_ex((HOST, port)) != 0


class PollingService(Service):
    """A service whose poll falls due just after a tick, and finds no work."""

    polls = True

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.is_due = True
        self.was_checked = False

    def tick(self) -> bool:
        self.is_due = not (self.polls and self.was_checked)
        return False

    def next_due_at(self) -> float | None:
        self.was_checked = True
        return 0.0 if self.is_due else None


class StuckService(PollingService):
    """A service that reports work due and never does it."""

    polls = False


def test_due_poll_without_work_ends_the_wait() -> None:
    with laptop(PollingService, has_connections=True) as cloud:
        cloud.run_until_idle()
        assert not cloud.service(PollingService).is_due


def test_due_work_without_progress_raises() -> None:
    with (
        laptop(StuckService, has_connections=True) as cloud,
        pytest.raises(RuntimeError, match="work due but makes no progress"),
    ):
        cloud.run_until_idle()
