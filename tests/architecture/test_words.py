"""Language of the project: words that name nothing, in identifiers, messages and documents."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.documents import CONTRIBUTING, DOCUMENTS
from tests.support.paths import PROJECT

# As identifiers these say nothing: a verb names what acts, a noun what a value is. `left` stands
# only beside `right`.
IDENTIFIERS = frozenset(
    [
        "asked",
        "at",
        "besides",
        "drained",
        "each",
        "foretold",
        "found",
        "gone",
        "grown",
        "held",
        "judged",
        "lately",
        "left",
        "moment",
        "more",
        "most",
        "mended",
        "needed",
        "of",
        "place",
        "said",
        "settled",
        "shown",
        "stood",
        "told",
        "wanted",
        "which",
        "whoever",
        "written",
    ]
)
# Not to be written anywhere, and what is written instead.
PHRASES = {
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\banew\b": "again",
    r"\blately\b": "recently",
    r"\bwhoever\b": "the caller, anyone who",
    r"\bnobody (has|knows|asks|sees)\b": "unknown",
    r"(?-i:\bis none\b)": "is not a …",
    r"\bthere is no such\b": "does not exist",
    r"\bon (its|their) way\b": "in flight",
    r"\b(bury|buries|buried|graveyard)\b": "dead-letter",
    r"\b(foretold|ordeal|nemesis spoils)\b": "expected, fault injection",
    r"\btakes no more\b": "is throttling",
    r"\bgoes wrong\b|\bgo wrong\b": "fails, failures",
    r"\bis well\b|\ball is well\b": "is healthy",
    r"\btells? (of|its|that)\b": "reports, shows",
}
STORE = ast.Store()
# What binds names, and the member that has the name; a name or an attribute also has a context.
BINDINGS: dict[type[ast.AST], str] = {
    ast.Name: "id",
    ast.Attribute: "attr",
    ast.arg: "arg",
    ast.FunctionDef: "name",
    ast.ClassDef: "name",
    ast.alias: "asname",
}
SOURCES = [
    *sorted(
        path
        for folder in (
            "analytics",
            "benchmarks",
            "local",
            "operations",
            "sales",
            "setup",
            "terminal",
            "tests",
            "transform",
        )
        for path in (PROJECT / folder).rglob("*.py")
        if path != Path(__file__)
    ),
    PROJECT / "data_generator.py",
    PROJECT / "lambda_function.py",
]
TEXTS = [
    *DOCUMENTS,
    *sorted((PROJECT / "analytics").rglob("*.sql")),
    *sorted((PROJECT / "analytics" / "dashboard" / "page").rglob("*.*")),
]


def relative(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def bound_names(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield every name that a module binds, and its line."""
    nodes: Iterator[Any] = ast.walk(tree)  # What binds a name has a line; other nodes lack one.
    for node in nodes:
        member = BINDINGS.get(type(node))
        if member and isinstance(getattr(node, "ctx", STORE), ast.Store):
            name = getattr(node, member)
            if name:
                yield name, node.lineno


@pytest.fixture(scope="module")
def trees() -> dict[Path, ast.Module]:
    """The syntax tree of each source."""
    return {path: ast.parse(path.read_text("utf-8")) for path in SOURCES}


def test_identifiers_name_what_they_are(trees: dict[Path, ast.Module]) -> None:
    problems = [problem for path, tree in trees.items() for problem in banned_names(path, tree)]
    assert problems == [], "\n".join(problems)


def banned_names(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the place and the name of each identifier that says nothing."""
    names = list(bound_names(tree))
    banned = IDENTIFIERS - ({"left"} if "right" in dict(names) else set())
    for name, line in names:
        if name.strip("_").lower() in banned:
            yield f"{relative(path)}:{line}: {name}"


def test_prose_is_plain_english() -> None:
    problems = [problem for path in [*SOURCES, *TEXTS] for problem in banned_phrases(path)]
    assert problems == [], "\n".join(problems)


def banned_phrases(path: Path) -> Iterator[str]:
    """Yield the place and the text of each phrase to replace."""
    text = path.read_text("utf-8")
    if path == CONTRIBUTING:  # Its table of words names them.
        text = re.sub(r"^\|.*$", "", text, flags=re.MULTILINE)
    for phrase, better in PHRASES.items():
        for match in re.finditer(phrase, text, re.IGNORECASE):
            line = text.count("\n", 0, match.start()) + 1
            yield f"{relative(path)}:{line}: {match[0]!r}: say {better!r}"


def test_test_names_are_short(trees: dict[Path, ast.Module]) -> None:
    long_names = [
        (node.name, relative(path))
        for path, tree in trees.items()
        if path.name.startswith("test_")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and len(node.name) > 50
    ]
    assert long_names == []
