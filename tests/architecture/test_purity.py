"""The transform is pure: the standard library alone, no clock, environment, network or float."""

import ast
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

MODULES = sorted((PROJECT / "transform").glob("*.py"))
ALLOWED = {
    "binascii",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "functools",
    "hashlib",
    "json",
    "numbers",
    "re",
    "transform",
    "typing",
}
IMPURE = {"now", "today", "utcnow", "fromtimestamp", "print", "open", "float", "eval", "exec"}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield the packages that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module.split(".")[0]


def named(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module uses in code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_what_is_pure_and_uses_no_float(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert set(imported(tree)) <= ALLOWED
    assert not set(named(tree)) & IMPURE


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_is_small_and_its_functions_are_typed(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 180
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 40
            assert node.returns is not None
            parameters = node.args.args + node.args.kwonlyargs + [node.args.vararg]
            assert all(one is None or one.annotation or one.arg in "self cls" for one in parameters)


def test_json_is_read_without_floats() -> None:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("json.loads", "loads"):
                assert "parse_float" in {keyword.arg for keyword in node.keywords}


SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import io, json
import lambda_function, transform
assert lambda_function.__file__.startswith(sys.argv[1]), lambda_function.__file__
print(json.dumps(lambda_function.lambda_handler(json.load(sys.stdin), None)))
"""


def test_the_function_runs_from_its_zip_on_a_bare_interpreter(tmp_path: Path) -> None:
    archive = tmp_path / "function.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for path in [PROJECT / "lambda_function.py", *MODULES]:
            bundle.write(path, path.relative_to(PROJECT))
    event = (PROJECT / "tests/events/firehose_of_kinesis.json").read_text()
    bare = [sys.executable, "-I", "-S", "-c", SCRIPT, str(archive)]
    run = subprocess.run(bare, input=event, capture_output=True, text=True, cwd=tmp_path)
    assert run.stderr == ""
    summary, reply = map(json.loads, run.stdout.splitlines())
    assert summary == {"in": 2, "ok": 2, "failed": 0, "reason": None}
    assert [record["result"] for record in reply["records"]] == ["Ok", "Ok"]
