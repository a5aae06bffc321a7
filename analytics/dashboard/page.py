"""The page as one file: markup, style, scripts, facts, and a policy that lets nothing else in."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE / "page"
ECHARTS = HERE / "vendor" / "echarts.simple.min.js"
SCRIPTS = ("exact", "words", "elements", "figures", "charts", "tiles", "page")  # in this order
# What would end the script element, or open a comment in it; JSON needs none of them outside texts.
UNSAFE = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"}


def page(document: Mapping[str, object]) -> str:
    """Return the page that shows a document of facts."""
    style, echarts, script = style_text(), ECHARTS.read_text("utf-8"), script_text()
    parts = {
        "policy": policy((echarts, script), style),
        "style": style,
        "facts": embedded(document),
        "echarts": echarts,
        "script": script,
    }
    markup = (PAGE / "page.html").read_text("utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], markup)


def style_text() -> str:
    """Return the style sheet."""
    return (PAGE / "page.css").read_text("utf-8")


def script_text() -> str:
    """Return the page's own script."""
    return "".join((PAGE / f"{name}.js").read_text("utf-8") for name in SCRIPTS)


def embedded(document: Mapping[str, object]) -> str:
    """Return a document as JSON that stays one text inside an HTML page.

    >>> embedded({"name": "</script>"})
    '{"name":"\\\\u003c/script\\\\u003e"}'
    """
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[\ud800-\udfff]", "\ufffd", text.translate(UNSAFE))


def policy(scripts: tuple[str, ...], style: str) -> str:
    """Return the policy under which only these scripts run, and nothing is ever loaded."""
    sources = " ".join(map(_hash, scripts))
    return (
        f"default-src 'none'; script-src {sources}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
