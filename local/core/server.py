"""The laptop cloud's server: moto on loopback, with our own services in front of it."""

from __future__ import annotations

import io
import os
import re
import threading
import time
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import parse_qsl, unquote

import boto3
from botocore.config import Config
from moto.moto_server import werkzeug_app
from werkzeug.serving import make_server

from local.core import gate, moto_patches
from local.core.clock import Clock
from local.core.in_process import InProcessSender
from local.core.request import (
    ApiRequest,
    ApiResponse,
    AwsError,
    decode_members,
    error_response,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from local.core.service import Service

ACCOUNT = os.environ.get("MOTO_ACCOUNT_ID", "123456789012")  # moto's own default.
HOST = "127.0.0.1"
# Services retry by the clock and never sleep; a function may run for 15 minutes.
NO_RETRIES = Config(retries={"total_max_attempts": 1}, read_timeout=930)
POLL_SECONDS = 0.02  # `close` waits at most this long.
READ_VERBS = ("Get", "List", "Describe", "BatchGet", "Search")

# No web page may talk to this server. The flag is moto's, imported into this module.
werkzeug_app.DISABLE_GLOBAL_CORS = True  # type: ignore[attr-defined]  # not re-exported

ServiceType = TypeVar("ServiceType", bound="Service")


class QuietHandler(werkzeug_app.MotoRequestHandler):
    """moto's request handler without an access log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


class CachingDispatcher(werkzeug_app.DomainDispatcherApplication):
    """moto's dispatcher with a cache of backends by host: the lookup takes 40 % of a call."""

    get_backend_for_host = cache(werkzeug_app.DomainDispatcherApplication.get_backend_for_host)


@cache
def create_backend_app(service: Any) -> Any:
    """Return moto's app of a service (its type names all), without the debug mode.

    That mode inspects the form of each request. All clouds of a process share the app, which takes
    long to create and has no state.
    """
    app = werkzeug_app.create_backend_app(service)
    app.debug = False
    app.config["PROPAGATE_EXCEPTIONS"] = True  # As in debug mode: the cloud renders them.
    return app


def _default_session() -> boto3.Session:
    """Return the session of `boto3.client` now: a dry run in this process replaces it for a while.

    The cloud's own clients would change nothing if they were created meanwhile.
    """
    if boto3.DEFAULT_SESSION is None:
        boto3.setup_default_session()
    return cast("boto3.Session", boto3.DEFAULT_SESSION)


class Cloud:
    """AWS on a laptop: an endpoint on loopback, and services that work in ticks."""

    def __init__(self, service_types: Iterable[type[Service]], port: int = 0) -> None:
        self.clock = Clock()
        self.region = os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        self._moto = CachingDispatcher(create_backend_app)
        moto_patches.apply()
        self._tick_lock = threading.Lock()
        self._session = _default_session()
        self._clients_lock = threading.RLock()
        self._clients: dict[tuple[str, str, str, str], Any] = {}
        self.seconds_by_service: dict[str, float] = defaultdict(float)
        self.change_counts: Counter[str] = Counter()
        self._server = make_server(
            HOST, port, self._respond, threaded=True, request_handler=QuietHandler
        )
        self.endpoint = f"http://{HOST}:{self._server.server_port}"
        self.send_in_process = InProcessSender(self._respond, self.endpoint)
        self.services = tuple(service_type(self) for service_type in service_types)
        self._server_thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True
        )
        self._server_thread.start()

    def client(self, service: str, role: str = "", principal: str = "", source: str = "") -> Any:
        """Return a boto3 client that finds its endpoint as every user's client does.

        With `role` (its ARN), the client acts as `principal`, a service that has assumed the role
        on behalf of `source`, the ARN of its resource: AWS's permission checks apply.
        """
        key = (service, role, principal, source)
        with self._clients_lock:
            if key not in self._clients:
                self._clients[key] = self._create_client(*key)
            return self._clients[key]

    def _create_client(self, service_name: str, role: str, principal: str, source: str) -> Any:
        session: Any = self._session  # The stubs have one overload for each service.
        client = session.client(service_name, config=NO_RETRIES)
        client.meta.events.register("before-send", self.send_in_process)
        if role:
            context = {"aws:SourceArn": source} if source else {}
            for service in self.services:
                service.guard_client(client, role, principal, context)
        return client

    def service(self, service_type: type[ServiceType]) -> ServiceType:
        """Return this cloud's service of the given type."""
        return next(service for service in self.services if isinstance(service, service_type))

    def tick(self) -> bool:
        """Let each service work once, and return whether any had work."""
        with self._tick_lock:
            worked = [self._timed_tick(service) for service in self.services]
        return any(worked)

    def _timed_tick(self, service: Service) -> bool:
        started_at = time.perf_counter()
        worked = service.tick()
        self.seconds_by_service[type(service).__name__] += time.perf_counter() - started_at
        return worked

    def run_until_idle(self) -> None:
        """Tick until no work is left, skipping the waits for buffers and timeouts."""
        while True:
            while self.tick():
                pass
            wait = self._seconds_until_due()
            if wait is None:
                return
            if wait <= 0 and not self.tick() and (self._seconds_until_due() or 1) <= 0:
                raise RuntimeError("a service reports work due but makes no progress")
            self.clock.advance(wait)

    def _seconds_until_due(self) -> float | None:
        """Return the seconds until the next work falls due; None if no work waits for time."""
        times = [service.next_due_at() for service in self.services]
        due_times = [due_at for due_at in times if due_at is not None]
        return min(due_times) - self.clock.now() if due_times else None

    def close(self) -> None:
        """Stop the server and close the services."""
        self._server.shutdown()
        self._server_thread.join()  # The thread closes the socket after `shutdown` has returned.
        for service in self.services:
            service.close()
        moto_patches.undo()

    def forward_to_moto(self, request: ApiRequest, body: bytes | None = None) -> ApiResponse:
        """Return moto's response to a call, or to the same call with another body."""
        content = request.body if body is None else body
        response = self._call_moto(_with_body(request.environ, content))
        kept = tuple(header for header in response.headers if header[0].lower() != "content-length")
        return replace(response, headers=kept)

    def _call_moto(self, environ: dict[str, Any]) -> ApiResponse:
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        body = b"".join(self._moto(environ, lambda *head: heads.append(head[:2])))
        status_line, headers = heads[0]
        status, reason = status_line.split(maxsplit=1)
        if int(status) >= 400 and body.startswith(b"<!doctype html>"):  # moto has no such path.
            raise AwsError("UnknownOperationException", reason, int(status))
        return ApiResponse(body, int(status), tuple(headers))

    def _respond(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request, or answer with AWS's error."""
        scope, region = _credential_scope(environ)
        response = self._checked_response(scope, region, environ)
        headers = [*response.headers, *gate.RESPONSE_HEADERS]
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [response.body]

    def _checked_response(self, scope: str, region: str, environ: dict[str, Any]) -> ApiResponse:
        reason = gate.refusal(environ, scope)
        if reason is not None:
            return _error_response(AwsError("AccessDenied", reason, 403), scope, environ)
        try:
            return self._route(scope, region, environ)
        except AwsError as error:
            return _error_response(error, scope, environ)
        except Exception as error:  # noqa: BLE001 - the caller learns of a bug, not the terminal.
            failure = AwsError("InternalFailure", f"{type(error).__name__}: {error}", 500)
            return _error_response(failure, scope, environ)

    def _route(self, scope: str, region: str, environ: dict[str, Any]) -> ApiResponse:
        """Serve one request; count it once it is over if it may have changed something."""
        try:
            return self._serve(scope, region, environ)
        finally:
            if not environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2].startswith(READ_VERBS):
                self.change_counts[scope] += 1

    def _serve(self, scope: str, region: str, environ: dict[str, Any]) -> ApiResponse:
        """Serve one request by the service that it is signed for, else by moto."""
        if "HTTP_X_AMZ_TARGET" in environ:
            body = _read_body(environ)
            decode_members(body)  # moto does not read the body of every call.
            environ = _with_body(environ, body)
        services = [service for service in self.services if scope in service.credential_scopes]
        if not services or (scope == "s3" and "policy" not in environ.get("QUERY_STRING", "")):
            return self._call_moto(environ)
        response = self._handle(_api_request(scope, region, environ), services)
        length = ("Content-Length", str(len(response.body)))
        return replace(response, headers=(*response.headers, length))

    def _handle(self, request: ApiRequest, services: list[Service]) -> ApiResponse:
        for service in services:
            if (response := service.handle(request)) is not None:
                return response
        return self.forward_to_moto(request)


def _error_response(error: AwsError, scope: str, environ: dict[str, Any]) -> ApiResponse:
    response = error_response(error, scope, environ.get("CONTENT_TYPE", ""))
    is_head = environ["REQUEST_METHOD"] == "HEAD"
    length = ("Content-Length", str(len(response.body)))
    headers = (*response.headers, length)
    return replace(response, body=b"" if is_head else response.body, headers=headers)


def _read_body(environ: Mapping[str, Any]) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return body


def _with_body(environ: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    length = str(len(body))
    return {**environ, "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": length}


def _credential_scope(environ: dict[str, Any]) -> tuple[str, str]:
    """Return the service and region that a request is signed for; unsigned means S3."""
    signature = environ.get("HTTP_AUTHORIZATION", "") or unquote(environ.get("QUERY_STRING", ""))
    scope = re.search(r"Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request", signature)
    return (scope[2].lower(), scope[1]) if scope else ("s3", "")


def _api_request(service: str, region: str, environ: dict[str, Any]) -> ApiRequest:
    return ApiRequest(
        service=service,
        operation=environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2],
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"],
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        region=region,
        body=_read_body(environ),
        environ=environ,
    )
