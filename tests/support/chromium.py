"""A Chromium without a window, driven over a pipe by its DevTools protocol."""

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

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--remote-debugging-pipe", "--lang=en-US", "--force-device-scale-factor=1"),
)
# Chromium reads commands from 3 and writes answers to 4; pipes get other numbers at first.
ON_3_AND_4 = """import os, sys
for given, wanted in zip(map(int, sys.argv[1:3]), (3, 4)): os.dup2(given, wanted)
os.execv(sys.argv[3], sys.argv[3:])"""
FREE = 10  # no pipe's first number is below, so that none is in the way of another


def chromium() -> str | None:
    """Return where a Chromium is, if there is one."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Tab:
    """A tab: what it is told to do, and all that it reports meanwhile."""

    commands: BinaryIO
    answers: BinaryIO
    session: str | None = None
    events: list[dict[str, Any]] = field(default_factory=list)
    number: int = 0
    unread: bytes = b""

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return the answer to a command."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            command["sessionId"] = self.session
        self.commands.write(json.dumps(command).encode() + b"\0")
        self.commands.flush()
        while (message := self._message()).get("id") != self.number:
            self.events.append(message)
        assert "error" not in message, (method, message["error"])
        return message["result"]

    def attach(self) -> None:
        """Open a page and listen to it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = found["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Page.setLifecycleEventsEnabled", enabled=True)

    def show(self, path: Path, fragment: str = "") -> None:
        """Load a file, from nothing, and return when it is there."""
        self._go("about:blank")
        self.events.clear()
        self._go(path.resolve().as_uri() + fragment)

    def _go(self, address: str) -> None:
        loader = self.call("Page.navigate", url=address)["loaderId"]
        self.wait_for("Page.lifecycleEvent", loaderId=loader, name="load")

    def wait_for(self, method: str, times: int = 1, **parameters: str) -> None:
        """Return once an event with these parameters has been reported so many times."""
        while sum(_is(event, method, parameters) for event in self.events) < times:
            self.events.append(self._message())

    def value(self, script: str) -> Any:
        """Return what a script comes to, once a promise is kept."""
        asked = {"expression": script, "returnByValue": True, "awaitPromise": True}
        found = self.call("Runtime.evaluate", **asked)
        assert "exceptionDetails" not in found, (script, found["exceptionDetails"])
        return found["result"].get("value")

    def resize(self, width: int, height: int, theme: str = "light") -> None:
        """Give the page another screen, light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": theme}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self) -> bytes:
        """Return the whole page as PNG."""
        found = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def complaints(self) -> list[str]:
        """Return every error and warning of the console since the page was loaded."""
        return [
            json.dumps(event["params"])
            for event in self.events
            if event.get("method") in ("Runtime.exceptionThrown", "Log.entryAdded")
            or (
                event.get("method") == "Runtime.consoleAPICalled"
                and event["params"]["type"] in ("error", "warning", "assert")
            )
        ]

    def requests(self) -> list[str]:
        """Return every address that the page asked for."""
        return [
            event["params"]["request"]["url"]
            for event in self.events
            if event.get("method") == "Network.requestWillBeSent"
        ]

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self.unread:
            read = os.read(self.answers.fileno(), 1 << 16)
            if not read:
                raise EOFError("chromium ended")
            self.unread += read
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)


def _is(event: dict[str, Any], method: str, parameters: dict[str, str]) -> bool:
    return event.get("method") == method and parameters.items() <= event["params"].items()


@contextmanager
def tab() -> Iterator[Tab]:
    """Yield a tab of a Chromium of which nothing is left afterwards."""
    (theirs_in, ours_out), (ours_in, theirs_out) = _pipe(), _pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        starter = [sys.executable, "-c", ON_3_AND_4, str(theirs_in), str(theirs_out)]
        browser = subprocess.Popen(
            [*starter, str(chromium()), *FLAGS, f"--user-data-dir={profile}"],
            pass_fds=(theirs_in, theirs_out),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        with open(ours_out, "wb") as commands, open(ours_in, "rb", buffering=0) as answers:
            opened = Tab(commands, answers)
            opened.attach()
            yield opened
            opened.session = None
            opened.call("Browser.close")
        browser.wait(20)


def _pipe() -> tuple[int, int]:
    """Return a pipe's ends, numbered from FREE on."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FREE) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]
