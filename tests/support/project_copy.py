"""Commands of a copy of the project, which run in one process: none costs a new start.

A command may change the project's files, which a test must not do. Modules that a command has
loaded stay loaded: `restart` makes the next commands see changed files.
"""

import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

from local.core.server import Cloud
from local.demo import IDLE_SECONDS
from tests.support.paths import PROJECT

PARTS = (
    "analytics",
    "docs",
    "operations",
    "setup",
    "terminal",
    "transform",
    "lambda_function.py",
)
# Reads a command's arguments from each line of stdin, runs it, and answers with status and output.
RUNNER = """
import io, json, os, runpy, sys
from contextlib import redirect_stderr, redirect_stdout

answers = os.fdopen(os.dup(1), "w")  # A failing command may close stdout.
for line in sys.stdin:
    sys.argv = json.loads(line)[1:]
    sink = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    status = 0
    with redirect_stdout(sink), redirect_stderr(sink):
        try:
            if sys.argv[0] == "-m":
                del sys.argv[0]
                runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as exit:
            status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
    sink.flush()
    print(json.dumps([status, sink.buffer.getvalue().decode()]), file=answers, flush=True)
"""


class ProjectCopy:
    """A copy of the project, and the process that runs its commands while the cloud works."""

    def __init__(self, folder: Path, cloud: Cloud) -> None:
        for part in PARTS:
            copy = shutil.copytree if (PROJECT / part).is_dir() else shutil.copy2
            copy(PROJECT / part, folder / part)
        self.folder = folder
        self._cloud = cloud
        self._runner: subprocess.Popen[str] | None = None

    def run(self, command: list[str]) -> tuple[int, str]:
        """Run a command such as `["python", "setup", "--check"]`; return its status and output."""
        if self._runner is None:
            self._runner = subprocess.Popen(
                [sys.executable, "-c", RUNNER],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        answers: list[str] = []
        exchange = threading.Thread(target=_exchange, args=(self._runner, command, answers))
        exchange.start()
        while exchange.is_alive():
            if not self._cloud.tick():
                exchange.join(IDLE_SECONDS)
        status, output = json.loads(answers[0])
        return int(status), str(output)

    def restart(self) -> None:
        """End the process; the next command starts another."""
        if self._runner is not None:
            self._runner.communicate()
            self._runner = None


def _exchange(runner: "subprocess.Popen[str]", command: list[str], answers: list[str]) -> None:
    assert runner.stdin
    assert runner.stdout
    runner.stdin.write(f"{json.dumps(command)}\n")
    runner.stdin.flush()
    answers.append(runner.stdout.readline())
