"""Purity of transform: standard library only, no clock, environment, network or float."""

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
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "json",
    "numbers",
    "re",
    "transform",
    "typing",
}
IMPURE = {"now", "today", "utcnow", "fromtimestamp", "print", "open", "float", "eval", "exec"}


def imported_packages(tree: ast.AST) -> Iterator[str]:
    """Yield the packages that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield (node.module or "").split(".")[0]


def names_used(tree: ast.AST) -> Iterator[str]:
    """Yield the names and attributes that a module uses."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_is_pure(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert set(imported_packages(tree)) <= ALLOWED
    assert not set(names_used(tree)) & IMPURE


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_module_is_small_and_typed(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 180
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno is not None
            assert node.end_lineno - node.lineno < 40
            assert node.returns is not None
            assert untyped_parameters(node.args) == []


def untyped_parameters(arguments: ast.arguments) -> list[str]:
    """Return the names of the parameters without a type, except `self` and `cls`."""
    parameters = [*arguments.args, *arguments.kwonlyargs]
    if arguments.vararg is not None:
        parameters.append(arguments.vararg)
    untyped = [parameter.arg for parameter in parameters if parameter.annotation is None]
    return [name for name in untyped if name not in ("self", "cls")]


def test_json_is_parsed_without_floats() -> None:
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


def test_function_runs_from_its_zip_alone(tmp_path: Path) -> None:
    archive = tmp_path / "function.zip"
    with zipfile.ZipFile(archive, "w") as bundle:
        for path in [PROJECT / "lambda_function.py", *MODULES]:
            bundle.write(path, path.relative_to(PROJECT))
    event = (PROJECT / "tests/events/firehose_of_kinesis.json").read_text()
    command = [sys.executable, "-I", "-S", "-c", SCRIPT, str(archive)]  # No site-packages.
    process = subprocess.run(
        command, input=event, capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert process.stderr == ""
    summary, response = map(json.loads, process.stdout.splitlines())
    assert summary == {"in": 2, "ok": 2, "failed": 0, "reason": None}
    assert [record["result"] for record in response["records"]] == ["Ok", "Ok"]
