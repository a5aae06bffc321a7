"""Dashboard command: embedded data stays data, and every failure has a message."""

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
from analytics.dashboard.page import ECHARTS, compress, decompress, render_page
from analytics.dashboard.targets import InvalidTargets, read_targets
from analytics.dashboard.verification import InvalidVerifyResult, VerifyResult, read_verify_result
from setup.lib.lake_identity import LakeIdentity
from tests.support.environments import UNREACHABLE_AWS

VENDOR_FOLDER = ECHARTS.parent
LAKE = LakeIdentity("lake-1", "id-1")
VERIFY_DOCUMENT = {
    "at": "2026-11-26 03:40:00",
    "bucket": "lake-1",
    "lake_id": "id-1",
    "scope": "table",
    "equal": True,
    "table": 7,
    "lake": 7,
    "counts": {"missing": 0, "unsettled": 0},
}


class PageParser(HTMLParser):
    """Collects a page's scripts and style sheets, as a browser would parse them."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, str]] = []
        self.policy = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Record the content security policy, and each new script or style."""
        attributes = dict(attrs)
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = attributes["content"] or ""
        if tag in ("script", "style"):
            self.elements.append((attributes.get("type") or tag, ""))

    def handle_data(self, data: str) -> None:
        """Add text to the current script or style."""
        if self.cdata_elem:
            kind, text = self.elements[-1]
            self.elements[-1] = (kind, text + data)


def parse(html: str) -> PageParser:
    """Return a parser that has read a page."""
    parser = PageParser()
    parser.feed(html)
    return parser


def write_verify_result(path: Path, **overrides: object) -> Path:
    """Write a file as operations.verify does."""
    path.write_text(json.dumps({**VERIFY_DOCUMENT, **overrides}))
    return path


