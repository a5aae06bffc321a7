"""Architecture: which package may import which, pinned dependencies, no endpoints in scripts."""

import ast
import re
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

OURS = {
    "analytics",
    "data_generator",
    "lambda_function",
    "local",
    "operations",
    "sales",
    "setup",
    "terminal",
    "transform",
}
MAY_IMPORT = {
    "terminal": {"terminal"},
    "transform": {"transform"},
    "local": {"local", "terminal"},
    "local/services/dynamodb/language": {"local.services.dynamodb.language"},
    "lambda_function.py": {"transform"},
    "data_generator.py": {"sales", "setup", "terminal"},
    "sales": {"sales"},
    "setup": {"setup", "terminal", "transform"},
    "analytics": {"analytics", "setup", "terminal", "transform"},
    "operations": {"operations", "analytics", "setup", "terminal", "transform"},
}


def all_imports(source: Path) -> Iterator[str]:
    """Yield the dotted name of every module that a file imports, inside functions too."""
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def top_level(module: str) -> str:
    """Return the package or module at the top of a dotted name."""
    return module.partition(".")[0]


def is_allowed(module: str, package: str) -> bool:
    """Return whether a package may import a module: a listed one, or a submodule of it."""
    return any(f"{module}.".startswith(f"{name}.") for name in MAY_IMPORT[package])


def sources(package: str) -> list[Path]:
    """Return the Python files of a folder, or the one file."""
    path = PROJECT / package
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_one_way(package: str) -> None:
    for source in sources(package):
        ours = {module for module in all_imports(source) if top_level(module) in OURS}
        forbidden = {module for module in ours if not is_allowed(module, package)}
        assert not forbidden, f"{source.relative_to(PROJECT)} imports {forbidden}"


def test_transform_has_no_dependencies() -> None:
    for source in sources("transform"):
        names = {top_level(module) for module in all_imports(source)}
        assert names <= sys.stdlib_module_names | {"transform"}, source.name


def test_requirements_are_pinned_with_a_reason() -> None:
    lines = (PROJECT / "requirements.txt").read_text().splitlines()
    for line in filter(None, lines):
        assert re.fullmatch(r"# \S.*|[\w-]+(\[[\w,]+\])?==[\w.]+ +# \S.*", line), line


def test_scripts_name_no_region_or_credentials() -> None:
    for package in ("setup", "operations", "analytics", "data_generator.py", "lambda_function.py"):
        for source in sources(package):
            match = re.search(
                r"endpoint_url\s*=|aws_access_key_id|region_name\s*=",
                source.read_text(),
                re.IGNORECASE,
            )
            assert match is None, f"{source.relative_to(PROJECT)}: {match[0]}"


def test_local_core_knows_no_service() -> None:
    for source in sources("local/core"):
        modules = set(load_time_imports(source))
        services = {name for name in modules if name.startswith("local.services")}
        assert not services, f"{source.relative_to(PROJECT)} imports {services}"


def test_imports_have_no_circle() -> None:
    sorter = TopologicalSorter(import_graph())
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(f"import circle: {' -> '.join(error.args[1])}")


def import_graph() -> dict[str, set[str]]:
    """Return, for each module of the project, the modules that it imports when it is loaded."""
    files = [path for package in MAY_IMPORT for path in sources(package)]
    modules = {module_name(path): path for path in files}
    return {
        name: {other for other in load_time_imports(path) if other in modules} - {name}
        for name, path in modules.items()
    }


def module_name(source: Path) -> str:
    """Return the dotted name of a source file; `__init__.py` has the name of its folder."""
    parts = source.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def load_time_imports(source: Path) -> Iterator[str]:
    """Yield the modules that a file imports when it is loaded, so not those inside functions.

    `from a import b` imports `a.b` if that is a module. It loads the package `a` too, whose
    `__init__` may import `a.b`, but that is not a circle.
    """
    for node in loading_statements(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f"{node.module}.{alias.name}"
                is_module = is_source(PROJECT / submodule.replace(".", "/"))
                yield submodule if is_module else node.module


def is_source(path: Path) -> bool:
    """Return whether a path without suffix is a module or a package."""
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def loading_statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the statements that run on import, without functions and `if TYPE_CHECKING`."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from loading_statements(child)
