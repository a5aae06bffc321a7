"""Headless Chromium, controlled through a pipe by its DevTools protocol."""

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

EXECUTABLES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
    "--lang=en-US",
    "--force-device-scale-factor=1",
)
# Chromium reads commands from descriptor 3 and writes answers to 4, so this moves the pipes there.
MOVE_PIPES_AND_EXEC = """import os, sys
for pipe, target in zip(map(int, sys.argv[1:3]), (3, 4)): os.dup2(pipe, target)
os.execv(sys.argv[3], sys.argv[3:])"""
MIN_PIPE_DESCRIPTOR = 10  # Above 3 and 4, so that moving one pipe does not close another.


def find_chromium() -> str | None:
    """Return the path of an installed Chromium, if there is one."""
    return next(filter(None, map(shutil.which, EXECUTABLES)), None)


@dataclass
class Tab:
    """A browser tab, with all events that it has reported."""

    commands: BinaryIO
    answers: BinaryIO
    empty_page: Path
    session_id: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    last_command_id: int = 0
    unread: bytes = b""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        self.last_command_id += 1
        command = {"id": self.last_command_id, "method": method, "params": parameters}
        if self.session_id:
            command["sessionId"] = self.session_id
        self.commands.write(json.dumps(command).encode() + b"\0")
        self.commands.flush()
        while (message := self._read_message()).get("id") != self.last_command_id:
            self.events.append(message)
        assert "error" not in message, (method, message["error"])
        result: dict[str, Any] = message["result"]
        return result

    def attach(self) -> None:
        """Open a page and subscribe to its events."""
        target_id = self.call("Target.createTarget", url="about:blank")["targetId"]
        response = self.call("Target.attachToTarget", targetId=target_id, flatten=True)
        self.session_id = response["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def load(self, path: Path, fragment: str = "") -> None:
        """Load a file, also one that the tab shows already, and wait until it is loaded."""
        url = path.resolve().as_uri()
        if self.evaluate("location.href.split('#')[0]") == url:
            self._navigate(self.empty_page.as_uri())
        self.events.clear()
        self._navigate(url + fragment)
        self.wait_until_started()

    def wait_until_started(self) -> None:
        """Wait for the promise `started` of a loaded page, if it has one."""
        self.evaluate("typeof started === 'undefined' ? 0 : started.then(() => 0)")

    def visit(self, url: str, served: str | None = None) -> None:
        """Open an address; with `served`, that page stands for what the network would answer."""
        if served is None:
            self._navigate(url)
            return
        self.events.clear()
        self.call("Fetch.enable", patterns=[{"urlPattern": url}])
        self.evaluate(f"setTimeout(() => {{ location = {json.dumps(url)} }}) && 0")
        self.wait_for("Fetch.requestPaused")
        (paused,) = (event for event in self.events if event["method"] == "Fetch.requestPaused")
        self.call(
            "Fetch.fulfillRequest",
            requestId=paused["params"]["requestId"],
            responseCode=200,
            responseHeaders=[{"name": "Content-Type", "value": "text/html"}],
            body=base64.b64encode(served.encode()).decode(),
        )
        self.call("Fetch.disable")
        self.wait_for("Page.lifecycleEvent", name="load")

    def _navigate(self, url: str) -> None:
        loader_id = self.call("Page.navigate", url=url)["loaderId"]
        self.wait_for("Page.lifecycleEvent", loaderId=loader_id, name="load")

    def wait_for(self, method: str, times: int = 1, **parameters: str) -> None:
        """Wait until an event with these parameters has been reported this many times."""
        while sum(_matches(event, method, parameters) for event in self.events) < times:
            self.events.append(self._read_message())

    def evaluate(self, script: str) -> Any:
        """Return the value of a script, or of the promise that it returns."""
        response = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in response, (script, response["exceptionDetails"])
        return response["result"].get("value")

    def resize(self, width: int, height: int, theme: str = "light") -> None:
        """Set the size of the screen and the preferred colour scheme."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": theme}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self) -> bytes:
        """Return the whole page as PNG."""
        response = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(response["data"])

    def console_problems(self) -> list[str]:
        """Return every error and warning of the console since the page was loaded."""
        return [json.dumps(event["params"]) for event in self.events if _is_problem(event)]

    def requested_urls(self) -> list[str]:
        """Return every URL that the page requested."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def _read_message(self) -> dict[str, Any]:
        while b"\0" not in self.unread:
            chunk = os.read(self.answers.fileno(), 1 << 16)
            if not chunk:
                raise EOFError("Chromium exited")
            self.unread += chunk
        text, _, self.unread = self.unread.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


def _matches(event: dict[str, Any], method: str, parameters: dict[str, str]) -> bool:
    return event.get("method") == method and parameters.items() <= event["params"].items()


def _is_problem(event: dict[str, Any]) -> bool:
    method = event.get("method")
    if method == "Runtime.consoleAPICalled":
        return event["params"]["type"] in ("error", "warning", "assert")
    return method in ("Runtime.exceptionThrown", "Log.entryAdded")


@contextmanager
def open_tab(*flags: str) -> Iterator[Tab]:
    """Yield a tab of a new Chromium, which is closed and whose profile is deleted afterwards."""
    browser_in, commands_out = _pipe()
    answers_in, browser_out = _pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        launcher = [sys.executable, "-c", MOVE_PIPES_AND_EXEC, str(browser_in), str(browser_out)]
        browser = subprocess.Popen(
            [*launcher, str(find_chromium()), *FLAGS, *flags, f"--user-data-dir={profile}"],
            pass_fds=(browser_in, browser_out),
            stderr=subprocess.DEVNULL,
        )
        os.close(browser_in)
        os.close(browser_out)
        with (
            os.fdopen(commands_out, "wb") as commands,
            os.fdopen(answers_in, "rb", buffering=0) as answers,
        ):
            empty_page = Path(profile, "empty.html")
            empty_page.touch()
            tab = Tab(commands, answers, empty_page)
            tab.attach()
            yield tab
            tab.session_id = None
            tab.call("Browser.close")
        browser.wait(20)


def _pipe() -> tuple[int, int]:
    """Return the ends of a pipe, numbered from MIN_PIPE_DESCRIPTOR."""
    ends = os.pipe()
    read_end, write_end = (
        fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, MIN_PIPE_DESCRIPTOR) for end in ends
    )
    for end in ends:
        os.close(end)
    return read_end, write_end
