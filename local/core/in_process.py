"""Calls of the cloud to itself without a connection, which would take most of a call's time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from urllib3 import HTTPResponse
from werkzeug.http import http_date
from werkzeug.test import create_environ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed.wsgi import WSGIEnvironment

    App = Callable[[WSGIEnvironment, Any], Iterable[bytes]]


class InProcessSender:
    """Handler of botocore's before-send event: `app` answers what is sent to its endpoint."""

    def __init__(
        self, app: Callable[[WSGIEnvironment, Any], Iterable[bytes]], endpoint: str
    ) -> None:
        self._app = app
        self._endpoint = endpoint
        self._environ = create_environ(base_url=endpoint)

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        """Return the response of `app`; None lets botocore send a request to another endpoint."""
        url = urlsplit(request.url)
        if f"{url.scheme}://{url.netloc}" != self._endpoint:
            return None
        heads: list[tuple[str, list[tuple[str, str]]]] = []
        body = self._app(self._request_environ(request), lambda *head: heads.append(head[:2]))
        stream = HTTPResponse(io.BytesIO(b"".join(body)), preload_content=False)
        status, headers = heads[0]
        response_headers = HTTPHeaders.from_pairs([("Date", http_date()), *headers])
        return AWSResponse(request.url, int(status.split()[0]), response_headers, stream)

    def _request_environ(self, request: AWSPreparedRequest) -> WSGIEnvironment:
        """Return the WSGI environment: werkzeug's of any request takes a tenth of a call."""
        url = urlsplit(request.url)
        path = url.path or "/"
        uri = f"{path}?{url.query}" if url.query else path
        content = _content(request.body)
        return {
            **self._environ,
            **{_environ_name(name): _text(value) for name, value in request.headers.items()},
            "REQUEST_METHOD": request.method,
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": url.query,
            "REQUEST_URI": uri,
            "RAW_URI": uri,
            "CONTENT_LENGTH": str(len(content)),
            "wsgi.input": io.BytesIO(content),
        }


def _environ_name(header: str) -> str:
    name = header.upper().replace("-", "_")
    return name if name == "CONTENT_TYPE" else f"HTTP_{name}"


def _text(header: str | bytes) -> str:
    return header if isinstance(header, str) else header.decode()


def _content(body: Any) -> bytes:
    """Return a request's body, which is bytes, text or a file."""
    if hasattr(body, "read"):
        return bytes(body.read())
    return body.encode() if isinstance(body, str) else bytes(body or b"")
