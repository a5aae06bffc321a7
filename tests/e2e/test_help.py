"""Help texts: `--help` of every command is as recorded in help.txt.

After a change on purpose: UPDATE_HELP=1 pytest -n 0 tests/e2e/test_help.py
"""

import os
import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.support.paths import PROJECT

RECORDED = Path(__file__).with_name("help.txt")
SCRIPTS = [
    "setup",
    *sorted(
        f"setup/{path.name}"
        for path in (PROJECT / "setup").glob("*.py")
        if path.stem != "__main__" and "__main__" in path.read_text("utf-8")
    ),
    "data_generator.py",
]
MODULES = [
    "local",
    *sorted(f"operations.{path.parent.name}" for path in PROJECT.glob("operations/*/__main__.py")),
    "analytics.run",
    "analytics.check",
    "analytics.dashboard",
    "analytics.propose",
    "tests.campaign",
]
COMMANDS = [*(f"python {path}" for path in SCRIPTS), *(f"python -m {name}" for name in MODULES)]


def show_help(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a command with --help in this process; it prints, and ends with status 0."""
    name = command.rsplit(maxsplit=1)[-1]
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    monkeypatch.setattr(sys, "path", list(sys.path))
    is_package = Path(PROJECT, *name.split(".")).is_dir()
    module = f"{name}.__main__" if is_package else name
    monkeypatch.delitem(sys.modules, module, raising=False)  # Or runpy warns.
    with pytest.raises(SystemExit, match=r"^0$"):
        run_main(command, name)


def run_main(command: str, name: str) -> None:
    if command.startswith("python -m "):
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(str(PROJECT / name), run_name="__main__")


def recorded_help() -> dict[str, str]:
    """Return the recorded help text of each command."""
    sections = re.split(r"^\$ (.*) --help\n", RECORDED.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(sections[1::2], sections[2::2], strict=True))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_as_recorded(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    show_help(command, monkeypatch)
    text = f"{capsys.readouterr().out}\n"
    if "UPDATE_HELP" in os.environ:
        record_help(command, text)
    assert unwrapped(text) == unwrapped(recorded_help()[command])


def unwrapped(text: str) -> str:
    """Return a help text with its usage on one line: Python versions wrap it differently."""
    usage, _, rest = text.partition("\n\n")
    return " ".join(usage.split()) + rest


def record_help(command: str, text: str) -> None:
    """Replace the recorded help text of a command, and drop commands that no longer exist."""
    texts = recorded_help() | {command: text}
    sections = [f"$ {name} --help\n{texts[name]}" for name in COMMANDS if name in texts]
    RECORDED.write_text("".join(sections), "utf-8")


def test_every_help_text_is_short() -> None:
    for command, text in recorded_help().items():
        for option in re.findall(r"^  --?\S.*(?:\n {10,}\S.*)*", text, re.MULTILINE):
            description = re.split(r" {2,}|\n", option.strip(), maxsplit=1)[-1]
            words = description.partition("(default")[0].partition("; default")[0].split()
            assert len(words) <= 24, f"{command}: {option}"
