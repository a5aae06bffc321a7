"""The laptop cloud: moto on loopback, the layer in front of it, and the parts that move."""

import io
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

import boto3
from botocore.config import Config
from moto.moto_server import werkzeug_app
from werkzeug.serving import make_server

from local.core.clock import Clock
from local.core.request import ApiRequest, ApiResponse, AwsError, error_response
from local.core.service import Service

ACCOUNT = os.environ.get("MOTO_ACCOUNT_ID", "123456789012")  # As moto itself has it.
HOST = "127.0.0.1"
# A part retries by the clock and never sleeps; a function may take 15 minutes to answer.
AT_ONCE = Config(retries={"total_max_attempts": 1}, read_timeout=930)


werkzeug_app.DISABLE_GLOBAL_CORS = True  # No web page may talk to this server.


class QuietHandler(werkzeug_app.MotoRequestHandler):
    """moto's request handler without an access log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


class Moto(werkzeug_app.DomainDispatcherApplication):
    """moto, remembering which backend a host means: finding it out anew is 40 % of a call."""

    get_backend_for_host = cache(werkzeug_app.DomainDispatcherApplication.get_backend_for_host)


class Cloud:
    """AWS on a laptop: an endpoint on loopback, and parts that work whenever they are stepped."""

    def __init__(self, service_types: Iterable[type[Service]], port: int = 0) -> None:
        self.clock = Clock()
        self.region = os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        self._moto = Moto(werkzeug_app.create_backend_app)
        self._stepping = threading.Lock()
        self._making_clients = threading.RLock()
        self._clients: dict[tuple[str, str, str, str], Any] = {}
        self.seconds: dict[str, float] = defaultdict(float)
        self._server = make_server(
            HOST, port, self._respond, threaded=True, request_handler=QuietHandler
        )
        self.endpoint = f"http://{HOST}:{self._server.server_port}"
        self.services = tuple(service_type(self) for service_type in service_types)
        serving = {"poll_interval": 0.02}  # seconds that `close` waits at most
        self._serving = threading.Thread(
            target=self._server.serve_forever, kwargs=serving, daemon=True
        )
        self._serving.start()

    def client(self, service: str, role: str = "", principal: str = "", source: str = "") -> Any:
        """Return a boto3 client that finds its endpoint as any user's does.

        With `role` (its ARN), each of its calls is refused as AWS would refuse `principal`, the
        service that assumed the role on behalf of `source`, a resource of its own.
        """
        wanted = (service, role, principal, source)
        with self._making_clients:
            if wanted not in self._clients:
                self._clients[wanted] = self._new_client(*wanted)
            return self._clients[wanted]

    def _new_client(self, service_name: str, role: str, principal: str, source: str) -> Any:
        client = boto3.client(service_name, config=AT_ONCE)
        if role:
            context = {"aws:SourceArn": source} if source else {}
            for service in self.services:
                service.guard_client(client, role, principal, context)
        return client

    def service(self, service_type: type[Service]) -> Any:
        """Return the one part of that type."""
        return next(service for service in self.services if isinstance(service, service_type))

    def tick(self) -> bool:
        """Let each part work once, and return whether any found work."""
        with self._stepping:
            worked = [self._timed_tick(service) for service in self.services]
        return any(worked)

    def _timed_tick(self, service: Service) -> bool:
        started = time.perf_counter()
        worked = service.tick()
        self.seconds[type(service).__name__] += time.perf_counter() - started
        return worked

    def run_until_idle(self) -> None:
        """Step until nothing moves, skipping the waits for buffers and time-outs."""
        while True:
            while self.tick():
                pass
            wait = self._wait()
            if wait is None:
                return
            if wait <= 0 and not self.tick() and (self._wait() or 1) <= 0:
                raise RuntimeError("a part says that work is due, but does none")
            self.clock.advance(wait)

    def _wait(self) -> float | None:
        """Return in how many seconds work falls due; None if no part waits for time to pass."""
        due = [at for service in self.services if (at := service.next_due_at()) is not None]
        return min(due) - self.clock.now() if due else None

    def close(self) -> None:
        """Stop answering, and let each part end what it started."""
        self._server.shutdown()
        self._serving.join()  # It closes the socket, after `shutdown` has returned.
        for service in self.services:
            service.close()

    def forward_to_moto(self, request: ApiRequest, body: bytes | None = None) -> ApiResponse:
        """Return moto's answer to a call, or to the same call with another body."""
        content = request.body if body is None else body
        environ = dict(request.environ)
        environ["wsgi.input"] = io.BytesIO(content)
        environ["CONTENT_LENGTH"] = str(len(content))
        started: list[Any] = []
        chunks = self._moto(
            environ, lambda status, headers, _=None: started.append((status, headers))
        )
        body = b"".join(chunks)
        status, headers = started[0]
        kept = tuple(header for header in headers if header[0].lower() != "content-length")
        return ApiResponse(body, int(status.split()[0]), kept)

    def _respond(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request: by the part it belongs to, else by moto."""
        scope, region = _credential_scope(environ)
        services = [service for service in self.services if scope in service.credential_scopes]
        if not services or (scope == "s3" and "policy" not in environ.get("QUERY_STRING", "")):
            return self._moto(environ, start_response)
        request = _api_request(scope, region, environ)
        response = self._response(request, services)
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [response.body]

    def _response(self, request: ApiRequest, services: list[Service]) -> ApiResponse:
        try:
            for service in services:
                if (response := service.handle(request)) is not None:
                    return response
        except AwsError as error:
            return error_response(error)
        return self.forward_to_moto(request)


def _credential_scope(environ: dict[str, Any]) -> tuple[str, str]:
    """Return the service and region a request was signed for; unsigned means S3."""
    signed = environ.get("HTTP_AUTHORIZATION", "") or unquote(environ.get("QUERY_STRING", ""))
    scope = re.search(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request", signed)
    return (scope[2].lower(), scope[1]) if scope else ("s3", "")


def _api_request(service: str, region: str, environ: dict[str, Any]) -> ApiRequest:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    return ApiRequest(
        service=service,
        operation=environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2],
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        region=region,
        body=environ["wsgi.input"].read(length),
        environ=environ,
    )
