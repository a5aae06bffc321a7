"""Scripts of the project, run in a thread of this process: none costs a start."""

import runpy
import sys
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from unittest.mock import patch

from local.core.server import Cloud
from local.demo import IDLE_SECONDS
from tests.support.paths import PROJECT


def call_script(cloud: Cloud, *command: str) -> int:
    """Run a script while the cloud ticks, as `local.demo.call_script`; return its exit status."""
    with ThreadPoolExecutor(1) as threads:
        status = threads.submit(_exit_status, command)
        while not status.done():
            if not cloud.tick():
                wait([status], IDLE_SECONDS)
        return status.result()


def _exit_status(command: Sequence[str]) -> int:
    is_module = command[0] == "-m"
    arguments = command[1:] if is_module else command
    try:
        with patch.object(sys, "argv", list(arguments)), warnings.catch_warnings():
            # Other tests in this process import the modules that are commands, too.
            warnings.filterwarnings("ignore", ".* found in sys.modules", RuntimeWarning)
            if is_module:
                runpy.run_module(arguments[0], run_name="__main__")
            else:
                runpy.run_path(str(PROJECT / arguments[0]), run_name="__main__")
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    return 0
