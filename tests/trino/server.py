"""A Trino server on loopback, of the release that Maven Central has or `TRINO_HOME` names.

Its catalog `awsdatacatalog` reads the laptop cloud's Glue and S3, as Athena's catalog of that name
reads AWS's.
"""

import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.documents import ENGINES, documented_block
from tests.support.paths import PROJECT
from tests.trino.client import Client

VERSION = "476"
OLDEST_JAVA = 24
BUILD = PROJECT / "build" / "trino"
START_SECONDS = 300
CONFIGURATION = Path(__file__).with_name("configuration")
CATALOG = "awsdatacatalog"
LAPTOP_CATALOG = """
hive.metastore.glue.endpoint-url=${ENDPOINT}
hive.metastore.glue.aws-access-key=testing
hive.metastore.glue.aws-secret-key=testing
s3.endpoint=${ENDPOINT}
s3.path-style-access=true
s3.aws-access-key=testing
s3.aws-secret-key=testing
"""
"""What the laptop cloud needs beside the configuration that docs/engines.md gives."""


class MissingTool(Exception):
    """Maven, or a Java that is new enough, is not on this machine."""


@contextmanager
def trino_server(cloud_endpoint: str) -> Iterator[Client]:
    """Yield a client of a server that reads the laptop cloud, and stop the server afterwards."""
    home, java = trino_home(), java_home()
    port = _free_port()
    client = Client(f"http://127.0.0.1:{port}")
    with tempfile.TemporaryDirectory(prefix="trino-") as name:
        folder = Path(name)
        _configure(folder, home, port, cloud_endpoint)
        environment = {
            **os.environ,
            "JAVA_HOME": str(java),
            "PATH": f"{java / 'bin'}{os.pathsep}{os.environ['PATH']}",
        }
        command = [str(home / "bin" / "launcher"), "run", "--etc-dir", str(folder / "etc")]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            try:
                _wait_until_started(client, process, folder / "log")
                yield client
            finally:
                process.terminate()
                process.wait()


def _wait_until_started(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not client.has_started():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"Trino did not start: {log.read_text()[-2000:]}")
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _configure(folder: Path, home: Path, port: int, cloud_endpoint: str) -> None:
    """Write the server's configuration; of its plugins it loads only the Hive connector."""
    shutil.copytree(CONFIGURATION, folder / "etc")
    catalog = folder / "etc" / "catalog" / f"{CATALOG}.properties"
    catalog.parent.mkdir()
    catalog.write_text(documented_block(ENGINES, "properties") + LAPTOP_CATALOG)
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "hive").symlink_to(home / "plugin" / "hive")
    values = {"PORT": str(port), "FOLDER": str(folder), "ENDPOINT": cloud_endpoint}
    for file in (folder / "etc").rglob("*"):
        if file.is_file():
            text = re.sub(r"\$\{([A-Z]+)\}", lambda match: values[match[1]], file.read_text())
            file.write_text(text)


def trino_home() -> Path:
    """Return the folder of the server: `TRINO_HOME`, or else what Maven Central has."""
    if "TRINO_HOME" in os.environ:
        return Path(os.environ["TRINO_HOME"])
    home = BUILD / f"trino-server-{VERSION}"
    if not home.exists():
        _fetch_server()
    return home


def _fetch_server() -> None:
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingTool("mvn is missing: install Maven, or set TRINO_HOME to a Trino server")
    BUILD.mkdir(parents=True, exist_ok=True)
    artifact = f"io.trino:trino-server:{VERSION}:tar.gz"
    fetch = [maven, "-q", "-B", "dependency:copy", f"-Dartifact={artifact}"]
    subprocess.run([*fetch, f"-DoutputDirectory={BUILD}"], check=True, cwd=BUILD)
    archive = BUILD / f"trino-server-{VERSION}.tar.gz"
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        subprocess.run(["tar", "-xzf", archive, "-C", folder], check=True)
        (Path(folder) / f"trino-server-{VERSION}").rename(BUILD / f"trino-server-{VERSION}")
    archive.unlink()


def java_home() -> Path:
    """Return the folder of the first Java that is new enough for Trino."""
    candidates = [Path(os.environ[name]) for name in ("JAVA_HOME",) if name in os.environ]
    command = shutil.which("java")
    if command is not None:
        candidates.append(Path(command).resolve().parents[1])
    candidates += sorted(Path("/usr/lib/jvm").glob("*"))
    for candidate in candidates:
        if _java_version(candidate) >= OLDEST_JAVA:
            return candidate
    raise MissingTool(f"Trino {VERSION} needs Java {OLDEST_JAVA} or newer: set JAVA_HOME to one")


def _java_version(home: Path) -> int:
    java = home / "bin" / "java"
    if not java.exists():
        return 0
    output = subprocess.run([java, "-version"], check=False, capture_output=True, text=True).stderr
    match = re.search(r'version "(\d+)', output)
    return int(match[1]) if match else 0
