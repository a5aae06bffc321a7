"""The gate: what a web page causes is refused before anything is parsed."""

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from local.core.gate import HOST_NAMES, refusal
from local.core.server import Cloud
from local.services.registry import SERVICES
from tests.support.chromium import Tab, find_chromium, open_tab
from tests.support.laptop_cloud import aws, laptop

PORT = "5000"
HOST = f"127.0.0.1:{PORT}"
FOREIGN_PAGE = "evil.example"
ATTACK = """async (endpoint, calls) => {
    const answers = [];
    for (const [path, options] of calls) {
        try {
            const response = await fetch(endpoint + path, options);
            answers.push(response.status + " " + await response.text());
        } catch (error) {
            answers.push("failed");
        }
    }
    return answers;
}"""


def environ(host: str = HOST, method: str = "GET", path: str = "/", **headers: str) -> Any:
    """Return a request's WSGI environment."""
    return {
        "SERVER_PORT": PORT,
        "HTTP_HOST": host,
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        **{f"HTTP_{name}": value for name, value in headers.items()},
    }


@pytest.mark.parametrize("name", [*HOST_NAMES, "LOCALHOST"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_clients_pass(name: str, method: str) -> None:
    assert refusal(environ(f"{name}:{PORT}", method), "dynamodb") is None


@given(st.text() | st.sampled_from(["127.0.0.1", "localhost:80", "evil.example:5000", "", "::1"]))
def test_foreign_host_is_refused(host: str) -> None:
    is_own = host.lower() in {f"{name}:{PORT}" for name in HOST_NAMES}
    assert (refusal(environ(host), "s3") is None) == is_own


def test_request_without_host_is_refused() -> None:
    assert refusal({"SERVER_PORT": PORT}, "s3") is not None


ORIGINS = [
    "null",
    "",
    "http://evil.example",
    f"https://{HOST}",
    "http://localhost:5001",
    "http://[",
]


@pytest.mark.parametrize("header", ["ORIGIN", "REFERER"])
@given(origin=st.text() | st.sampled_from([*ORIGINS, f"http://{HOST}.evil.example"]))
def test_foreign_page_is_refused(header: str, origin: str) -> None:
    assert refusal(environ(**{header: origin}), "s3") is not None
    assert refusal(environ(**{header: f"http://{HOST}"}), "s3") is None


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "new-value"])
def test_request_of_another_site_is_refused(site: str) -> None:
    assert refusal(environ(SEC_FETCH_SITE=site), "s3") is not None


@pytest.mark.parametrize("site", ["none", "same-origin"])
def test_browser_reads_only_from_s3(site: str) -> None:
    def is_open(service: str = "s3", **request: str) -> bool:
        return refusal(environ(**request, SEC_FETCH_SITE=site), service) is None

    assert is_open(path="/lake/dt=2026-01-01/a b")
    assert is_open(method="HEAD", path="/lake/a_b")
    assert not is_open(method="POST", path="/lake/a")
    assert not is_open("sqs")
    assert not is_open(path="/sqs_us-east-1/?Action=PurgeQueue")  # As moto finds its services.


@pytest.mark.parametrize("path", ["/moto-api/reset", "/moto-api/data.json", "/moto-api"])
def test_motos_own_api_is_closed(path: str) -> None:
    assert refusal(environ(method="POST", path=path), "s3") is not None


@pytest.fixture(scope="module")
def cloud() -> Iterator[Cloud]:
    """A whole cloud with one object and one queue."""
    with laptop(*SERVICES, has_connections=True) as cloud:
        aws("s3").create_bucket(Bucket="lake")
        page = b"<title>ran</title><script>document.title = 'script'</script>"
        aws("s3").put_object(Bucket="lake", Key="secret", Body=page, ContentType="text/html")
        aws("sqs").create_queue(QueueName="q")
        yield cloud


def status(cloud: Cloud, method: str, path: str, body: str = "", **headers: str) -> int:
    """Return the status of a raw request."""
    connection = http.client.HTTPConnection(urlsplit(cloud.endpoint).netloc)
    connection.request(method, path, body, {key.replace("_", "-"): headers[key] for key in headers})
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec_Fetch_Site": "cross-site"}],
)
def test_server_refuses_before_it_parses(cloud: Cloud, headers: dict[str, str]) -> None:
    target = "DynamoDB_20120810.ListTables"
    assert status(cloud, "POST", "/", "{no JSON", X_Amz_Target=target, **headers) == 403
    assert status(cloud, "POST", "/moto-api/reset", **headers) == 403
    assert status(cloud, "GET", "/lake/secret", **headers) == 403
    assert status(cloud, "POST", "/moto-api/reset") == 403
    assert len(aws("sqs").list_queues()["QueueUrls"]) == 1