@pytest.fixture
def default_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the default verify result, which does not exist yet."""
    path = tmp_path / "verified.json"
    monkeypatch.setattr(LakeIdentity, "fetch", lambda: LAKE)
    monkeypatch.setattr("analytics.dashboard.__main__.LAST_RESULT", path)
    return path


@given(st.text())
@example("</script><script>alert(1)</script>")
@example("<!--<script>")
@example("\u2028\u2029]]>&lt;{{script}}\\1\\g<0>")
def test_embedded_data_is_safe_in_html(text: str) -> None:
    document = {"name": text, text: [text]}
    embedded = compress(document)
    assert decompress(embedded) == document
    assert re.fullmatch("[A-Za-z0-9+/=]+", embedded)


def test_the_policy_allows_only_the_pages_scripts() -> None:
    document = {"name": "</script>{{policy}}<img src=x>"}
    page = parse(render_page(document))
    assert [kind for kind, _ in page.elements] == ["style", "application/gzip", "script", "script"]
    assert decompress(page.elements[1][1]) == document
    assert "default-src 'none'" in page.policy
    assert "unsafe" not in page.policy
    for kind, text in page.elements:
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert (f"'sha256-{digest}'" in page.policy) == (kind in ("style", "script"))


def test_the_page_is_small() -> None:
    assert len(render_page({}).encode()) < 612_000


def test_the_vendored_file_matches_its_readme() -> None:
    content = ECHARTS.read_bytes()
    readme = (VENDOR_FOLDER / "README.md").read_text()
    assert hashlib.sha256(content).hexdigest() in readme
    assert f"{len(content):,} bytes" in readme
    assert "Apache License" in (VENDOR_FOLDER / "LICENSE").read_text()
    assert "Apache ECharts" in (VENDOR_FOLDER / "NOTICE").read_text()


def test_the_script_never_parses_text_as_html() -> None:
    paths = (VENDOR_FOLDER.parent / "page").rglob("*.js")
    script = "".join(path.read_text() for path in paths)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


@pytest.mark.parametrize(
    ("overrides", "state"),
    [
        ({}, "equal"),
        ({"equal": False, "counts": {"missing": 1, "unsettled": 1}}, "differs"),
        ({"equal": False, "counts": {"missing": 0, "unsettled": 2}}, "unsettled"),
    ],
)
def test_a_verify_of_the_whole_table_is_read(
    tmp_path: Path, overrides: dict[str, object], state: str
) -> None:
    result = read_verify_result(write_verify_result(tmp_path / "v.json", **overrides), LAKE)
    assert result == VerifyResult("2026-11-26 03:40:00", state, 7, 7)


def part_result(state: str, table: int) -> dict[str, object]:
    """Return a part as operations.verify writes it."""
    return {"started_at": "2026-11-26 03:00:00", "state": state, "table": table, "lake": 3}


@pytest.mark.parametrize(
    ("states", "through", "state", "parts"),
    [
        (["equal", "equal"], "2026-11-26 03:00:00", "equal", "2 of 24 parts"),
        (["equal", "differs", "unsettled"], "2026-11-26 03:00:00", "differs", "1 of 24 parts"),
        (["unsettled"], None, "unsettled", "0 of 24 parts"),
    ],
)
def test_verified_parts_are_read(
    tmp_path: Path, states: list[str], through: str | None, state: str, parts: str
) -> None:
    results = {str(number): part_result(name, 2) for number, name in enumerate(states, 1)}
    coverage = {"of": 24, "share": 0, "verified_through": through, "parts": results}
    path = write_verify_result(tmp_path / "v.json", scope="part", coverage=coverage)
    count = len(states)
    expected = VerifyResult(through, state, 2 * count, 3 * count, parts)
    assert read_verify_result(path, LAKE) == expected


def test_a_missing_verify_result_is_none(tmp_path: Path) -> None:
    assert read_verify_result(tmp_path / "none.json", LAKE) is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"bucket": "lake-2"}, "another lake: lake-2, not lake-1"),
        ({"lake_id": "id-2"}, "an earlier lake in bucket lake-1: run python -m"),
        ({"lake_id": None}, "an earlier lake in bucket lake-1: run python -m"),
        ({"scope": "gaps"}, "does not cover the whole table, only gaps"),
        ({"scope": '{"order_id":{"S":"SO-1"}}'}, "only {"),
    ],
)
def test_a_verify_of_another_scope_is_rejected(
    tmp_path: Path, overrides: dict[str, object], message: str
) -> None:
    path = write_verify_result(tmp_path / "v.json", **overrides)
    with pytest.raises(InvalidVerifyResult, match=re.escape(message)):
        read_verify_result(path, LAKE)


def test_a_result_counts_for_no_lake_without_id(tmp_path: Path) -> None:
    path = write_verify_result(tmp_path / "v.json", lake_id=None)
    with pytest.raises(InvalidVerifyResult, match=r"run python setup/03_s3\.py, then"):
        read_verify_result(path, LakeIdentity("lake-1", None))


def test_only_a_given_file_must_match_the_lake(default_result: Path) -> None:
    write_verify_result(default_result, bucket="lake-2")
    assert last_verify_result(None) is None
    with pytest.raises(InvalidVerifyResult, match="another lake"):
        last_verify_result(default_result)


def test_only_a_given_file_must_exist(default_result: Path) -> None:
    assert last_verify_result(None) is None
    with pytest.raises(InvalidVerifyResult, match=r"\.json does not exist: .*verify --json"):
        last_verify_result(default_result)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"bucket": "lake-1", "scope": "table"}',
        json.dumps({**VERIFY_DOCUMENT, "at": "soon"}),
        json.dumps({**VERIFY_DOCUMENT, "at": None}),
        json.dumps({**VERIFY_DOCUMENT, "scope": "part"}),
        json.dumps({**VERIFY_DOCUMENT, "scope": "part", "coverage": {"parts": {}}}),
    ],
)
def test_a_malformed_verify_result_is_rejected(tmp_path: Path, text: str) -> None:
    path = tmp_path / "v.json"
    path.write_text(text)
    with pytest.raises(InvalidVerifyResult, match=r"operations\.verify --json"):
        read_verify_result(path, LAKE)


def test_targets_keep_every_digit(tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    path.write_text('{"USD": 120000, "EUR": 99999999999999.9999, "JPY": "1e6", "KWD": 0.1}')
    assert read_targets(path) == {
        "USD": "120000",
        "EUR": "99999999999999.9999",
        "JPY": "1000000",
        "KWD": "0.1",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "No such file"),
        ("", "is not JSON"),
        (b"\xff", "is not JSON"),
        (5000 * "[", "is not JSON"),
        ("[]", "names no currency"),
        ("{}", "names no currency"),
        ('{"USD": true}', "the target of USD is True: write a number"),
        ('{"USD": null}', "the target of USD is None"),
        ('{"USD": "NaN"}', "the target of USD is NaN"),
        ('{"USD": NaN}', "the target of USD is nan"),
        ('{"USD": "soon"}', "the target of USD is soon"),
        ('{"USD": 0}', "the target of USD is 0"),
        ('{"USD": 1e14}', "the target of USD is 1E+14"),
        ('{"USD": 1e999999999}', "the target of USD is 1E+999999999"),
        ('{"USD": 0.00001}', "the target of USD is 0.00001"),
    ],
)
def test_invalid_targets_are_rejected(
    tmp_path: Path, text: str | bytes | None, message: str
) -> None:
    path = tmp_path / "targets.json"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidTargets, match=re.escape(message)):
        read_targets(path)


def test_a_failed_query_stops_the_others() -> None:
    callbacks = []
    with suppress(QueryFailed), stop_all_on_error() as on_progress:
        callbacks.append(on_progress)
        on_progress(Progress("RUNNING", 0))
        raise QueryFailed("no")
    with pytest.raises(KeyboardInterrupt):
        callbacks[0](Progress("RUNNING", 0))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--out", "/no/such/page.html"], 2, "an existing folder"),
        (["--out", "/dev/null"], 2, "is not a regular file"),
        (["--out", "/dev/null/page.html"], 2, "an existing folder"),
        (["--watch", "1"], 2, "from 2 to 86400, found '1'"),
        (["--watch", "99999999999999999999"], 2, "from 2 to 86400"),
        (["--out", 300 * "x"], 1, "no dashboard: "),
        (["--watch", "soon"], 2, "found 'soon'"),
        ([], 1, "no dashboard: "),
    ],
)
def test_a_failure_has_a_status_and_a_message(
    arguments: list[str],
    status: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)  # without the verify result of an earlier run
    for name, value in UNREACHABLE_AWS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["dashboard", *arguments])
    try:
        exit_status: object = main()
    except SystemExit as error:
        exit_status = error.code
    assert exit_status == status
    assert message in capsys.readouterr().err
