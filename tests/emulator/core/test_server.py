"""The laptop cloud's core: whose call it is, what is answered, and how time passes."""

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
from tests.support.laptop_cloud import empty_account, laptop


class Watcher(Service):
    """Sees the calls of some services, and lets moto answer them."""

    credential_scopes = ("kinesis", "sqs", "dynamodb", "firehose", "s3", "pipes")
    seen: ClassVar[list[ApiRequest]] = []
    guarded: ClassVar[list[tuple[Any, ...]]] = []

    def guard_client(self, *arguments: Any) -> None:
        self.guarded.append(arguments)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        self.seen.append(request)
        return None


class Refuser(Service):
    """Refuses all that it is asked for."""

    credential_scopes = ("athena", "pipes", "glue")

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        raise AwsError("ConflictException", f"{request.service} is busy", 409)


class Renamer(Service):
    """Passes moto another body than came, and adds to its answer."""

    credential_scopes = ("logs",)

    def handle(self, request: ApiRequest) -> ApiResponse | None:
        body = json.dumps({"logGroupName": "renamed"}).encode()
        response = self.cloud.forward_to_moto(
            request, body if request.operation == "CreateLogGroup" else None
        )
        return (
            json_response({**response.payload, "nextToken": "added"}) if response.body else response
        )


