"""Calls of the cloud to itself without a connection, which would take most of a call's time."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from urllib3 import HTTPResponse
from werkzeug.datastructures import Headers
from werkzeug.http import http_date
from werkzeug.test import create_environ, run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class InProcessSender:
    """Handler of botocore's before-send event: `app` answers what is sent to its endpoint."""

    def __init__(self, app: WSGIApplication, endpoint: str) -> None:
        self._app = app
        self._endpoint = endpoint

    def __call__(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        """Return the response of `app`; None lets botocore send a request to another endpoint."""
        url = urlsplit(request.url)
        if f"{url.scheme}://{url.netloc}" != self._endpoint:
            return None
        environ = create_environ(
            path=url.path,
            base_url=self._endpoint,
            query_string=url.query,
            method=request.method,
            headers=Headers([(name, _text(value)) for name, value in request.headers.items()]),
            data=_content(request.body),
        )
        body, status, headers = run_wsgi_app(self._app, environ)
        response_headers = HTTPHeaders.from_pairs([("Date", http_date()), *headers.items()])
        stream = HTTPResponse(io.BytesIO(b"".join(body)), preload_content=False)
        return AWSResponse(request.url, int(status.split()[0]), response_headers, stream)


def _text(header: str | bytes) -> str:
    return header if isinstance(header, str) else header.decode()


def _content(body: Any) -> bytes:
    """Return a request's body, which is bytes, text or a file."""
    if hasattr(body, "read"):
        return bytes(body.read())
    return body.encode() if isinstance(body, str) else bytes(body or b"")
