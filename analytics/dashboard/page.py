"""HTML page of the dashboard: markup, style, scripts, data and a strict content security policy."""

import base64
import gzip
import hashlib
import html
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PAGE_FOLDER = HERE / "page"
ECHARTS = HERE / "vendor" / "echarts.simple.min.js"
# In load order, with those of the kind of page before the last.
SHARED_SCRIPTS = (
    "exact",
    "formats",
    "elements",
    "facts",
    "times",
    "comparison",
    "charts",
    "export",
    "pipeline",
    "tabs",
)
SCRIPTS = {
    "shop": ("figures", "conversion", "customers", "target", "orders", "tiles", "view"),
    "table": ("figures", "tiles", "view"),
}
LAST_SCRIPT = "page"


def render_page(document: Mapping[str, object], kind: str = "shop", title: str = "Sales") -> str:
    """Return the page of a kind that shows a document of facts."""
    style = read_style()
    echarts = ECHARTS.read_text("utf-8")
    script = read_script(kind)
    parts = {
        "filters": "",  # Only the shop has more of them.
        **read_markup(kind),
        "kind": kind,
        "tab": kind.capitalize(),
        "title": html.escape(title),
        "policy": content_security_policy((echarts, script), style),
        "style": style,
        "facts": compress(document),
        "echarts": echarts,
        "script": script,
    }
    markup = (PAGE_FOLDER / "page.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], markup)


def read_style() -> str:
    """Return the style sheet."""
    return (PAGE_FOLDER / "page.css").read_text("utf-8")


def read_markup(kind: str) -> dict[str, str]:
    """Return the parts of the markup that only this kind of page has, by file name."""
    return {path.stem: path.read_text("utf-8") for path in (PAGE_FOLDER / kind).glob("*.html")}


def read_script(kind: str) -> str:
    """Return the page's own script: its files in load order."""
    names = (*SHARED_SCRIPTS, *(f"{kind}/{name}" for name in SCRIPTS[kind]), LAST_SCRIPT)
    return "".join((PAGE_FOLDER / f"{name}.js").read_text("utf-8") for name in names)


def compress(document: Mapping[str, object]) -> str:
    """Return a document as compressed JSON in base64, which ends no element of HTML."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    without_surrogates = re.sub(r"[\ud800-\udfff]", "\ufffd", text)
    return base64.b64encode(gzip.compress(without_surrogates.encode(), mtime=0)).decode()


def decompress(text: str) -> dict[str, Any]:
    """Return the document that a page contains."""
    document: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(text)))
    return document


def content_security_policy(scripts: tuple[str, ...], style: str) -> str:
    """Return a policy that allows only these scripts and this style, and no requests."""
    script_hashes = " ".join(map(_hash_source, scripts))
    return (
        f"default-src 'none'; script-src {script_hashes}; style-src {_hash_source(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash_source(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
