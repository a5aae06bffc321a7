"""Gate of the laptop cloud: refuses requests that a web page may have caused.

Three headers tell, and no page can set them. `Host` names a foreign host if a page's own name was
resolved to this machine (DNS rebinding). `Origin` and `Referer` name the page that makes a request.
`Sec-Fetch-Site` is what the browser knows about that page, and only browsers send it; for a link
in a mail or a typed address it is "none", so a browser may also do no more than read from S3.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

HOST_NAMES = ("127.0.0.1", "localhost")
# moto takes a folder with an underscore for the name of a service and a region.
_S3_PATH = re.compile(r"(/|/[a-z0-9][a-z0-9.-]*(/.*)?)", re.DOTALL)
RESPONSE_HEADERS = (
    # A page that lies in S3 runs no scripts: it would have the origin of the laptop cloud.
    ("Content-Security-Policy", "sandbox"),
    ("X-Content-Type-Options", "nosniff"),
)


def refusal(environ: Mapping[str, Any], service: str) -> str | None:
    """Return why a request for a service is refused, or None if it may pass."""
    port = environ["SERVER_PORT"]
    host = environ.get("HTTP_HOST", "").lower()
    if host not in _own_hosts(port):
        return f"The host {host!r} is not this laptop cloud: use http://{HOST_NAMES[0]}:{port}"
    if environ["PATH_INFO"].startswith("/moto-api"):
        return "moto's own API is closed: it could empty every table"
    for name in ("Origin", "Referer"):
        value = environ.get(f"HTTP_{name.upper()}")
        if value is not None and not _is_own_page(value, host):
            return f"Requests of web pages are refused: {name} is {value!r}"
    if (site := environ.get("HTTP_SEC_FETCH_SITE")) is not None:
        return _browser_refusal(environ, service, site)
    return None


def _own_hosts(port: str) -> tuple[str, ...]:
    with_port = tuple(f"{name}:{port}" for name in HOST_NAMES)
    return (*HOST_NAMES, *with_port) if port == "80" else with_port


def _is_own_page(url: str, host: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "http" and parts.netloc.lower() == host


def _browser_refusal(environ: Mapping[str, Any], service: str, site: str) -> str | None:
    if site not in {"none", "same-origin"}:
        return f"Requests of web pages are refused: Sec-Fetch-Site is {site!r}"
    is_read = environ["REQUEST_METHOD"] in {"GET", "HEAD"}
    if service != "s3" or not is_read or not _S3_PATH.fullmatch(environ["PATH_INFO"]):
        return "A browser may only read objects of S3: open a presigned URL"
    return None
