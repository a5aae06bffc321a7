"""The page as a file: what is embedded stays data, what is written is whole, failures say why."""

import base64
import hashlib
import json
import re
import sys
from contextlib import suppress
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from analytics.athena import Progress, QueryFailed
from analytics.dashboard.__main__ import last_verify_result, main
from analytics.dashboard.facts import stop_all_on_error
from analytics.dashboard.page import ECHARTS, embed_json, render_page
from analytics.dashboard.verification import InvalidVerifyResult, VerifyResult, read_verify_result

VENDOR = ECHARTS.parent
BUCKET = "lake-1"
VERIFIED = {
    "at": "2026-11-26 03:40:00",
    "bucket": BUCKET,
    "asked": "table",
    "equal": True,
    "table": 7,
    "lake": 7,
    "counts": {"missing": 0, "unsettled": 0},
}


class Scripts(HTMLParser):
    """Collects the scripts and style sheets of a page, as a browser would find them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the policy, and where a script or a style begins."""
        told = dict(attrs)
        if told.get("http-equiv") == "Content-Security-Policy":
            self.policy = told["content"] or ""
        if tag in ("script", "style"):
            self.found.append((told.get("type") or tag, ""))

    def handle_data(self, data: str) -> None:
        """Take what stands in a script or a style."""
        if self.cdata_elem:
            kind, text = self.found[-1]
            self.found[-1] = (kind, text + data)


@given(st.text())
@example("</script><script>alert(1)</script>")
@example("<!--<script>")
@example("\u2028\u2029]]>&lt;{{script}}\\1\\g<0>")
def test_an_embedded_text_stays_a_text(text: str) -> None:
    document = {"name": text, text: [text]}
    found = embed_json(document)
    assert json.loads(found) == document
    assert not set(found) & set("<>&\u2028\u2029")


def read(text: str) -> Scripts:
    """Return what a browser finds in a page."""
    parser = Scripts()
    parser.feed(text)
    return parser


def test_the_page_holds_its_facts_and_allows_its_own_scripts_alone() -> None:
    document = {"name": "</script>{{policy}}<img src=x>"}
    found = read(render_page(document))
    (style, _), (data, facts), (echarts, _), (script, _) = found.found
    assert (style, data, echarts, script) == ("style", "application/json", "script", "script")
    assert json.loads(facts) == document
    assert "default-src 'none'" in found.policy
    assert "unsafe" not in found.policy
    for kind, text in found.found:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert (f"'sha256-{digest}'" in found.policy) == (kind in ("style", "script"))


def test_the_page_is_small_and_the_vendored_file_is_what_its_readme_says() -> None:
    assert len(render_page({}).encode()) < 600_000
    content = ECHARTS.read_bytes()
    told = (VENDOR / "README.md").read_text()
    assert hashlib.sha256(content).hexdigest() in told
    assert f"{len(content):,} bytes" in told
    assert "Apache License" in (VENDOR / "LICENSE").read_text()
    assert "Apache ECharts" in (VENDOR / "NOTICE").read_text()


def test_our_own_script_makes_text_of_texts_alone() -> None:
    own = "".join(path.read_text() for path in (VENDOR.parent / "page").glob("*.js"))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", own)


def verified(path: Path, **other: object) -> Path:
    """Return a file as verify writes it."""
    path.write_text(json.dumps({**VERIFIED, **other}))
    return path


@pytest.mark.parametrize(
    ("other", "state"),
    [
        ({}, "equal"),
        ({"equal": False, "counts": {"missing": 1, "unsettled": 1}}, "differs"),
        ({"equal": False, "counts": {"missing": 0, "unsettled": 2}}, "unsettled"),
    ],
)
def test_a_verify_of_the_whole_table_is_shown(
    tmp_path: Path, other: dict[str, object], state: str
) -> None:
    found = read_verify_result(verified(tmp_path / "v.json", **other), BUCKET)
    assert found == VerifyResult("2026-11-26 03:40:00", state, 7, 7)


def test_no_verify_is_no_proof(tmp_path: Path) -> None:
    assert read_verify_result(tmp_path / "none.json", BUCKET) is None


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ({"bucket": "lake-2"}, "another lake: lake-2, not lake-1"),
        ({"asked": "gaps"}, "does not cover the whole table, only gaps"),
        ({"asked": '{"order_id":{"S":"SO-1"}}'}, "only {"),
    ],
)
def test_what_proves_nothing_of_this_lake_is_refused(
    tmp_path: Path, other: dict[str, object], told: str
) -> None:
    with pytest.raises(InvalidVerifyResult, match=re.escape(told)):
        read_verify_result(verified(tmp_path / "v.json", **other), BUCKET)


def test_the_usual_file_of_another_lake_tells_nothing_and_a_named_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = verified(tmp_path / "v.json", bucket="lake-2")
    monkeypatch.setattr("analytics.dashboard.__main__.bucket", lambda: BUCKET)
    monkeypatch.setattr("analytics.dashboard.__main__.DEFAULT_VERIFY_RESULT", path)
    assert last_verify_result(None) is None
    with pytest.raises(InvalidVerifyResult, match="another lake"):
        last_verify_result(path)


def test_a_named_verify_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "none.json"
    monkeypatch.setattr("analytics.dashboard.__main__.bucket", lambda: BUCKET)
    monkeypatch.setattr("analytics.dashboard.__main__.DEFAULT_VERIFY_RESULT", path)
    assert last_verify_result(None) is None
    with pytest.raises(InvalidVerifyResult, match=r"none\.json does not exist: .*verify --json"):
        last_verify_result(path)


def test_when_one_query_fails_the_others_are_stopped() -> None:
    watching = []
    with suppress(QueryFailed), stop_all_on_error() as watch:
        watching.append(watch)
        watch(Progress("RUNNING", 0))
        raise QueryFailed("no")
    with pytest.raises(KeyboardInterrupt):
        watching[0](Progress("RUNNING", 0))


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "{}", "null", '{"bucket": "lake-1", "asked": "table"}'),
        *(json.dumps({**VERIFIED, "at": at}) for at in ("soon", None)),
    ],
)
def test_a_file_that_verify_did_not_write_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "v.json"
    path.write_text(text)
    with pytest.raises(InvalidVerifyResult, match=r"operations\.verify --json"):
        read_verify_result(path, BUCKET)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--out", "/nowhere/page.html"], 2, "an existing folder"),
        (["--out", "/dev/null"], 2, "expected a file"),
        (["--out", "/dev/null/page.html"], 2, "an existing folder"),
        (["--watch", "1"], 2, "from 2 to 86400, found '1'"),
        (["--watch", "99999999999999999999"], 2, "from 2 to 86400"),
        (["--out", f"/tmp/{300 * 'x'}"], 1, "no dashboard: "),
        (["--watch", "soon"], 2, "found 'soon'"),
        ([], 1, "no dashboard: "),
    ],
)
def test_what_cannot_be_written_says_why(
    arguments: list[str],
    status: int,
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    unreachable = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    known = {"AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x"}
    for name, value in (unreachable | known | {"AWS_SECRET_ACCESS_KEY": "x"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["dashboard", *arguments])
    try:
        ended = main()
    except SystemExit as refusal:
        ended = refusal.code
    assert ended == status
    assert told in capsys.readouterr().err