@contextmanager
def foreign_page() -> Iterator[str]:
    """Serve an empty page at another origin."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>foreign</title>")

        def log_message(self, *_: Any) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://{FOREIGN_PAGE}:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def tab() -> Iterator[Tab]:
    """A tab for which a foreign name resolves to this machine, without the browser's own guard."""
    if find_chromium() is None:
        pytest.skip("Chromium is not installed")
    resolver = f"--host-resolver-rules=MAP {FOREIGN_PAGE} 127.0.0.1"
    with open_tab(resolver, "--disable-features=LocalNetworkAccessChecks") as tab:
        yield tab


def attacks(url: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the fetches of a hostile page: reads, changes, and code to run."""
    scope = "AWS4-HMAC-SHA256 Credential=x/20261123/us-east-1/{}/aws4_request, SignedHeaders=h"
    target = {"X-Amz-Target": "DynamoDB_20120810.ListTables"}
    signed = {"Authorization": scope.format("dynamodb"), **target}
    function = {"Authorization": scope.format("lambda")}
    return [
        (urlsplit(url).path + "?" + urlsplit(url).query, {}),
        ("/lake/secret", {}),
        ("/lake/secret", {"mode": "no-cors", "referrerPolicy": "no-referrer"}),
        ("/moto-api/reset", {"method": "POST", "mode": "no-cors"}),
        ("/moto-api/data.json", {}),
        ("/", {"method": "POST", "mode": "no-cors", "body": "Action=CreateQueue&QueueName=evil"}),
        ("/", {"method": "POST", "headers": signed, "body": "{}"}),
        ("/2015-03-31/functions", {"method": "POST", "headers": function, "body": "{}"}),
    ]


def run_attacks(tab: Tab, cloud: Cloud, endpoint: str) -> list[str]:
    """Let the tab's page fetch from an endpoint, and return what it could read."""
    signer = boto3.client("s3", config=Config(signature_version="s3v4"))
    url = signer.generate_presigned_url("get_object", Params={"Bucket": "lake", "Key": "secret"})
    script = f"({ATTACK})({json.dumps(endpoint)}, {json.dumps(attacks(url))})"
    answers: list[str] = tab.evaluate(script)
    return [answer for answer in answers if answer != "failed"]


def assert_nothing_changed(cloud: Cloud) -> None:
    """Check that all resources still exist, and no others."""
    assert [url.rpartition("/")[2] for url in aws("sqs").list_queues()["QueueUrls"]] == ["q"]
    assert aws("s3").list_objects_v2(Bucket="lake")["KeyCount"] == 1
    assert aws("lambda").list_functions()["Functions"] == []


def test_page_of_another_origin_can_do_nothing(cloud: Cloud, tab: Tab) -> None:
    with foreign_page() as page:
        tab.visit(page)
        opaque = ["0 "] * 3  # The answers to no-cors requests, which no page can read.
        assert run_attacks(tab, cloud, cloud.endpoint) == opaque
        tab.evaluate(
            "new Promise(done => { const form = document.createElement('form');"
            f" form.action = '{cloud.endpoint}/moto-api/reset'; form.method = 'POST';"
            " form.target = 'frame'; const frame = document.createElement('iframe');"
            " frame.name = 'frame'; document.body.append(frame, form); frame.onload = done;"
            " form.submit(); })"
        )
    assert_nothing_changed(cloud)


def test_rebound_page_can_do_nothing(cloud: Cloud, tab: Tab) -> None:
    """The page's own name resolves to this machine now, with the port of the laptop cloud."""
    origin = f"http://{FOREIGN_PAGE}:{urlsplit(cloud.endpoint).port}"
    tab.visit(f"{origin}/page", "<title>served before its name was bound to this machine</title>")
    assert tab.evaluate("location.origin") == origin
    answers = run_attacks(tab, cloud, "")
    assert {answer.split()[0] for answer in answers} == {"403"}
    assert "ran" not in "".join(answers)
    assert_nothing_changed(cloud)


@pytest.mark.slow
@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_presigned_url_opens_in_the_address_bar(cloud: Cloud, tab: Tab, version: str) -> None:
    """Its page runs no scripts: they would have the origin of the laptop cloud."""
    s3 = boto3.client("s3", config=Config(signature_version=version))
    url = s3.generate_presigned_url("get_object", Params={"Bucket": "lake", "Key": "secret"})
    tab.visit(url)
    assert tab.evaluate("document.title") == "ran"
    assert tab.evaluate("self.origin") == "null"