class Alarm(Service):
    """Has work at set times, and notes when it did it."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.due: list[float] = []
        self.done: list[float] = []

    def tick(self) -> bool:
        now = self.cloud.clock.now()
        ready = [at for at in self.due if at <= now]
        self.due = [at for at in self.due if at > now]
        self.done += [now for _ in ready]
        return bool(ready)

    def next_due_at(self) -> float | None:
        return min(self.due, default=None)


class Sleeper(Alarm):
    """One of two that wait."""


class OtherSleeper(Alarm):
    """The other."""


@pytest.fixture(scope="module")
def running() -> Iterator[Cloud]:
    with laptop(Watcher, Refuser, Renamer, Sleeper, OtherSleeper, region="eu-west-1") as cloud:
        yield cloud


@pytest.fixture
def cloud(running: Cloud) -> Cloud:
    """An empty account, in which no call was seen yet."""
    empty_account()
    Watcher.seen.clear()
    return running


def test_a_call_goes_to_the_part_whose_service_it_was_signed_for(cloud: Cloud) -> None:
    boto3.client("kinesis").list_streams()
    boto3.client("sqs").list_queues()
    boto3.client("sns").list_topics()
    assert [(request.service, request.operation) for request in Watcher.seen] == [
        ("kinesis", "ListStreams"),
        ("sqs", "ListQueues"),
    ]


def test_streams_of_tables_are_calls_of_dynamodb(cloud: Cloud) -> None:
    boto3.client("dynamodbstreams").list_streams()
    assert [(request.service, request.operation) for request in Watcher.seen] == [
        ("dynamodb", "ListStreams")
    ]


def test_a_call_says_what_was_asked_for_and_where(cloud: Cloud) -> None:
    boto3.client("kinesis", region_name="us-west-2").create_stream(StreamName="s", ShardCount=1)
    request = Watcher.seen[0]
    assert (request.region, request.method, request.path) == ("us-west-2", "POST", "/")
    assert request.params == {"StreamName": "s", "ShardCount": 1}


def test_a_rest_call_has_a_path_and_a_query_instead_of_an_operation(cloud: Cloud) -> None:
    with pytest.raises(ClientError):  # The part after the watcher refuses it.
        boto3.client("pipes").list_pipes(NamePrefix="sales &", Limit=3)
    request = Watcher.seen[0]
    assert (request.operation, request.method, request.path) == ("", "GET", "/v1/pipes")
    assert request.query == {"NamePrefix": "sales &", "Limit": "3"}
    assert request.params == {}


def test_what_a_part_leaves_alone_moto_answers(cloud: Cloud) -> None:
    kinesis = boto3.client("kinesis")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    assert len(Watcher.seen) == 1
    assert kinesis.list_streams()["StreamNames"] == ["s"]


def test_moto_gets_the_body_that_a_part_gives_it(cloud: Cloud) -> None:
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName="asked for")
    described = logs.describe_log_groups()
    assert [group["logGroupName"] for group in described["logGroups"]] == ["renamed"]
    assert described["nextToken"] == "added"


def test_objects_pass_by_the_parts_and_bucket_policies_do_not(cloud: Cloud) -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="lake", Key="x", Body=b"\x00\xff" * 1000)
    assert s3.get_object(Bucket="lake", Key="x")["Body"].read() == b"\x00\xff" * 1000
    assert Watcher.seen == []
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    s3.put_bucket_policy(Bucket="lake", Policy=policy)
    assert s3.get_bucket_policy(Bucket="lake")["Policy"] == policy
    assert [(request.service, request.method) for request in Watcher.seen] == [
        ("s3", "PUT"),
        ("s3", "GET"),
    ]


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_url_is_an_object_of_s3(cloud: Cloud, version: str) -> None:
    s3 = boto3.client("s3", config=Config(signature_version=version))
    s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    s3.put_object(Bucket="lake", Key="a b", Body=b"text")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "lake", "Key": "a b"})
    with urlopen(url) as answer:
        assert answer.read() == b"text"


def test_a_url_presigned_for_another_service_goes_to_its_part(cloud: Cloud) -> None:
    sqs = boto3.client("sqs")
    url = sqs.generate_presigned_url("list_queues")
    with urlopen(Request(url, data=b"", method="POST")) as answer:
        answer.read()
    assert [request.service for request in Watcher.seen] == ["sqs"]


@pytest.mark.parametrize(
    ("service", "operation"), [("athena", "list_work_groups"), ("pipes", "list_pipes")]
)
def test_an_error_reaches_the_client_in_either_json_protocol(
    cloud: Cloud, service: str, operation: str
) -> None:
    with pytest.raises(ClientError) as refused:
        getattr(boto3.client(service), operation)()
    answer = refused.value.response
    assert answer["Error"]["Code"] == "ConflictException"
    assert answer["Error"]["Message"] == f"{service} is busy"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 409


def test_an_error_is_the_exception_that_the_client_knows_it_by(cloud: Cloud) -> None:
    pipes = boto3.client("pipes")
    with pytest.raises(pipes.exceptions.ConflictException):
        pipes.list_pipes()


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=3))
def test_a_reply_carries_what_it_was_made_from(payload: dict[str, Any]) -> None:
    assert json_response(payload).payload == payload


def test_an_error_says_what_it_is_wherever_a_client_looks() -> None:
    response = error_response(AwsError("Code", "why", 404))
    assert response.status == 404
    assert dict(response.headers)["x-amzn-errortype"] == "Code"
    assert response.payload == {"__type": "Code", "message": "why", "Message": "why"}


def test_empty_bodies_have_no_parameters() -> None:
    assert ApiRequest("s", "", "GET", "/", {}, "", b"", {}).params == {}
    assert ApiResponse().payload == {}


def test_the_cloud_answers_on_loopback_only(cloud: Cloud) -> None:
    assert urlsplit(cloud.endpoint).hostname == HOST == "127.0.0.1"
    addresses = {each[4][0] for each in socket.getaddrinfo(socket.gethostname(), None)}
    for address in addresses - {HOST}:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as outside:
            outside.settimeout(2)
            assert outside.connect_ex((address, urlsplit(cloud.endpoint).port)) != 0


def answer_to(cloud: Cloud, method: str, **headers: str) -> http.client.HTTPMessage:
    connection = http.client.HTTPConnection(urlsplit(cloud.endpoint).netloc)
    connection.request(method, "/", headers=headers)
    found = connection.getresponse().headers
    connection.close()
    return found


@pytest.mark.parametrize("service", ["s3", "kinesis", "athena"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_web_page_may_read_an_answer(cloud: Cloud, service: str, method: str) -> None:
    scope = f"AWS4-HMAC-SHA256 Credential=x/20261123/eu-west-1/{service}/aws4_request"
    found = answer_to(cloud, method, Authorization=scope, Origin="https://example.com", **PREFLIGHT)
    assert [name for name in found if name.lower().startswith("access-control")] == []


PREFLIGHT = {"Access-Control-Request-Method": "POST"}


@pytest.mark.parametrize("service", ["s3", "kinesis", "athena"])
def test_an_answer_has_one_length(cloud: Cloud, service: str) -> None:
    scope = f"AWS4-HMAC-SHA256 Credential=x/20261123/eu-west-1/{service}/aws4_request"
    found = answer_to(cloud, "GET", Authorization=scope)
    assert len(found.get_all("Content-Length", [])) == 1


def test_the_account_has_one_client_for_each_use(cloud: Cloud) -> None:
    assert cloud.client("sqs") is cloud.client("sqs")
    role, source = "arn:aws:iam::123456789012:role/r", "arn:aws:pipes:eu-west-1::pipe/p"
    client = cloud.client("sqs", role, "pipes.amazonaws.com", source)
    assert client is not cloud.client("sqs")
    assert client is cloud.client("sqs", role, "pipes.amazonaws.com", source)
    context = {"aws:SourceArn": source}
    assert Watcher.guarded == [(client, role, "pipes.amazonaws.com", context)]


def test_clients_are_made_once_however_many_threads_ask(cloud: Cloud) -> None:
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(cloud.client("ssm"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(client) for client in found}) == 1


def test_a_part_is_found_by_its_type(cloud: Cloud) -> None:
    assert cloud.service(Refuser) is cloud.services[1]


def test_settling_does_what_is_due_in_order_of_time_and_waits_for_nothing(cloud: Cloud) -> None:
    start, order = cloud.clock.now(), []
    one, other = cloud.service(Sleeper), cloud.service(OtherSleeper)
    one.due, other.due = [start + 7200, start + 60], [start + 3600]
    one.done = other.done = order
    cloud.run_until_idle()
    assert order == [pytest.approx(start + wait, abs=30) for wait in (60, 3600, 7200)]


def test_a_step_tells_whether_any_part_worked(cloud: Cloud) -> None:
    sleeper = cloud.service(Sleeper)
    assert not cloud.tick()
    sleeper.due = [cloud.clock.now()]
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


def test_a_closed_cloud_closes_its_parts_and_answers_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed: list[Service] = []
    monkeypatch.setattr(Sleeper, "close", lambda service: closed.append(service))
    cloud = Cloud((Sleeper,))
    port = urlsplit(cloud.endpoint).port
    cloud.close()
    assert closed == list(cloud.services)
    with socket.socket() as late:
        late.settimeout(2)
        assert late.connect_ex((HOST, port)) != 0


class Looker(Service):
    """Its time to look came just after it was asked for work; it looks, and finds nothing."""

    finds_time = True

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.waits, self.asked = True, False

    def tick(self) -> bool:
        self.waits = not (self.finds_time and self.asked)
        return False

    def next_due_at(self) -> float | None:
        self.asked = True
        return 0.0 if self.waits else None


class Liar(Looker):
    """It says that it is time to look, and never looks."""

    finds_time = False


def test_a_look_that_was_due_and_finds_nothing_ends_the_wait() -> None:
    with laptop(Looker) as cloud:
        cloud.run_until_idle()
        assert not cloud.service(Looker).waits


def test_a_part_that_leaves_undone_what_it_says_is_due_is_found_out() -> None:
    with laptop(Liar) as cloud, pytest.raises(RuntimeError, match="work is due, but does none"):
        cloud.run_until_idle()
